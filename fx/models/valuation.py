"""Points and interest as sources said them; what open deals were worth each day; profit and loss.

Nothing here is ever changed: a mistake is put right by a new row that says so.
"""

from decimal import Decimal
from typing import Final

from django.db import models
from django.db.models import F, Q

from core.money_columns import finite
from core.tenancy import TenantModel
from fx.engine.valuation import Gap
from fx.models.deals import Deal
from fx.models.rates import RateDelivery, RateSource, is_rate, rate_column

POINTS_BOUND: Final = Decimal(10_000_000)
INTEREST_BOUND: Final = Decimal(10)
FACTOR_BOUND: Final = Decimal(10_000_000)
_CURRENCY: Final = r"^[A-Z]{3}$"
_TENOR: Final = r"^(ON|TN|SN|[1-9][0-9]{0,2}[DWMY])$"


def _amount(**options: object) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=20, decimal_places=4, **options)  # type: ignore[arg-type]


def _factor(**options: object) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=23, decimal_places=16, **options)  # type: ignore[arg-type]


def _points() -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=12, decimal_places=4)


class ForwardPoint(TenantModel):
    """What a source said that a tenor of a pair costs, in pips, signed; never changed."""

    source = models.ForeignKey(RateSource, on_delete=models.PROTECT, related_name="+")
    delivery = models.ForeignKey(RateDelivery, on_delete=models.PROTECT, related_name="points")
    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    tenor = models.CharField(max_length=4)
    bid = _points()
    ask = _points()
    as_of = models.DateTimeField()

    class Meta:
        ordering = ["-as_of", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "source", "base", "quote", "tenor", "as_of"],
                name="points_per_instant",
            ),
            finite("points_are_finite", "bid", "ask", bound=POINTS_BOUND),
            models.CheckConstraint(name="points_sides_in_order", condition=Q(bid__lte=F("ask"))),
            models.CheckConstraint(
                name="points_have_pair_and_tenor",
                condition=Q(base__regex=_CURRENCY, quote__regex=_CURRENCY, tenor__regex=_TENOR)
                & ~Q(base=F("quote")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "base", "quote", "tenor", "-as_of"], name="points_newest"
            )
        ]

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.tenor} {self.bid}–{self.ask}"


class InterestRate(TenantModel):
    """What a source said that a currency's money costs a year, 0.04 is 4 %; never changed."""

    source = models.ForeignKey(RateSource, on_delete=models.PROTECT, related_name="+")
    delivery = models.ForeignKey(RateDelivery, on_delete=models.PROTECT, related_name="interest")
    currency = models.CharField(max_length=3)
    tenor = models.CharField(max_length=4)
    rate = models.DecimalField(max_digits=9, decimal_places=8)
    as_of = models.DateTimeField()

    class Meta:
        ordering = ["-as_of", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "source", "currency", "tenor", "as_of"],
                name="interest_per_instant",
            ),
            finite("interest_is_finite", "rate", bound=INTEREST_BOUND),
            models.CheckConstraint(
                name="interest_has_currency_and_tenor",
                condition=Q(currency__regex=_CURRENCY, tenor__regex=_TENOR),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "currency", "tenor", "-as_of"], name="interest_newest")
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.tenor} {self.rate}"


GAPS: Final = [
    (Gap.NO_SPOT.value, "no rate of the pair, or of its dollars"),
    (Gap.NO_CURVE.value, "no points or interest lead to the date"),
    (Gap.CURVE_ENDS.value, "the curve ends before the date"),
    (Gap.NO_INTEREST.value, "no interest to discount with"),
    (Gap.NO_FIXING.value, "fixed, but nobody said at what rate"),
    (Gap.NO_CALENDAR.value, "a calendar does not reach the date"),
]


