"""Tasks in the admin: a list, and the two buttons."""

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action, display

from core.api.actor import actor
from core.confirming import confirmed
from treasury.admin.movement import ReadOnly
from treasury.models import Task
from treasury.selectors import tasks as reads
from treasury.services import tasks

_LABELS = {"open": "danger", "acknowledged": "warning", "done": "success"}


@admin.register(Task)
class TaskAdmin(ReadOnly):
    """What waits for a person, and what became of it."""

    list_display = (
        "title", "kind", "shown_state", "opened_at", "acknowledged_by", "done_by", "done_at",
        "note",
    )  # fmt: skip
    list_filter = ("kind", "severity", ("done_at", admin.EmptyFieldListFilter))
    search_fields = ("title", "detail", "transfer__end_to_end_id")
    date_hierarchy = "opened_at"
    actions_detail = ("take_it", "close_it")

    @display(description="state", label=_LABELS)
    def shown_state(self, task: Task) -> str:
        """Show where it stands as a coloured label."""
        return task.stands

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        """Return the tenant's tasks."""
        return reads.tasks()

    @action(description="Take it", url_path="take")
    @confirmed("The task carries your name from here on.")
    def take_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Say that one looks into it."""
        self._press(
            request,
            "The task is yours.",
            lambda: tasks.acknowledge_task(task_id=UUID(object_id), actor=actor(request)),
        )
        return _back(object_id)

    @action(description="Close", url_path="close")
    @confirmed("The task is closed; its note says that it was closed in the admin.")
    def close_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Close a task; a note of one's own is written on the desk."""
        self._press(
            request,
            "The task is closed.",
            lambda: tasks.close_task(
                task_id=UUID(object_id), actor=actor(request), note="Closed in the admin."
            ),
        )
        return _back(object_id)


def _back(object_id: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:treasury_task_change", args=[object_id]))
