"""Moving our own money: shortfalls, proposals, and the transfers that approval sets free."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from treasury.constants import ProposalState
from treasury.models.beneficiaries import Beneficiary
from treasury.models.parts import EntryPart
from treasury.models.statements import BankEntry
from treasury.models.static import BankAccount


class Purpose(models.TextChoices):
    """Why money moves."""

    RDA_PREFUND = "RDA_PREFUND", "nostro prefunding"
    MANUAL = "MANUAL", "manual transfer"
    TOP_UP = "TOP_UP", "top-up of a prefunding"
    FX_SETTLEMENT = "FX_SETTLEMENT", "fx settlement"
    SWEEP = "SWEEP", "sweep"
    POOL = "POOL", "cash pooling"


class ChargeBearer(models.TextChoices):
    """Who pays the banks."""

    DEBT = "DEBT", "ours: the full amount arrives"
    SHAR = "SHAR", "shared"
    SLEV = "SLEV", "as the scheme says"


_S = ProposalState


class Proposal(FSMModelMixin, TenantModel):
    """A proposal to move money from an account of ours to another one, or to a beneficiary.

    `content_hash` is computed by the database over everything that will be sent; approvals are
    given to that hash. Only services fire transitions; a trigger holds the legal edges.
    """

    reference = models.CharField(max_length=35)
    version = models.PositiveIntegerField(default=1)
    purpose = models.CharField(max_length=14, choices=Purpose)
    debit_account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="+")
    credit_account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, null=True, related_name="+"
    )
    beneficiary = models.ForeignKey(
        Beneficiary, on_delete=models.PROTECT, null=True, related_name="proposals"
    )
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    currency = models.CharField(max_length=3)
    rail = models.CharField(max_length=12)
    charge_bearer = models.CharField(max_length=4, choices=ChargeBearer, default=ChargeBearer.DEBT)
    value_date = models.DateField()
    cutoff_at = models.DateTimeField(help_text="The last instant at which it can still be sent.")
    state = FSMField(choices=ProposalState.choices, default=_S.DRAFT, protected=True)
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    maker_label = models.CharField(max_length=80)
    why = models.TextField(help_text="What a checker should know.")
    content_hash = models.CharField(max_length=64, editable=False, default="")
    order_seal = models.CharField(
        max_length=64,
        editable=False,
        default="",
        help_text="Digest of the order as submitted; only an order of this digest can leave.",
    )
    usd_equivalent = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closing_reason = models.TextField(blank=True)
    history = HistoricalRecords(bases=[FSMModelMixin, models.Model])

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "reference"], name="proposal_reference"),
            models.CheckConstraint(
                name="proposal_amount_is_positive",
                condition=Q(amount__gt=0, amount__lt=10**16),
            ),
            not_negative("proposal_worth_is_finite", "usd_equivalent"),
            models.CheckConstraint(
                name="proposal_accounts_differ", condition=~Q(debit_account=F("credit_account"))
            ),
            models.CheckConstraint(
                name="proposal_pays_exactly_one",
                condition=Q(credit_account__isnull=True, beneficiary__isnull=False)
                | Q(credit_account__isnull=False, beneficiary__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "cutoff_at"], name="proposal_by_state"),
            models.Index(fields=["tenant", "submitted_at"], name="proposal_by_submission"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def payee(self) -> str:
        """Return who gets the money, in a word."""
        return self.credit_account.label if self.credit_account else str(self.beneficiary)

    @property
    def payee_bank(self) -> str:
        """Return the bank that the money goes to."""
        if self.credit_account:
            return self.credit_account.bank.name
        return self.beneficiary.bank_words if self.beneficiary else ""

    @property
    def payee_hint(self) -> str:
        """Return the last digits of the account that is credited."""
        target = self.credit_account or self.beneficiary
        return target.number_hint if target else ""

    @transition(state, _S.DRAFT, _S.PENDING)
    def submit(self, *, at: datetime) -> None:
        """Ask for approval."""
        self.submitted_at = at

    @transition(state, _S.PENDING, _S.PENDING)
    def amend(self, *, at: datetime) -> None:
        """Change what is proposed: a new version, whose approval starts anew."""
        self.version += 1
        self.submitted_at = at

    @transition(state, _S.PENDING, _S.APPROVED)
    def approve(self) -> None:
        """Enough checkers agreed."""

    @transition(state, _S.PENDING, _S.REJECTED)
    def reject(self, *, at: datetime, reason: str) -> None:
        """A checker said no."""
        self._close(at, reason)

    @transition(state, [_S.DRAFT, _S.PENDING, _S.APPROVED], _S.CANCELLED)
    def cancel(self, *, at: datetime, reason: str) -> None:
        """Withdrawn before anything was sent."""
        self._close(at, reason)

    @transition(state, [_S.PENDING, _S.APPROVED], _S.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        """The cut-off passed."""
        self._close(at, "The cut-off passed before it was sent.")

    @transition(state, [_S.APPROVED, _S.FAILED], _S.EXECUTING)
    def execute(self) -> None:
        """One worker takes it to the bank."""

    @transition(state, _S.EXECUTING, _S.SENT)
    def mark_sent(self) -> None:
        """The bank has it."""

    @transition(state, [_S.SENT, _S.FAILED], _S.CONFIRMED)
    def confirm(self) -> None:
        """The bank says it is done, maybe after it had said the opposite."""
        self.closed_at, self.closing_reason = None, ""

    @transition(state, _S.CONFIRMED, _S.SETTLED)
    def settle(self, *, at: datetime) -> None:
        """Both sides were seen on statements."""
        self._close(at, "Settled.")

    @transition(state, [_S.EXECUTING, _S.SENT], _S.FAILED)
    def fail(self, *, at: datetime, reason: str) -> None:
        """The bank refused it; no money moved."""
        self._close(at, reason)

    @transition(state, [_S.CONFIRMED, _S.SETTLED], _S.RETURNED)
    def bounce(self, *, at: datetime, reason: str) -> None:
        """The money came back."""
        self._close(at, reason)

    def _close(self, at: datetime, reason: str) -> None:
        self.closed_at = at
        self.closing_reason = reason


def _proofs(side: str) -> tuple[models.BaseConstraint, models.BaseConstraint]:
    """An entry proves one transfer; one that books a batch proves one with each of its parts."""
    entry, part = f"{side}_entry", f"{side}_part"
    return (
        models.UniqueConstraint(
            fields=["tenant", entry],
            condition=Q(**{f"{part}__isnull": True}),
            name=f"transfer_{side}_alone",
        ),
        models.CheckConstraint(
            name=f"transfer_{side}_part_has_entry",
            condition=Q(**{f"{part}__isnull": True}) | Q(**{f"{entry}__isnull": False}),
        ),
    )


class Transfer(TenantModel):
    """The one transfer that an approved proposal sets free: identifiers, clocks, bank status.

    The life-cycle state is the proposal's. `bank_status_rank` never falls: a late, weaker status
    changes nothing. `outcome_unknown_since` is set while nobody knows whether the bank has it.
    """

    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="transfer")
    end_to_end_id = models.CharField(max_length=35)
    uetr = models.CharField("UETR", max_length=36)
    attempt = models.PositiveSmallIntegerField(default=0)
    message_id = models.UUIDField(null=True, help_text="The archived pain.001 that carried it.")
    trace_id = models.UUIDField(null=True, help_text="What its news belongs to.")
    bank_status = models.CharField(max_length=4, blank=True)
    bank_status_rank = models.SmallIntegerField(default=0)
    bank_reference = models.CharField(max_length=70, blank=True)
    reason_code = models.CharField(max_length=10, blank=True)
    outcome_unknown_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    sla_due_at = models.DateTimeField(null=True)
    sla_breached_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    debit_entry = models.ForeignKey(
        BankEntry, on_delete=models.PROTECT, null=True, related_name="+"
    )
    credit_entry = models.ForeignKey(
        BankEntry, on_delete=models.PROTECT, null=True, related_name="+"
    )
    return_entry = models.ForeignKey(
        BankEntry, on_delete=models.PROTECT, null=True, related_name="+"
    )
    debit_part = models.OneToOneField(
        EntryPart, on_delete=models.PROTECT, null=True, related_name="+"
    )
    credit_part = models.OneToOneField(
        EntryPart, on_delete=models.PROTECT, null=True, related_name="+"
    )
    return_part = models.OneToOneField(
        EntryPart, on_delete=models.PROTECT, null=True, related_name="+"
    )
    disputed_since = models.DateTimeField(
        null=True, help_text="Since when the bank's answers contradict each other."
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "end_to_end_id"], name="transfer_end_to_end"),
            models.UniqueConstraint(fields=["tenant", "uetr"], name="transfer_uetr"),
            models.CheckConstraint(
                name="transfer_uetr_is_version_4",
                condition=Q(
                    uetr__regex=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
                ),
            ),
            *(proof for side in ("debit", "credit", "return") for proof in _proofs(side)),
        ]

    def __str__(self) -> str:
        return self.end_to_end_id


class TransferStatus(TenantModel):
    """One thing a bank said about a transfer, in the order we heard it; append-only.

    `attempt` is the one it speaks about; 0 says that the bank named none, or an older row.
    """

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="statuses")
    attempt = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=4)
    reason_code = models.CharField(max_length=10, blank=True)
    words = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=10)
    message_id = models.UUIDField(null=True)
    changed_state = models.BooleanField()
    heard_at = models.DateTimeField()
    said_at = models.DateTimeField(null=True, help_text="The bank's own time.")
    held_by = models.CharField(max_length=11, blank=True, help_text="BIC of who has the money.")
    charge = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    charge_currency = models.CharField(max_length=3, blank=True)
    event_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "transfer statuses"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "event_id"], condition=~Q(event_id=""), name="status_event_once"
            ),
            not_negative("status_charge_is_not_negative", "charge"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.source}"


class PrefundingRequest(TenantModel):
    """The one prefunding of a currency on its local day. The unique key is the promise."""

    currency = models.CharField(max_length=3)
    local_date = models.DateField(help_text="The date in the currency's own centre.")
    purpose = models.CharField(max_length=14, choices=Purpose, default=Purpose.RDA_PREFUND)
    sequence = models.PositiveSmallIntegerField(
        default=1, help_text="Above one only after a person re-armed the day, with a reason."
    )
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="+")
    need_date = models.DateField()
    required = models.DecimalField(max_digits=20, decimal_places=4)
    available = models.DecimalField(max_digits=20, decimal_places=4)
    shortfall = models.DecimalField(max_digits=20, decimal_places=4)
    transfer_amount = models.DecimalField(max_digits=20, decimal_places=4)
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="prefunding"
    )
    problem = models.TextField(blank=True, help_text="Why no proposal could be made.")
    event_id = models.UUIDField()
    rearm_reason = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "currency", "local_date", "purpose", "sequence"],
                name="prefunding_once_per_currency_and_day",
            ),
            not_negative(
                "prefunding_amounts_are_not_negative", "required", "shortfall", "transfer_amount"
            ),
            finite("prefunding_available_is_finite", "available"),
            models.CheckConstraint(
                name="prefunding_rearmed_with_a_reason",
                condition=Q(sequence=1) | ~Q(rearm_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.local_date}"


class SuppressedShortfall(TenantModel):
    """A further shortfall of the same currency and day: kept, with a hint when a top-up is due."""

    request = models.ForeignKey(
        PrefundingRequest, on_delete=models.PROTECT, related_name="suppressed"
    )
    event_id = models.UUIDField()
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="+")
    shortfall = models.DecimalField(max_digits=20, decimal_places=4)
    transfer_amount = models.DecimalField(max_digits=20, decimal_places=4)
    top_up_advised = models.BooleanField()
    top_up = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="tops_up"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "event_id"], name="suppressed_once"),
            not_negative("suppressed_amounts_are_not_negative", "shortfall", "transfer_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.request} {self.shortfall}"


class ReferenceCounter(TenantModel):
    """The next number of a kind of reference; its row lock makes numbers unique and gapless."""

    kind = models.CharField(max_length=12)
    last = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "kind"], name="counter_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.last}"
