"""Rules, requests and decisions: what may exist. The database guards every line of it."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from approvals.constants import (
    ESCALATION_LEVEL_MAX,
    REASON_LENGTH_MAX,
    REQUIRED_COUNT_MAX,
    REQUIRED_COUNT_SUM_MAX,
    STEP_MAX,
    TITLE_LENGTH_MAX,
)
from core.identity.proofs import StepUp
from core.identity.roles import TREASURY_CHECKER, TREASURY_MANAGER
from core.money_columns import not_negative
from core.tenancy import TenantModel


class CheckerRole(models.TextChoices):
    """Whose approvals count; a manager counts as a checker, never the other way round."""

    CHECKER = TREASURY_CHECKER, "checker"
    MANAGER = TREASURY_MANAGER, "manager"


class ApprovalRule(TenantModel):
    """How many people must approve. Rows are only added, and all that fit must be satisfied.

    Rules of one step overlap: the greatest count per role over the rules that fit is needed.
    Rules of different steps add up: each step takes further people, one after the other.
    """

    action = models.CharField(max_length=60, blank=True, help_text="Empty: every action.")
    amount_above_usd = models.DecimalField(
        max_digits=20,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="Strictly above this USD-equivalent; empty: always.",
    )
    currency = models.CharField(max_length=3, blank=True, help_text="Empty: every currency.")
    rail = models.CharField(max_length=20, blank=True, help_text="Empty: every rail.")
    entity = models.UUIDField(null=True, blank=True, help_text="Empty: every legal entity.")
    step = models.PositiveSmallIntegerField(
        default=1, help_text="Approvals of a step count once the earlier steps are satisfied."
    )
    required_count = models.PositiveSmallIntegerField()
    role = models.CharField(max_length=40, choices=CheckerRole.choices, default=CheckerRole.CHECKER)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["action", F("amount_above_usd").asc(nulls_first=True), "id"]
        constraints = [
            models.CheckConstraint(
                name="approval_rule_count_in_range",
                condition=Q(required_count__gte=1, required_count__lte=REQUIRED_COUNT_MAX),
            ),
            models.CheckConstraint(
                name="approval_rule_role_checks", condition=Q(role__in=CheckerRole.values)
            ),
            models.CheckConstraint(
                name="approval_rule_step_in_range",
                condition=Q(step__gte=1, step__lte=STEP_MAX),
            ),
            models.UniqueConstraint(
                fields=[
                    "tenant", "action", "amount_above_usd", "currency", "rail", "entity", "step",
                    "role", "required_count",
                ],
                nulls_distinct=False,
                name="approval_rule_once",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        limit = f" above {self.amount_above_usd:,.2f} USD" if self.amount_above_usd else ""
        step = f", step {self.step}" if self.step > 1 else ""
        return f"{self.required_count} {self.role}{limit}{step}"


class RequestState(models.TextChoices):
    """Where a request stands."""

    PENDING = "PENDING", "pending"
    APPROVED = "APPROVED", "approved"
    REJECTED = "REJECTED", "rejected"
    CANCELLED = "CANCELLED", "cancelled"
    EXPIRED = "EXPIRED", "expired"
    VOIDED = "VOIDED", "voided"
    RETURNED = "RETURNED", "returned for changes"


LIVE = [RequestState.PENDING, RequestState.APPROVED]


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    """Requests, in the words of the desk."""

    def locked(self) -> Self:
        """Hold the rows until the transaction ends: decisions queue up behind this lock."""
        return self.select_for_update(of=("self",))

    def pending(self) -> Self:
        """Return the requests that wait for checkers."""
        return self.filter(state=RequestState.PENDING)

    def of_subject(self, subject_type: str, subject_id: object) -> Self:
        """Return all versions' requests of one subject."""
        return self.filter(subject_type=subject_type, subject_id=subject_id)

    def open_at(self, now: datetime) -> Self:
        """Return the pending requests whose cut-off has not passed."""
        return self.pending().filter(Q(cutoff_at=None) | Q(cutoff_at__gt=now))

    def overdue(self, now: datetime) -> Self:
        """Return the pending requests whose cut-off has passed."""
        return self.pending().filter(cutoff_at__lte=now)

    def to_escalate(self, now: datetime) -> Self:
        """Return the open requests whose next escalation is due."""
        return self.open_at(now).filter(next_escalation_at__lte=now)