class RevaluationRun(TenantModel):
    """All open deals valued for a day; a later version restates the day, the earlier one stays.

    `marked_at` is the instant whose market was taken. Totals are those of its rows, which the
    database checks; deals that could not be valued are counted, and not in the totals.
    """

    day = models.DateField()
    version = models.PositiveIntegerField(default=1)
    marked_at = models.DateTimeField()
    made_at = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True, help_text="Why the day was restated.")
    deals_count = models.PositiveIntegerField()
    missing_count = models.PositiveIntegerField(help_text="Deals without a value.")
    stale_count = models.PositiveIntegerField(help_text="Deals valued by an old market.")
    unrealised_usd = _amount()

    class Meta:
        ordering = ["-day", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "day", "version"], name="revaluation_once_a_day_and_version"
            ),
            finite("revaluation_total_is_finite", "unrealised_usd"),
            models.CheckConstraint(
                name="revaluation_counts_are_parts",
                condition=Q(missing_count__lte=F("deals_count"), stale_count__lte=F("deals_count")),
            ),
            models.CheckConstraint(
                name="revaluation_restated_for_a_reason",
                condition=Q(version=1, reason="") | (Q(version__gt=1) & ~Q(reason="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day}" if self.version == 1 else f"{self.day}, version {self.version}"

    @property
    def valued_count(self) -> int:
        """Return how many deals have a value."""
        return int(self.deals_count - self.missing_count)


class DealValuation(TenantModel):
    """What one deal was worth in a run and by which market, or why that is not known.

    `usd_rate` is the dollars for a unit of the quote currency, for an NDF for one of the base.
    """

    # Both are found by the indexes below, which begin with the tenant as every question does.
    run = models.ForeignKey(
        RevaluationRun, on_delete=models.PROTECT, db_index=False, related_name="valuations"
    )
    deal = models.ForeignKey(
        Deal, on_delete=models.PROTECT, db_index=False, related_name="valuations"
    )
    spot = rate_column(null=True)
    forward = rate_column(null=True)
    discount = _factor(null=True)
    usd_rate = _factor(null=True)
    market_at = models.DateTimeField(null=True, help_text="The oldest part of its spot.")
    sources = models.CharField(max_length=80, blank=True)
    is_stale = models.BooleanField(default=False)
    gap = models.CharField(max_length=11, choices=GAPS, blank=True)
    pnl_quote = _amount(null=True)
    pnl_usd = _amount(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run", "deal"], name="valuation_once_a_run"),
            models.CheckConstraint(
                name="valuation_rates_are_positive",
                condition=(Q(spot=None) | is_rate("spot")) & (Q(forward=None) | is_rate("forward")),
            ),
            models.CheckConstraint(
                name="valuation_factors_are_positive",
                condition=(Q(discount=None) | Q(discount__gt=0, discount__lt=FACTOR_BOUND))
                & (Q(usd_rate=None) | Q(usd_rate__gt=0, usd_rate__lt=FACTOR_BOUND)),
            ),
            finite("valuation_profit_is_finite", "pnl_quote", "pnl_usd"),
            models.CheckConstraint(
                name="valuation_is_whole_or_says_why_not",
                condition=Q(
                    gap="",
                    spot__isnull=False,
                    forward__isnull=False,
                    discount__isnull=False,
                    usd_rate__isnull=False,
                    market_at__isnull=False,
                    pnl_quote__isnull=False,
                    pnl_usd__isnull=False,
                )
                | (~Q(gap="") & Q(pnl_quote=None, pnl_usd=None, is_stale=False)),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "deal", "run"], name="valuation_of_deal")]

    def __str__(self) -> str:
        return f"{self.pnl_usd} USD" if not self.gap else str(self.get_gap_display())


class PnlKind(models.TextChoices):
    """What an entry of profit and loss says."""

    UNREALISED = "UNREALISED", "unrealised"
    REVERSAL = "REVERSAL", "reversal"
    REALISED = "REALISED", "realised"
    DIFFERENCE = "DIFFERENCE", "difference of a receipt"
    TAKEN_BACK = "TAKEN_BACK", "difference taken back"


# What follows each other for a deal; a difference of a receipt stands beside it.
_COUNTED = (PnlKind.UNREALISED, PnlKind.REALISED)


class PnlEntry(TenantModel):
    """Profit or loss of a deal in dollars as it was booked on a day; never changed.

    What was booked is reversed before the next value, or the realised result, is booked: all
    entries of a deal add up to what it is worth now, in the end to what it brought. `earlier` is
    what a reversal reverses, and what an unrealised or realised one follows; those are counted by
    `number`, which a reversal shares with what it reverses. What two people accepted in place of an
    agreed receipt is booked beside that, with the number nought, and taken back once it does not
    hold; of a net with the deal whose leg brings most.
    """

    deal = models.ForeignKey(Deal, on_delete=models.PROTECT, related_name="pnl")
    kind = models.CharField(max_length=10, choices=PnlKind)
    number = models.PositiveIntegerField()
    day = models.DateField()
    amount_usd = _amount()
    valuation = models.ForeignKey(
        DealValuation,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="entries",
    )
    # What follows an entry is found by its deal and number: thousands are written at once.
    earlier = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, db_index=False, related_name="later"
    )
    difference = models.ForeignKey(
        "fx.ReceiptDifference",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="booked",
    )
    rate = rate_column(null=True, help_text="At which it was settled, closed out or fixed.")
    usd_rate = _factor(null=True)
    booked_at = models.DateTimeField()

    class Meta:
        verbose_name = "profit and loss entry"
        verbose_name_plural = "profit and loss entries"
        ordering = ["-day", "-booked_at", "-id"]
        constraints = [
            finite("pnl_amount_is_finite", "amount_usd"),
            models.CheckConstraint(
                name="pnl_entry_has_its_parts",
                condition=Q(
                    kind=PnlKind.UNREALISED,
                    valuation__isnull=False,
                    rate=None,
                    usd_rate=None,
                    difference=None,
                )
                | Q(
                    kind=PnlKind.REVERSAL,
                    earlier__isnull=False,
                    valuation=None,
                    rate=None,
                    usd_rate=None,
                    difference=None,
                )
                | (
                    Q(
                        kind=PnlKind.REALISED,
                        valuation=None,
                        usd_rate__gt=0,
                        usd_rate__lt=FACTOR_BOUND,
                        difference=None,
                    )
                    & is_rate("rate")
                )
                | Q(
                    kind=PnlKind.DIFFERENCE,
                    valuation=None,
                    rate=None,
                    usd_rate__gt=0,
                    usd_rate__lt=FACTOR_BOUND,
                    difference__isnull=False,
                )
                | Q(
                    kind=PnlKind.TAKEN_BACK,
                    earlier__isnull=False,
                    valuation=None,
                    rate=None,
                    usd_rate=None,
                    difference__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="pnl_follows_from_the_second_on",
                condition=Q(kind=PnlKind.REVERSAL, number__gte=1)
                | Q(kind__in=_COUNTED, number=1, earlier=None)
                | Q(kind__in=_COUNTED, number__gt=1, earlier__isnull=False)
                | Q(kind=PnlKind.DIFFERENCE, number=0, earlier=None)
                | Q(kind=PnlKind.TAKEN_BACK, number=0),
            ),
            models.UniqueConstraint(
                fields=["tenant", "deal", "number"],
                condition=Q(kind=PnlKind.REVERSAL),
                name="pnl_reversed_once",
            ),
            models.UniqueConstraint(
                fields=["tenant", "deal", "number"],
                condition=Q(kind__in=_COUNTED),
                name="pnl_booked_once",
            ),
            models.UniqueConstraint(
                fields=["tenant", "difference", "kind"],
                condition=Q(difference__isnull=False),
                name="pnl_difference_booked_once",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "day", "kind"], name="pnl_by_day")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount_usd} USD"
