"""The task list on the desk, and the way of one payment."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import csv_answer, text_asked
from core.errors import DomainError
from treasury.models import Task
from treasury.selectors import movement, tracking
from treasury.selectors import tasks as reads
from treasury.services import tasks

PAGE_ROWS: Final = 50
EXPORT_ROWS_MAX: Final = 10_000
COLUMNS: Final = (
    "opened_at", "kind", "severity", "title", "detail", "stands", "acknowledged_by",
    "acknowledged_at", "done_by", "done_at", "note",
)  # fmt: skip


def _asked(request: HttpRequest) -> tuple[QuerySet[Task], str, str]:
    show = "done" if request.GET.get("show") == "done" else "open"
    rows = reads.open_tasks() if show == "open" else reads.tasks().filter(done_at__isnull=False)
    kind = text_asked(request, "kind", chars_max=40)
    return (rows.filter(kind=kind) if kind else rows), show, kind


@require_safe
@login_required
def task_list(request: HttpRequest) -> HttpResponse:
    """List what waits for a person, the oldest first, or what was done, the newest first."""
    rows, show, kind = _asked(request)
    context = {
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "show": show,
        "kind": kind,
        "kinds": reads.open_kinds(),
        "may_work": actor(request).has_role(*tasks.WORKERS),
    }
    whole = request.headers.get("HX-Request") != "true"
    page = "treasury/tasks.html" if whole else "treasury/tasks_table.html"
    return render(request, page, context)


@require_safe
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """Hand the listed tasks out as CSV; no cell can begin a formula."""
    rows, show, _ = _asked(request)
    lines = ([getattr(task, name) for name in COLUMNS] for task in rows[:EXPORT_ROWS_MAX])
    return csv_answer(COLUMNS, lines, name=f"tasks-{show}")


@require_safe
@login_required
def open_count(_request: HttpRequest) -> HttpResponse:
    """Return how many tasks wait, for the menu's badge."""
    count = reads.open_tasks().count()
    return HttpResponse(str(count) if count else "")


@require_POST
@login_required
def acknowledge(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Say that one looks into it."""
    try:
        tasks.acknowledge_task(task_id=task_id, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "The task is yours.")
    return redirect("treasury:tasks")


@require_POST
@login_required
def close(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Close a task with a note."""
    try:
        tasks.close_task(task_id=task_id, actor=actor(request), note=request.POST.get("note", ""))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "The task is closed.")
    return redirect("treasury:tasks")


@require_safe
@login_required
def track(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Show the way of one payment, leg by leg."""
    found = tracking.track_of(movement.transfer(transfer_id))
    return render(request, "treasury/track.html", {"track": found})
