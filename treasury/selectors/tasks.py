"""Reads of the task list."""

from uuid import UUID

from django.db.models import QuerySet

from core.errors import NotFound
from treasury.models import Task


def tasks() -> QuerySet[Task]:
    """Return all tasks with what a list shows, newest first."""
    return Task.objects.select_related("acknowledged_by", "done_by", "transfer__proposal")


def open_tasks() -> QuerySet[Task]:
    """Return what waits for a person, the oldest first."""
    return tasks().filter(done_at__isnull=True).order_by("opened_at", "id")


def task(task_id: UUID) -> Task:
    """Return one task.

    Raises:
        NotFound: no such task.
    """
    found = tasks().filter(pk=task_id).first()
    if found is None:
        raise NotFound("There is no such task.", field="task")
    return found


def open_kinds() -> list[str]:
    """Return the kinds of which a task is open, for the filter."""
    kinds = Task.objects.filter(done_at__isnull=True).order_by("kind")
    return list(kinds.values_list("kind", flat=True).distinct())
