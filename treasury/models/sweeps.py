"""Sweeps: what money may go into, who agreed to it beforehand, what was decided and ordered."""

from datetime import datetime
from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from core.money_columns import BOUND, not_negative
from core.tenancy import TenantModel
from treasury.constants import SweepState
from treasury.models.static import BankAccount, LegalEntity

_S = SweepState


class SweepKind(models.TextChoices):
    """How a product takes money and gives it back."""

    OVERNIGHT = "OVERNIGHT", "overnight: back on the next business day"
    BILL = "BILL", "bill: bought below its face, in a ladder of weeks"
    NOTE = "NOTE", "note: interest on top after a fixed term"


class SweepProduct(TenantModel):
    """What excess cash may be swept into; dates follow its own cut-off, zone and calendar.

    `rate` is a yearly share on 360 days, for a bill the discount from its face. Changed by two
    people.
    """

    code = models.CharField(max_length=20)
    name = models.CharField(max_length=70)
    kind = models.CharField(max_length=9, choices=SweepKind)
    cutoff_local = models.TimeField(help_text="The last moment to deal, in its own time zone.")
    timezone = models.CharField(max_length=40)
    calendar = models.CharField(max_length=20, help_text="Code of the calendar it deals by.")
    settlement_days = models.PositiveSmallIntegerField(default=0)
    tenor_days = models.PositiveSmallIntegerField(default=1)
    increment = models.DecimalField(max_digits=20, decimal_places=4, default=Decimal("0.01"))
    minimum = models.DecimalField(max_digits=20, decimal_places=4, default=Decimal(0))
    cap = models.DecimalField(
        max_digits=20,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="Most it may hold of ours.",
    )
    rate = models.DecimalField(max_digits=12, decimal_places=8, default=Decimal(0))
    is_green = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    for_all_companies = models.BooleanField(
        default=False, help_text="Otherwise only for the companies that are named for it."
    )

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="sweep_product_code"),
            models.CheckConstraint(
                name="sweep_product_code_form", condition=Q(code__regex=r"^[A-Z][A-Z0-9_]*$")
            ),
            models.CheckConstraint(
                name="sweep_product_increment_is_positive",
                condition=Q(increment__gt=0, increment__lt=BOUND),
            ),
            not_negative("sweep_product_limits_are_not_negative", "minimum", "cap"),
            models.CheckConstraint(
                name="sweep_product_rate_is_a_share", condition=Q(rate__gt=-1, rate__lt=1)
            ),
            models.CheckConstraint(
                name="sweep_product_tenor_is_positive",
                condition=Q(tenor_days__gte=1, tenor_days__lte=366, settlement_days__lte=10),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class SweepEligibility(TenantModel):
    """A company that may deal in a product. Changed by two people."""

    product = models.ForeignKey(
        SweepProduct, on_delete=models.PROTECT, related_name="eligibilities"
    )
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name_plural = "sweep eligibilities"
        ordering = ["product", "entity"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "product", "entity"], name="sweep_eligibility_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} for {self.entity}"


class SweepMandate(TenantModel):
    """What may be swept from an account without a further approval. Changed by two people.

    An account without a mandate in force is not swept at all; what goes beyond the mandate's
    amounts waits for approval. Without a product it holds for every one.
    """

    name = models.CharField(max_length=70)
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="mandates")
    product = models.ForeignKey(
        SweepProduct, on_delete=models.PROTECT, null=True, blank=True, related_name="mandates"
    )
    order_max = models.DecimalField("most per order", max_digits=20, decimal_places=4)
    day_max = models.DecimalField("most per day", max_digits=20, decimal_places=4)
    valid_from = models.DateField()
    valid_until = models.DateField(help_text="The last day on which it holds.")
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="sweep_mandate_name"),
            not_negative("sweep_mandate_limits_are_not_negative", "order_max", "day_max"),
            models.CheckConstraint(
                name="sweep_mandate_has_a_term", condition=Q(valid_until__gte=F("valid_from"))
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SweepUniverse(TenantModel):
    """The products that decisions could choose from, and the calendars they deal by: kept once.

    `content` is canonical JSON; the records that rest on it name it by its digest. It never
    changes.
    """

    sha256 = models.CharField(max_length=64)
    content = models.TextField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sha256"], name="sweep_universe_once"),
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class SweepDecision(TenantModel):
    """One decision about one account and window: its record says everything, and never changes.

    `record` is canonical JSON of inputs and outcome, `universe_sha256` the digest of the
    `SweepUniverse` that it names (empty where the record holds products and calendars itself);
    `facts_sha256` tells whether a later run rests on other facts.
    """

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="decisions", db_index=False
    )
    cutoff_at = models.DateTimeField()
    day = models.DateField(help_text="The New York day that the window belongs to.")
    sequence = models.PositiveSmallIntegerField(help_text="Counts the decisions of the window.")
    decided_at = models.DateTimeField()
    result = models.CharField(max_length=11)
    branch = models.CharField(max_length=12)
    reason = models.CharField(max_length=40)
    product_code = models.CharField(max_length=20, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=4, default=Decimal(0))
    record = models.TextField()
    record_sha256 = models.CharField(max_length=64)
    facts_sha256 = models.CharField(max_length=64)
    universe_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-decided_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "cutoff_at", "sequence"], name="sweep_decision_once"
            ),
            not_negative("sweep_decision_amount_is_not_negative", "amount"),
            models.CheckConstraint(
                name="sweep_decision_result_is_known",
                condition=Q(result__in=("SWEEP", "NO_SWEEP", "NO_DECISION")),
            ),
            models.CheckConstraint(
                name="sweep_decision_sweeps_an_amount",
                condition=Q(result="SWEEP", amount__gt=0) & ~Q(product_code="")
                | ~Q(result="SWEEP") & Q(amount=0),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-decided_at", "-id"], name="sweep_decision_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.cutoff_at:%Y-%m-%d %H:%M} {self.result}"


