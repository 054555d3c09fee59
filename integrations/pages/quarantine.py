"""The quarantine: what banks sent and could not be used, why, and the way to try again."""

from typing import Final
from uuid import UUID

from django.contrib import messages as notices
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import csv_answer, text_asked
from core.errors import DomainError
from integrations import selectors, services
from integrations.downloads import ROLES_FOR_BYTES
from integrations.models import Message
from integrations.services.mapping import ROLES_FOR_MAPPING

PAGE_ROWS: Final = 50
EXPORT_ROWS_MAX: Final = 10_000
HEAD: Final = ("id", "received", "connection", "kind", "name", "bytes", "sha256", "seen", "reason")


@login_required
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """List what was set aside, newest first; filter by connection and words."""
    found = selectors.set_aside(_filter(request), before=_before(request))
    rows = list(found[: PAGE_ROWS + 1])
    connection = request.GET.get("connection", "")
    context = {
        "rows": rows[:PAGE_ROWS],
        "older": rows[PAGE_ROWS - 1].pk if len(rows) > PAGE_ROWS else None,
        "connections": selectors.connections(),
        "connection": connection,
        "words": request.GET.get("words", ""),
        "count": selectors.set_aside(_filter(request)).count(),
        "may_try_again": actor(request).has_role(*services.ROLES_FOR_TRYING_AGAIN),
        "may_read_bytes": actor(request).has_role(*ROLES_FOR_BYTES),
        "may_draw": actor(request).has_role(*ROLES_FOR_MAPPING),
    }
    return render(request, "integrations/quarantine.html", context)


@login_required
@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """Send the list as CSV, with the same filters."""
    found = selectors.set_aside(_filter(request))[:EXPORT_ROWS_MAX]
    name = f"quarantine-{clock.now():%Y%m%d-%H%M%S}"
    return csv_answer(HEAD, (_cells(row) for row in found), name=name)


@login_required
@require_POST
def try_all_again(request: HttpRequest, code: str) -> HttpResponse:
    """Take up everything again that was set aside from one connection."""
    try:
        tried = services.try_connection_again(connection_code=code, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        notices.success(request, f"{tried} of {code} are being read again.")
    return redirect("integrations:quarantine")


def _filter(request: HttpRequest) -> selectors.AsideFilter:
    return selectors.AsideFilter(
        connection=text_asked(request, "connection"), words=text_asked(request, "words").strip()
    )


def _before(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("before", ""))
    except ValueError:
        return None


def _cells(row: Message) -> tuple[object, ...]:
    return (
        row.pk, row.created_at, row.connection.code, row.kind, row.name,
        row.size_bytes, row.sha256, row.seen_count, row.reason,
    )  # fmt: skip
