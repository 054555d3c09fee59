"""Change requests: what shall be written, by whom, why, and what became of it."""

from datetime import datetime
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition

from core.tenancy.models import Tenant, TenantModel

REASON_LENGTH_MAX: Final = 300
PROBLEM_LENGTH_MAX: Final = 500
TITLE_LENGTH_MAX: Final = 200


class ChangeState(models.TextChoices):
    """Where a change stands."""

    PROPOSED = "PROPOSED", "proposed"
    APPLIED = "APPLIED", "applied"
    REJECTED = "REJECTED", "rejected"
    CANCELLED = "CANCELLED", "cancelled"
    FAILED = "FAILED", "failed"


class Operation(models.TextChoices):
    """What happens to a row, in the database's own words."""

    INSERT = "INSERT", "new"
    UPDATE = "UPDATE", "changed"
    DELETE = "DELETE", "removed"


class Control(models.TextChoices):
    """Which kind of approval a change needs."""

    STATIC_DATA = "static_data", "static data"
    CONTROL = "control", "control"


class ChangeRequestQuerySet(models.QuerySet["ChangeRequest"]):
    """Changes, in the words of those who wait for them."""

    def locked(self) -> Self:
        """Hold the rows until the transaction ends."""
        return self.select_for_update(of=("self",))

    def waiting(self) -> Self:
        """Return the changes that nobody has decided yet."""
        return self.filter(state=ChangeState.PROPOSED)

    def touching(self, table: str, row_id: str) -> Self:
        """Return the changes that write this row."""
        return self.filter(rows__contains=[{"table": table, "id": row_id}])


class ChangeRequest(FSMModelMixin, TenantModel):
    """One change of one row, or of several rows that belong together.

    `rows` lists every row with table, id, operation, and its columns before and after. Of
    encrypted columns it holds a digest; the ciphertext that will be stored stands in `sealed`.
    `target` and `row_id` name the first row.
    """

    target = models.CharField(max_length=80)
    row_id = models.CharField(max_length=40)
    operation = models.CharField(max_length=6, choices=Operation)
    action = models.CharField(max_length=20, choices=Control)
    title = models.CharField(max_length=TITLE_LENGTH_MAX)
    rows = models.JSONField()
    sealed = models.JSONField(default=dict, editable=False)
    reason = models.CharField(max_length=REASON_LENGTH_MAX)
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    maker_label = models.CharField(max_length=140)
    state = FSMField(
        choices=ChangeState.choices, default=ChangeState.PROPOSED, protected=True, max_length=10
    )
    proposed_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    problem = models.CharField(
        max_length=PROBLEM_LENGTH_MAX, blank=True, help_text="Why it was not applied."
    )

    objects: ClassVar[ChangeRequestQuerySet] = ChangeRequestQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "core"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "target", "row_id"],
                condition=Q(state="PROPOSED"),
                name="change_request_one_per_row",
            ),
            models.CheckConstraint(
                name="change_request_state_known", condition=Q(state__in=ChangeState.values)
            ),
            models.CheckConstraint(
                name="change_request_action_known", condition=Q(action__in=Control.values)
            ),
            models.CheckConstraint(name="change_request_has_a_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="change_request_closed_has_time",
                condition=Q(state="PROPOSED", decided_at=None)
                | (~Q(state="PROPOSED") & Q(decided_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def before(self) -> dict[str, Any]:
        """Return the first row's columns as they were."""
        return dict(self.rows[0]["before"])

    @property
    def after(self) -> dict[str, Any]:
        """Return the first row's columns as they shall be."""
        return dict(self.rows[0]["after"])

    @property
    def is_waiting(self) -> bool:
        """Return whether it is still to be decided."""
        return bool(self.state == ChangeState.PROPOSED)

    def _close(self, at: datetime, problem: str = "") -> None:
        self.decided_at = at
        self.problem = problem[:PROBLEM_LENGTH_MAX]

    @transition(state, ChangeState.PROPOSED, ChangeState.APPLIED)
    def apply(self, *, at: datetime) -> None:
        """It was approved and is in force."""
        self._close(at)

    @transition(state, ChangeState.PROPOSED, ChangeState.FAILED)
    def fail(self, *, at: datetime, problem: str) -> None:
        """It was approved, and could not be written any more."""
        self._close(at, problem)

    @transition(state, ChangeState.PROPOSED, ChangeState.REJECTED)
    def reject(self, *, at: datetime, reason: str) -> None:
        """Somebody else said no."""
        self._close(at, reason)

    @transition(state, ChangeState.PROPOSED, ChangeState.CANCELLED)
    def cancel(self, *, at: datetime, reason: str) -> None:
        """It was withdrawn, or its time ran out."""
        self._close(at, reason)


class ChangeDraft(models.Model):
    """What a draft would write, noted by the database; a committed draft is impossible."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    table_name = models.CharField(max_length=63)
    row_id = models.CharField(max_length=40)
    operation = models.CharField(max_length=6, choices=Operation)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        app_label = "core"

    def __str__(self) -> str:
        return f"{self.operation} {self.table_name} {self.row_id}"
