"""What is to be bought to close an exposure: a need as it was reckoned, and deals that meet it."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from fx.models.deals import ACCOUNT, Counterparty, Deal, DealPeriod, DealSide
from fx.models.rates import is_rate, rate_column


def _amount(**options: object) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=20, decimal_places=4, **options)  # type: ignore[arg-type]


class NeedCause(models.TextChoices):
    """Why something is to be bought."""

    EXPOSURE = "EXPOSURE", "open exposure"
    BREACH = "BREACH", "exposure above its cap"
    SHORTFALL = "SHORTFALL", "an account runs short"


class HedgeNeed(TenantModel):
    """What of a currency was to be bought at an instant, and everything it followed from.

    `amount` is what the suggestions close: the larger of the open exposure and the unfunded
    shortfalls, less what is being dealt already and what was left open on purpose. Never changed.
    """

    currency = models.CharField(max_length=3)
    funding = models.CharField(max_length=3)
    day = models.DateField(help_text="The local day of the currency's own centre.")
    cause = models.CharField(max_length=9, choices=NeedCause)
    amount = _amount()
    needed_on = models.DateField(help_text="The first day on which money is missing.")
    required = _amount()
    prefunded = _amount()
    hedged = _amount()
    open_amount = _amount()
    shortfall = _amount(help_text="Transfers that no own account could pay.")
    inventory = _amount(help_text="What other own accounts of the currency can spare.")
    in_works = _amount(help_text="Bought by deals that are not dealt yet.")
    left_open = _amount(help_text="Dismissed by a dealer today.")
    rate = rate_column(help_text="What a deal would get from the market.")
    rate_at = models.DateTimeField()
    rate_source = models.CharField(max_length=40)
    digest = models.CharField(max_length=64, help_text="The same inputs have the same digest.")
    inputs = models.JSONField(help_text="Accounts, cut-offs, limits and policies as they were.")
    computed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            not_negative(
                "hedge_need_amounts", "required", "open_amount", "shortfall", "inventory",
                "in_works", "left_open",
            ),
            finite("hedge_need_signed", "prefunded", "hedged"),
            models.CheckConstraint(
                name="hedge_need_is_positive", condition=Q(amount__gt=0, amount__lt=10**16)
            ),
            models.CheckConstraint(name="hedge_need_rate", condition=is_rate("rate")),
            models.CheckConstraint(
                name="hedge_need_has_two_currencies",
                condition=Q(currency__regex=r"^[A-Z]{3}$", funding__regex=r"^[A-Z]{3}$")
                & ~Q(currency=F("funding")),
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["tenant", "currency", "day"], name="hedge_need_by_day")]

    def __str__(self) -> str:
        return f"{self.currency} {self.day}"


class SuggestionState(models.TextChoices):
    """What became of a suggestion."""

    OPEN = "OPEN", "open"
    TAKEN = "TAKEN", "taken"
    DISMISSED = "DISMISSED", "dismissed"
    SUPERSEDED = "SUPERSEDED", "superseded"
    EXPIRED = "EXPIRED", "expired"


_S = SuggestionState


class DealSuggestion(FSMModelMixin, TenantModel):
    """A deal that would close a part of a need: a dealer makes a draft of it, or says why not.

    `dealt_amount` is exact, `buys` what it brings of the needed currency at `rate`. Nothing is
    dealt by it: a draft goes the way of every deal. A trigger holds the legal edges.
    """

    need = models.ForeignKey(HedgeNeed, on_delete=models.PROTECT, related_name="suggestions")
    currency = models.CharField(max_length=3)
    day = models.DateField()
    part = models.PositiveSmallIntegerField()
    parts = models.PositiveSmallIntegerField()
    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    side = models.CharField(max_length=4, choices=DealSide)
    dealt_currency = models.CharField(max_length=3)
    dealt_amount = _amount()
    buys = _amount()
    rate = rate_column()
    usd_equivalent = _amount()
    trade_date = models.DateField()
    value_date = models.DateField()
    period = models.CharField(max_length=7, choices=DealPeriod)
    dealt_until = models.DateTimeField(help_text="The period's cut-off, or the trading day's end.")
    is_late = models.BooleanField(help_text="It settles after the day on which money is missing.")
    counterparty = models.ForeignKey(
        Counterparty, on_delete=models.PROTECT, null=True, related_name="+"
    )
    headroom_usd = _amount(null=True, help_text="Left with the counterparty before this one.")
    pay_account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, null=True, related_name="+")
    receive_account = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, null=True, related_name="+"
    )
    reason = models.TextField()
    rejected = models.JSONField(default=list, help_text="Other ways, each with why it was not.")
    state = FSMField(choices=SuggestionState.choices, default=_S.OPEN, protected=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="The end of its trading day.")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    closing_reason = models.TextField(blank=True)
    deal = models.OneToOneField(
        Deal, on_delete=models.PROTECT, null=True, related_name="suggestion"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "currency", "part"],
                condition=Q(state="OPEN"),
                name="suggestion_once_open",
            ),
            models.CheckConstraint(
                name="suggestion_amounts_are_positive",
                condition=Q(
                    dealt_amount__gt=0, dealt_amount__lt=10**16, buys__gt=0, buys__lt=10**16,
                    usd_equivalent__gt=0, usd_equivalent__lt=10**16,
                ),
            ),
            finite("suggestion_headroom_is_finite", "headroom_usd"),
            models.CheckConstraint(name="suggestion_rate", condition=is_rate("rate")),
            models.CheckConstraint(
                name="suggestion_part_of_parts",
                condition=Q(part__gte=1, part__lte=F("parts")),
            ),
            models.CheckConstraint(
                name="suggestion_buys_its_currency",
                condition=Q(side="BUY", base=F("currency")) | Q(side="SELL", quote=F("currency")),
            ),
            models.CheckConstraint(
                name="suggestion_has_two_currencies",
                condition=Q(base__regex=r"^[A-Z]{3}$", quote__regex=r"^[A-Z]{3}$")
                & ~Q(base=F("quote"))
                & (Q(dealt_currency=F("base")) | Q(dealt_currency=F("quote"))),
            ),
            models.CheckConstraint(
                name="suggestion_deal_when_taken",
                condition=Q(state="TAKEN", deal__isnull=False) | (~Q(state="TAKEN") & Q(deal=None)),
            ),
            models.CheckConstraint(
                name="suggestion_closed_by_somebody",
                condition=Q(state="OPEN", closed_at=None, closed_by=None, closing_reason="")
                | Q(state__in=("TAKEN", "DISMISSED"), closed_at__isnull=False)
                & Q(closed_by__isnull=False)
                | Q(state__in=("SUPERSEDED", "EXPIRED"), closed_at__isnull=False, closed_by=None),
            ),
            models.CheckConstraint(
                name="suggestion_dismissed_with_reason",
                condition=~Q(state="DISMISSED") | ~Q(closing_reason=""),
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["tenant", "state", "currency"], name="suggestion_by_state")]

    def __str__(self) -> str:
        return f"{self.currency} {self.day} {self.part}/{self.parts}"

    @property
    def pair(self) -> str:
        """Return the pair as the market writes it."""
        return f"{self.base}/{self.quote}"

    @property
    def sold(self) -> str:
        """Return the currency that we would pay."""
        return self.quote if self.side == DealSide.BUY else self.base

    @transition(state, _S.OPEN, _S.TAKEN)
    def take(self, *, at: datetime) -> None:
        """A dealer made a draft of it."""
        self.closed_at = at

    @transition(state, _S.OPEN, _S.DISMISSED)
    def dismiss(self, *, at: datetime, reason: str) -> None:
        """A dealer leaves it open on purpose."""
        self.closed_at, self.closing_reason = at, reason

    @transition(state, _S.OPEN, _S.SUPERSEDED)
    def supersede(self, *, at: datetime, reason: str) -> None:
        """A newer reckoning says otherwise."""
        self.closed_at, self.closing_reason = at, reason

    @transition(state, _S.OPEN, _S.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        """Its trading day ended."""
        self.closed_at, self.closing_reason = at, "The trading day ended."