class ApprovalRequest(FSMModelMixin, TenantModel):
    """One version of one subject, exactly as it waits to be approved.

    `content_hash`, `submitted_by`, `involved_persons`, `recorded_at`, `managers_from_level` and the
    lower bounds of the counts are set by the database. `usd_rate` is USD for one unit of the
    currency.
    """

    action = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=60)
    subject_id = models.UUIDField()
    subject_version = models.PositiveIntegerField()
    title = models.CharField(max_length=TITLE_LENGTH_MAX)
    content = models.JSONField()
    content_hash = models.CharField(max_length=64, editable=False)
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    maker_label = models.CharField(max_length=140)
    submitted_by = models.CharField(max_length=120, editable=False)
    involved_persons = ArrayField(
        models.CharField(max_length=40),
        default=list,
        help_text="Persons who made, edited or triggered it: none of them may check it.",
    )
    amount = models.DecimalField(
        max_digits=20, decimal_places=4, null=True, help_text="Empty: it is not about money."
    )
    currency = models.CharField(max_length=3, blank=True)
    rail = models.CharField(max_length=20, blank=True)
    entity = models.UUIDField(null=True, help_text="The legal entity that it is about.")
    usd_equivalent = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    usd_rate = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    usd_rate_at = models.DateTimeField(null=True)
    flags = models.JSONField(
        default=list, help_text="What its checkers should know: code, words, severity."
    )
    break_glass = models.JSONField(
        null=True, help_text="Incident and reason, when it goes over broken glass."
    )
    required_count = models.PositiveSmallIntegerField()
    required_manager_count = models.PositiveSmallIntegerField(default=0)
    needs = models.JSONField(
        default=list, help_text="What is needed in each step: count and manager_count, in order."
    )
    policy_snapshot = models.JSONField()
    state = FSMField(
        choices=RequestState.choices, default=RequestState.PENDING, protected=True, max_length=10
    )
    submitted_at = models.DateTimeField()
    recorded_at = models.DateTimeField(
        null=True, editable=False, help_text="Submitted, by the clock of the database."
    )
    cutoff_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    escalation_interval = models.DurationField()
    escalation_level = models.PositiveSmallIntegerField(default=0)
    escalated_at = models.DateTimeField(null=True, help_text="When its present level was reached.")
    next_escalation_at = models.DateTimeField(null=True)
    managers_from_level = models.PositiveSmallIntegerField(
        default=0,
        editable=False,
        help_text="From this level on managers may approve it too; set by the database.",
    )
    reason = models.CharField(max_length=REASON_LENGTH_MAX, blank=True)
    history = HistoricalRecords(bases=[FSMModelMixin, models.Model])

    objects: ClassVar[ApprovalRequestQuerySet] = ApprovalRequestQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subject_type", "subject_id", "subject_version"],
                name="approval_request_per_version",
            ),
            models.UniqueConstraint(
                fields=["tenant", "subject_type", "subject_id"],
                condition=Q(state="PENDING"),
                name="approval_request_one_pending",
            ),
            not_negative("approval_request_worth_is_not_negative", "usd_equivalent", "usd_rate"),
            models.CheckConstraint(
                name="approval_request_state_known", condition=Q(state__in=RequestState.values)
            ),
            models.CheckConstraint(
                name="approval_request_count_in_range",
                condition=Q(required_count__gte=1, required_count__lte=REQUIRED_COUNT_SUM_MAX)
                & Q(required_manager_count__lte=REQUIRED_COUNT_SUM_MAX),
            ),
            models.CheckConstraint(
                name="approval_request_escalation_in_range",
                condition=Q(escalation_level__lte=ESCALATION_LEVEL_MAX),
            ),
            models.CheckConstraint(
                name="approval_request_closed_has_time",
                condition=Q(state="PENDING", decided_at=None)
                | (~Q(state="PENDING") & Q(decided_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="approval_request_currency_code",
                condition=Q(currency__regex="^[A-Z]{3}$") | Q(currency="", amount=None),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "cutoff_at"],
                condition=Q(state="PENDING"),
                name="approval_request_pending",
            ),
            models.Index(
                fields=["tenant", "next_escalation_at"],
                condition=Q(state="PENDING"),
                name="approval_request_to_escalate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.subject_version})"

    @property
    def is_pending(self) -> bool:
        """Return whether checkers may still decide."""
        return bool(self.state == RequestState.PENDING)

    def is_past_cutoff(self, now: datetime) -> bool:
        """Return whether the cut-off has passed at `now`."""
        return self.cutoff_at is not None and now >= self.cutoff_at

    def _close(self, at: datetime, reason: str) -> None:
        self.decided_at = at
        self.reason = reason
        self.next_escalation_at = None

    @transition(state, RequestState.PENDING, RequestState.APPROVED)
    def approve(self, *, at: datetime) -> None:
        """Enough different people approved."""
        self._close(at, "")

    @transition(state, RequestState.PENDING, RequestState.REJECTED)
    def reject(self, *, at: datetime, reason: str) -> None:
        """One checker said no."""
        self._close(at, reason)

    @transition(state, RequestState.PENDING, RequestState.RETURNED)
    def send_back(self, *, at: datetime, reason: str) -> None:
        """One checker asked for changes."""
        self._close(at, reason)

    @transition(state, LIVE, RequestState.CANCELLED)
    def cancel(self, *, at: datetime, reason: str) -> None:
        """Its maker withdrew it, or somebody stopped it."""
        self._close(at, reason)

    @transition(state, LIVE, RequestState.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        """Its cut-off passed."""
        self._close(at, "The cut-off passed.")

    @transition(state, LIVE, RequestState.VOIDED)
    def void(self, *, at: datetime, reason: str) -> None:
        """A newer version replaces it."""
        self._close(at, reason)


class Outcome(models.TextChoices):
    """What a checker decided."""

    APPROVE = "APPROVE", "approve"
    REJECT = "REJECT", "reject"
    CHANGES = "CHANGES", "request changes"


class DecisionList(TenantModel):
    """Requests that one person approves together: one second factor for exactly this list.

    The proof is bound to the digest of the sorted hashes, which the database computes again for
    each decision. `content_hashes` are sorted, and `made_at` is set, by the database.
    """

    checker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    step_up = models.ForeignKey(StepUp, on_delete=models.PROTECT, related_name="+")
    content_hashes = ArrayField(models.CharField(max_length=64))
    made_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "step_up"], name="decision_list_per_step_up"),
        ]

    def __str__(self) -> str:
        return f"{len(self.content_hashes)} requests, {self.checker}"