class Release(models.TextChoices):
    """What lets an order leave."""

    MANDATE = "MANDATE", "within its mandate"
    WAITING = "WAITING", "waits for approval"
    APPROVED = "APPROVED", "approved"


class Settlement(models.TextChoices):
    """Where the money of an order is, as the account's entries prove it."""

    PENDING = "PENDING", "not booked yet"
    SETTLED = "SETTLED", "out"
    RETURNED = "RETURNED", "back"


class SweepOrder(FSMModelMixin, TenantModel):
    """One order to sweep, as it is signed and sent: `payload` is its exact bytes.

    At most one stands per account, window and part; the database holds the edges, the mandate, the
    approval and that what is signed is what was decided.
    """

    order_id = models.CharField(max_length=21)
    decision = models.OneToOneField(SweepDecision, on_delete=models.PROTECT, related_name="order")
    # Looked for by the tenant's own indexes below.
    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="sweeps", db_index=False
    )
    product = models.ForeignKey(
        SweepProduct, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    mandate = models.ForeignKey(
        SweepMandate, on_delete=models.PROTECT, null=True, related_name="orders", db_index=False
    )
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    line = models.ForeignKey(
        "treasury.SweepLine",
        on_delete=models.PROTECT,
        null=True,
        related_name="orders",
        help_text="Our own bank pays it so; empty: a connector executes it.",
    )
    trace_id = models.UUIDField(
        null=True, help_text="Followed from the balance to the bank's answer."
    )
    cutoff_at = models.DateTimeField()
    day = models.DateField()
    part = models.PositiveSmallIntegerField(default=1)
    settles_on = models.DateField()
    matures_on = models.DateField()
    paid_out = models.DecimalField(max_digits=20, decimal_places=4)
    comes_back = models.DecimalField(max_digits=20, decimal_places=4)
    created_at = models.DateTimeField()
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64)
    release = models.CharField(max_length=8, choices=Release)
    state = FSMField(choices=_S.choices, default=_S.NEW, protected=True)
    reason = models.CharField(max_length=200, blank=True)
    jws = models.TextField(blank=True)
    key_id = models.CharField(max_length=80, blank=True)
    intent_id = models.UUIDField(null=True, help_text="The event that carries it outwards.")
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(help_text="When signing is tried next.")
    sent_at = models.DateTimeField(null=True)
    acked_at = models.DateTimeField(null=True)
    bank_ref = models.CharField(max_length=70, blank=True)
    failed_at = models.DateTimeField(null=True)
    late_ack_at = models.DateTimeField(null=True, help_text="Executed after it had failed here.")
    settlement = models.CharField(max_length=8, choices=Settlement, default=Settlement.PENDING)
    history = HistoricalRecords(bases=[FSMModelMixin, models.Model])

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "order_id"], name="sweep_order_id"),
            models.UniqueConstraint(
                fields=["tenant", "account", "cutoff_at", "part"],
                condition=~Q(state="FAILED"),
                name="sweep_order_stands_once",
            ),
            models.CheckConstraint(
                name="sweep_order_id_form",
                condition=Q(order_id__regex=r"^SWP-\d{4}-\d{2}-\d{2}-\d{4,6}$"),
            ),
            models.CheckConstraint(
                name="sweep_order_amounts_are_positive",
                condition=Q(amount__gt=0, amount__lt=BOUND)
                & Q(paid_out__gt=0, paid_out__lt=BOUND)
                & Q(comes_back__gt=0, comes_back__lt=BOUND),
            ),
            models.CheckConstraint(
                name="sweep_order_comes_back_later", condition=Q(matures_on__gt=F("settles_on"))
            ),
            models.CheckConstraint(
                name="sweep_order_failed_says_why", condition=~Q(state="FAILED") | ~Q(reason="")
            ),
            models.CheckConstraint(
                name="sweep_order_acked_names_the_bank",
                condition=~Q(state="ACK") | Q(acked_at__isnull=False) & ~Q(bank_ref=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "due_at"], condition=Q(state="NEW"), name="sweep_order_due"
            ),
            models.Index(fields=["tenant", "account", "day"], name="sweep_order_of_day"),
            # What people refused is not decided again; hardly any, whatever an account has ordered.
            models.Index(
                fields=["tenant", "account", "cutoff_at"],
                condition=Q(state="FAILED", release="WAITING"),
                name="sweep_order_refused",
            ),
            # What is in a product, or on its way there: every decision writes it down.
            models.Index(
                fields=["tenant", "product", "matures_on"],
                include=["amount"],
                condition=~Q(settlement="RETURNED")
                & (~Q(state="FAILED") | Q(late_ack_at__isnull=False)),
                name="sweep_order_held",
            ),
            # What an account has of it, by the day it comes back.
            models.Index(
                fields=["tenant", "account", "matures_on"],
                include=["product", "amount"],
                condition=~Q(settlement="RETURNED")
                & (~Q(state="FAILED") | Q(late_ack_at__isnull=False)),
                name="sweep_order_ladder",
            ),
            # What a mandate has let through: every order counts it again under its lock.
            models.Index(
                fields=["tenant", "mandate", "day"],
                include=["amount", "id"],
                condition=Q(release="MANDATE")
                & (~Q(state="FAILED") | Q(late_ack_at__isnull=False)),
                name="sweep_order_used",
            ),
            models.Index(
                fields=["tenant", "id"],
                condition=Q(line__isnull=False) & ~Q(settlement="RETURNED"),
                name="sweep_order_paid",
            ),
        ]

    def __str__(self) -> str:
        return self.order_id

    @transition(state, _S.NEW, _S.SENT)
    def send(self, *, at: datetime) -> None:
        """It left for the connector."""
        self.sent_at = at

    @transition(state, _S.SENT, _S.ACK)
    def acknowledge(self, *, at: datetime, bank_ref: str) -> None:
        """The bank has it."""
        self.acked_at, self.bank_ref = at, bank_ref

    @transition(state, [_S.NEW, _S.SENT, _S.ACK], _S.FAILED)
    def fail(self, *, at: datetime, reason: str) -> None:
        """It does not happen, and why."""
        self.failed_at, self.reason = at, reason
