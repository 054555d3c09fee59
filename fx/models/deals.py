"""Counterparties, where they are paid, deals, and what counterparties confirmed."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from core.money_columns import not_negative
from core.tenancy import TenantModel
from fx.models.rates import is_rate, rate_column

ACCOUNT = "treasury.BankAccount"


def _amount(**options: object) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=20, decimal_places=4, **options)  # type: ignore[arg-type]


class Counterparty(TenantModel):
    """A bank we deal with, and how much of it."""

    code = models.SlugField(max_length=20)
    name = models.CharField(max_length=140)
    bic = models.CharField("BIC", max_length=11)
    lei = models.CharField("LEI", max_length=20, blank=True)
    day_usd_max = _amount(
        verbose_name="most a day (USD)", null=True, blank=True, help_text="Empty is no limit."
    )
    settlement_usd_max = _amount(
        verbose_name="most per value date (USD)",
        null=True,
        blank=True,
        help_text="Empty is no limit.",
    )
    tenor_days_max = models.PositiveIntegerField("longest tenor (days)", default=370)
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "counterparties"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="counterparty_code"),
            not_negative("counterparty_limits_are_finite", "day_usd_max", "settlement_usd_max"),
        ]

    def __str__(self) -> str:
        return self.name


class SettlementInstruction(TenantModel):
    """Where a counterparty receives a currency: an account that stands on the list, verified."""

    counterparty = models.ForeignKey(
        Counterparty, on_delete=models.PROTECT, related_name="instructions"
    )
    currency = models.CharField(max_length=3)
    beneficiary = models.ForeignKey(
        "treasury.Beneficiary", on_delete=models.PROTECT, related_name="+"
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["counterparty", "currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "counterparty", "currency"],
                condition=Q(is_active=True),
                name="ssi_once_per_currency",
            ),
            models.CheckConstraint(
                name="ssi_currency_code", condition=Q(currency__regex=r"^[A-Z]{3}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.counterparty} {self.currency}"


class DealState(models.TextChoices):
    """Where a deal stands."""

    DRAFT = "DRAFT", "draft"
    SUBMITTED = "SUBMITTED", "waits for approval"
    APPROVED = "APPROVED", "approved"
    REJECTED = "REJECTED", "rejected"
    EXPIRED = "EXPIRED", "expired"
    EXECUTED = "EXECUTED", "executed"
    CONFIRMED = "CONFIRMED", "confirmed"
    SETTLED = "SETTLED", "settled"
    CANCELLED = "CANCELLED", "cancelled"
    FAILED = "FAILED", "failed to settle"


class DealKind(models.TextChoices):
    """How a deal settles."""

    DELIVERABLE = "DELIVERABLE", "both amounts are paid"
    NDF = "NDF", "non-deliverable: the difference is paid in dollars"


class DealSide(models.TextChoices):
    """What we do with the base currency."""

    BUY = "BUY", "buy"
    SELL = "SELL", "sell"


class DealPeriod(models.TextChoices):
    """How far from the trade it settles."""

    CASH = "CASH", "cash"
    TOM = "TOM", "tom"
    SPOT = "SPOT", "spot"
    FORWARD = "FORWARD", "forward"


_S = DealState
# Once somebody dealt, these say at what rate.
DEALT = (_S.EXECUTED, _S.CONFIRMED, _S.SETTLED, _S.FAILED)


class Deal(FSMModelMixin, TenantModel):
    """We buy or sell `base` against `quote`. The dealt amount is exact, the other one follows.

    `limit_rate` is what is approved, `rate` what was dealt; amounts are at the former until the
    deal is executed. `content_hash` is the database's, over everything that is approved. Only
    services fire transitions; a trigger holds the legal edges.
    """

    reference = models.CharField(max_length=20)
    version = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=11, choices=DealKind, default=DealKind.DELIVERABLE)
    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    side = models.CharField(max_length=4, choices=DealSide)
    dealt_currency = models.CharField(max_length=3)
    base_amount = _amount()
    quote_amount = _amount()
    limit_rate = rate_column()
    rate = rate_column(null=True)
    trade_date = models.DateField()
    value_date = models.DateField()
    settles_on = models.DateField(
        null=True,
        editable=False,
        help_text="The last day on which its money moves; the database keeps it by its legs.",
    )
    period = models.CharField(max_length=7, choices=DealPeriod)
    fixing_date = models.DateField(null=True)
    counterparty = models.ForeignKey(Counterparty, on_delete=models.PROTECT, related_name="deals")
    instruction = models.ForeignKey(
        SettlementInstruction, on_delete=models.PROTECT, null=True, related_name="deals"
    )
    pay_account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    receive_account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    closes = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="close_outs",
        help_text="The deal that this one closes out, in whole or in part.",
    )
    state = FSMField(choices=DealState.choices, default=_S.DRAFT, protected=True)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    why = models.TextField(help_text="What a checker should know.")
    content_hash = models.CharField(max_length=64, editable=False, default="")
    usd_equivalent = _amount(null=True)
    mid_rate = rate_column(null=True, help_text="The middle of the market it was held against.")
    mid_at = models.DateTimeField(null=True)
    mid_source = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(help_text="The end of its trading day.")
    executed_at = models.DateTimeField(null=True)
    executed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    counterparty_reference = models.CharField(max_length=35, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True)
    closing_reason = models.TextField(blank=True)
    history = HistoricalRecords(bases=[FSMModelMixin, models.Model], excluded_fields=["settles_on"])

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "reference"], name="deal_reference"),
            models.CheckConstraint(
                name="deal_amounts_are_positive",
                condition=Q(
                    base_amount__gt=0,
                    base_amount__lt=10**16,
                    quote_amount__gt=0,
                    quote_amount__lt=10**16,
                ),
            ),
            models.CheckConstraint(
                name="deal_limit_rate_is_positive", condition=is_rate("limit_rate")
            ),
            models.CheckConstraint(
                name="deal_rate_is_positive", condition=Q(rate=None) | is_rate("rate")
            ),
            models.CheckConstraint(
                name="deal_mid_is_positive", condition=Q(mid_rate=None) | is_rate("mid_rate")
            ),
            not_negative("deal_worth_is_finite", "usd_equivalent"),
            models.CheckConstraint(
                name="deal_has_two_currencies",
                condition=Q(base__regex=r"^[A-Z]{3}$", quote__regex=r"^[A-Z]{3}$")
                & ~Q(base=F("quote"))
                & (Q(dealt_currency=F("base")) | Q(dealt_currency=F("quote"))),
            ),
            models.CheckConstraint(
                name="deal_dollar_leg_is_its_worth",
                condition=Q(usd_equivalent=None)
                | (~Q(base="USD") & ~Q(quote="USD"))
                | Q(base="USD", usd_equivalent=F("base_amount"))
                | Q(quote="USD", usd_equivalent=F("quote_amount")),
            ),
            models.CheckConstraint(
                name="deal_settles_after_trade", condition=Q(value_date__gte=F("trade_date"))
            ),
            models.CheckConstraint(
                name="deal_ndf_is_fixed_not_paid",
                condition=Q(kind=DealKind.NDF, instruction=None, fixing_date__lt=F("value_date"))
                | Q(kind=DealKind.DELIVERABLE, instruction__isnull=False, fixing_date=None),
            ),
            models.CheckConstraint(
                name="deal_rate_is_known_once_dealt",
                condition=Q(
                    state__in=(*DEALT, _S.CANCELLED),
                    rate__isnull=False,
                    executed_at__isnull=False,
                    executed_by__isnull=False,
                )
                & ~Q(counterparty_reference="")
                | (~Q(state__in=DEALT) & Q(rate=None, executed_at=None, executed_by=None)),
            ),
            models.CheckConstraint(
                name="deal_worth_is_known_once_submitted",
                condition=Q(state__in=(_S.DRAFT, _S.CANCELLED)) | Q(usd_equivalent__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "value_date"], name="deal_by_state"),
            models.Index(fields=["tenant", "counterparty", "trade_date"], name="deal_by_party"),
            # Everything that the worth of open deals asks for, in the order in which they settle.
            models.Index(
                fields=["tenant", "base", "quote", "settles_on", "fixing_date"],
                include=["side", "base_amount", "rate", "executed_at"],
                condition=Q(state__in=(_S.EXECUTED, _S.CONFIRMED, _S.FAILED)),
                name="deal_open",
            ),
            models.Index(
                fields=["tenant", "base", "quote", "fixing_date"],
                include=["executed_at"],
                condition=Q(
                    state__in=(_S.EXECUTED, _S.CONFIRMED, _S.FAILED), fixing_date__isnull=False
                ),
                name="deal_open_ndf",
            ),
            models.Index(
                fields=["tenant", "closed_at"], condition=Q(state=_S.SETTLED), name="deal_settled"
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def pair(self) -> str:
        """Return the pair as the market writes it."""
        return f"{self.base}/{self.quote}"

    @property
    def bought(self) -> str:
        """Return the currency that we receive."""
        return self.base if self.side == DealSide.BUY else self.quote

    @property
    def sold(self) -> str:
        """Return the currency that we pay."""
        return self.quote if self.side == DealSide.BUY else self.base

    @property
    def is_open(self) -> bool:
        """Tell whether it may still be dealt or settled."""
        return self.state not in (_S.REJECTED, _S.EXPIRED, _S.CANCELLED, _S.SETTLED)

    @transition(state, _S.DRAFT, _S.SUBMITTED)
    def submit(self, *, at: datetime) -> None:
        """Ask for approval."""
        self.submitted_at = at

    @transition(state, _S.SUBMITTED, _S.DRAFT)
    def recall(self) -> None:
        """Back to its maker: a new version, whose approval starts anew."""
        self.version += 1

    @transition(state, _S.SUBMITTED, _S.APPROVED)
    def approve(self) -> None:
        """Enough checkers agreed."""

    @transition(state, _S.SUBMITTED, _S.REJECTED)
    def reject(self, *, at: datetime, reason: str) -> None:
        """A checker said no."""
        self._close(at, reason)

    @transition(state, [_S.DRAFT, _S.SUBMITTED, _S.APPROVED], _S.CANCELLED)
    def cancel(self, *, at: datetime, reason: str) -> None:
        """Given up before anything was dealt."""
        self._close(at, reason)

    @transition(state, [_S.SUBMITTED, _S.APPROVED], _S.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        """Its trading day ended."""
        self._close(at, "The trading day ended before it was dealt.")

    @transition(state, _S.APPROVED, _S.EXECUTED)
    def execute(self, *, at: datetime) -> None:
        """Dealt with the counterparty."""
        self.executed_at = at

    @transition(state, [_S.EXECUTED, _S.FAILED], _S.CONFIRMED)
    def confirm(self, *, at: datetime) -> None:
        """The counterparty says the same."""
        self.confirmed_at = at
        self.closed_at, self.closing_reason = None, ""

    @transition(state, [_S.EXECUTED, _S.CONFIRMED, _S.SETTLED], _S.FAILED)
    def fail(self, *, at: datetime, reason: str) -> None:
        """It did not settle."""
        self._close(at, reason)

    @transition(state, _S.FAILED, _S.CONFIRMED)
    def resume(self) -> None:
        """Instructed anew; what the counterparty confirmed still holds."""
        self.closed_at, self.closing_reason = None, ""

    @transition(state, _S.CONFIRMED, _S.SETTLED)
    def settle(self, *, at: datetime) -> None:
        """The bank booked everything that belongs to it."""
        self._close(at, "")

    @transition(state, _S.SETTLED, _S.CONFIRMED)
    def unsettle(self) -> None:
        """An entry that proved it does not count any more."""
        self.closed_at, self.closing_reason = None, ""

    @transition(state, [_S.EXECUTED, _S.CONFIRMED, _S.FAILED], _S.CANCELLED)
    def cancel_dealt(self, *, at: datetime, reason: str) -> None:
        """Both sides agree that it is none."""
        self._close(at, reason)

    def _close(self, at: datetime, reason: str) -> None:
        self.closed_at = at
        self.closing_reason = reason


class DealConfirmation(TenantModel):
    """What the counterparty said about a deal, and how it differs; never changed."""

    deal = models.ForeignKey(Deal, on_delete=models.PROTECT, related_name="confirmations")
    base_amount = _amount()
    quote_amount = _amount()
    rate = rate_column()
    value_date = models.DateField()
    side = models.CharField(max_length=4, choices=DealSide, help_text="Seen from us.")
    pair = models.CharField(max_length=7)
    counterparty_reference = models.CharField(max_length=35)
    matches = models.BooleanField()
    differences = models.JSONField(default=list)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    entered_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            not_negative("deal_confirmation_amounts", "base_amount", "quote_amount"),
            models.CheckConstraint(name="deal_confirmation_rate", condition=is_rate("rate")),
        ]

    def __str__(self) -> str:
        return f"{self.deal} {'matches' if self.matches else 'differs'}"