class Decision(TenantModel):
    """One person's decision on exactly one content; rows are only ever added.

    `maker`, `checker_person`, `as_role` and `on_behalf_of` are copied by the database.
    """

    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="decisions")
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    checker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    checker_person = models.CharField(max_length=40, editable=False)
    as_role = models.CharField(max_length=40, choices=CheckerRole.choices, editable=False)
    step_up = models.ForeignKey(
        StepUp,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The second factor that was shown for exactly this content.",
    )
    listed = models.ForeignKey(
        DecisionList,
        on_delete=models.PROTECT,
        null=True,
        related_name="decisions",
        help_text="The list that its second factor was shown for; empty: for its own content.",
    )
    delegation = models.ForeignKey(
        "approvals.Delegation", on_delete=models.PROTECT, null=True, related_name="+"
    )
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    acknowledged = ArrayField(
        models.CharField(max_length=60),
        default=list,
        help_text="Codes of the flags that the checker acknowledged.",
    )
    recorded_at = models.DateTimeField(
        null=True, editable=False, help_text="By the clock of the database, which sets it."
    )
    position = models.PositiveSmallIntegerField(
        default=0,
        editable=False,
        help_text="In which order the decisions came; set by the database.",
    )
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    reason = models.CharField(max_length=REASON_LENGTH_MAX, blank=True)
    content_hash = models.CharField(max_length=64)
    auth_method = models.CharField(max_length=40)
    auth_at = models.DateTimeField(null=True)
    ip = models.GenericIPAddressField(null=True)
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="decision_maker_is_not_checker",
                condition=Q(maker=None) | ~Q(maker=F("checker")),
            ),
            models.UniqueConstraint(
                fields=["tenant", "request", "checker"], name="decision_once_per_checker"
            ),
            models.UniqueConstraint(
                fields=["tenant", "request", "checker_person"], name="decision_once_per_person"
            ),
            models.UniqueConstraint(
                fields=["tenant", "step_up"],
                condition=Q(listed=None),
                name="decision_one_per_step_up",
            ),
            models.CheckConstraint(
                name="decision_outcome_known", condition=Q(outcome__in=Outcome.values)
            ),
            models.CheckConstraint(
                name="decision_reject_has_reason",
                condition=Q(outcome="APPROVE") | ~Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} by {self.checker_id}"
