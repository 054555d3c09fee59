"""What waits for a person: one row per thing to look into, closed with a note."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.tenancy import TenantModel
from treasury.models.movement import Transfer


class TaskQuerySet(models.QuerySet["Task"]):
    """Tasks in the words of the room."""

    def open(self) -> Self:
        """Keep what still waits for a person, acknowledged or not."""
        return self.filter(done_at__isnull=True)


class Task(TenantModel):
    """Something a person must look into. `key` names its subject: one open task per kind and key.

    It is closed by a person with a note, or by the answer that it waited for.
    """

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    severity = models.CharField(max_length=6, default="high")
    title = models.CharField(max_length=200)
    detail = models.TextField()
    transfer = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, null=True, related_name="tasks"
    )
    opened_at = models.DateTimeField()
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    done_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "key"],
                condition=Q(done_at__isnull=True),
                name="task_open_once",
            ),
            models.CheckConstraint(
                name="task_done_has_a_note", condition=Q(done_at__isnull=True) | ~Q(note="")
            ),
            models.CheckConstraint(
                name="task_done_by_has_time",
                condition=Q(done_by__isnull=True) | Q(done_at__isnull=False),
            ),
            models.CheckConstraint(
                name="task_acknowledged_by_somebody",
                condition=Q(acknowledged_by__isnull=True, acknowledged_at__isnull=True)
                | Q(acknowledged_by__isnull=False, acknowledged_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "kind", "opened_at"],
                condition=Q(done_at__isnull=True),
                name="task_open",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def stands(self) -> str:
        """Return where it stands, in a word."""
        if self.done_at is not None:
            return "done"
        return "acknowledged" if self.acknowledged_at is not None else "open"
