"""What may exist in the liquidity room: payout plans, recurring patterns, forecasts."""

from datetime import date, datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from liquidity.constants import (
    DESCRIPTION_CHARS_MAX,
    HORIZON_DAYS_MAX,
    REFERENCE_CHARS_MAX,
    WEEKDAY_MASK_MAX,
)
from liquidity.engine.need import NeedBasis
from liquidity.engine.occurrences import Adjust, RuleKind

ACCOUNT = "treasury.BankAccount"


def _amount(**options: bool) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=20, decimal_places=4, null=options.get("null", False))


class PlanKind(models.TextChoices):
    """What of a day's payouts a plan covers."""

    REGULAR = "REGULAR", "the day's ordinary payouts"
    EXTRA = "EXTRA", "on top of the ordinary payouts"


class PlanState(models.TextChoices):
    """Where a payout plan stands."""

    PLANNED = "PLANNED", "planned"
    CANCELLED = "CANCELLED", "cancelled"
    DONE = "DONE", "its day has passed"


class PayoutPlanQuerySet(models.QuerySet["PayoutPlan"]):
    """Payout plans, in the words of the desk."""

    def planned(self) -> Self:
        """Return the plans that still stand."""
        return self.filter(state=PlanState.PLANNED)

    def standing(self) -> Self:
        """Return the plans that were not cancelled."""
        return self.exclude(state=PlanState.CANCELLED)

    def between(self, start: date, end: date) -> Self:
        """Return the plans with value dates from `start` to `end`, both included."""
        return self.filter(value_date__range=(start, end))


class PayoutPlan(FSMModelMixin, TenantModel):
    """Payouts that will leave an account on a day, announced by the payout system.

    The database lets nothing but the state change: a plan that was wrong is cancelled and planned
    anew under another reference.
    """

    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    value_date = models.DateField()
    amount = _amount()
    kind = models.CharField(max_length=7, choices=PlanKind, default=PlanKind.REGULAR)
    description = models.CharField(max_length=DESCRIPTION_CHARS_MAX)
    source_ref = models.CharField(
        max_length=REFERENCE_CHARS_MAX, help_text="The payout system's own reference."
    )
    state = FSMField(
        choices=PlanState.choices, default=PlanState.PLANNED, protected=True, max_length=9
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closing_reason = models.CharField(max_length=DESCRIPTION_CHARS_MAX, blank=True)
    history = HistoricalRecords(bases=[FSMModelMixin, models.Model])

    objects: ClassVar[PayoutPlanQuerySet] = PayoutPlanQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["value_date", "source_ref"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "source_ref"], name="payout_plan_source_ref"),
            models.CheckConstraint(
                name="payout_plan_amount_is_positive",
                condition=Q(amount__gt=0, amount__lt=10**16),
            ),
            models.CheckConstraint(
                name="payout_plan_state_known", condition=Q(state__in=PlanState.values)
            ),
            models.CheckConstraint(
                name="payout_plan_kind_known", condition=Q(kind__in=PlanKind.values)
            ),
            models.CheckConstraint(
                name="payout_plan_closed_has_time",
                condition=Q(state="PLANNED", closed_at=None)
                | (~Q(state="PLANNED") & Q(closed_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "account", "value_date"], name="payout_plan_by_day")
        ]

    def __str__(self) -> str:
        return f"{self.value_date} {self.amount} {self.currency} {self.description}"

    @transition(state, PlanState.PLANNED, PlanState.CANCELLED)
    def cancel(self, *, at: datetime, reason: str) -> None:
        """It will not be paid."""
        self.closed_at = at
        self.closing_reason = reason

    @transition(state, PlanState.PLANNED, PlanState.DONE)
    def complete(self, *, at: datetime) -> None:
        """Its day has passed: what it announced is in the statements now."""
        self.closed_at = at


class RecurringPatternQuerySet(models.QuerySet["RecurringPattern"]):
    """Recurring patterns, in the words of the desk."""

    def active(self) -> Self:
        """Return the patterns that still bring flows."""
        return self.filter(is_active=True)


class RecurringPattern(TenantModel):
    """A flow of known size that comes back; `amount` is signed, inflows are positive."""

    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=70)
    amount = _amount()
    rule = models.CharField(
        max_length=9,
        choices=[(kind.value, kind.name.replace("_", " ").lower()) for kind in RuleKind],
    )
    weekday_mask = models.PositiveSmallIntegerField(
        default=0, help_text="For weekdays: bit mask, bit 0 is Monday."
    )
    month_day = models.PositiveSmallIntegerField(
        default=0, help_text="For a day of the month: 1 to 31; short months use their last day."
    )
    adjust = models.CharField(
        max_length=9,
        choices=[(kind.value, kind.name.lower()) for kind in Adjust],
        default=Adjust.FOLLOWING.value,
        help_text="Where an occurrence goes whose day is closed in the settlement calendar.",
    )
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    history = HistoricalRecords()

    objects: ClassVar[RecurringPatternQuerySet] = RecurringPatternQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["account", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "name"], name="recurring_pattern_name"
            ),
            models.CheckConstraint(
                name="recurring_pattern_amount_is_finite",
                condition=Q(amount__gt=-(10**16), amount__lt=10**16) & ~Q(amount=0),
            ),
            models.CheckConstraint(
                name="recurring_pattern_rule_is_complete",
                condition=Q(rule__in=["DAILY", "MONTH_END"], weekday_mask=0, month_day=0)
                | Q(
                    rule="WEEKDAYS",
                    weekday_mask__gte=1,
                    weekday_mask__lte=WEEKDAY_MASK_MAX,
                    month_day=0,
                )
                | Q(rule="MONTH_DAY", month_day__gte=1, month_day__lte=31, weekday_mask=0),
            ),
            models.CheckConstraint(
                name="recurring_pattern_adjust_known",
                condition=Q(adjust__in=[kind.value for kind in Adjust]),
            ),
            models.CheckConstraint(
                name="recurring_pattern_period_ordered",
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ForecastRun(TenantModel):
    """One pass over all accounts, or over those of one currency; written once, never changed."""

    as_of = models.DateTimeField()
    currency = models.CharField(max_length=3, blank=True, help_text="Empty is all of them.")
    reason = models.CharField(
        max_length=11, blank=True, help_text="What asked for it; empty is the daily pass."
    )
    horizon_days = models.PositiveSmallIntegerField()
    accounts_count = models.PositiveIntegerField()
    shortfalls_count = models.PositiveIntegerField()
    refusals = models.JSONField(
        default=list, help_text="Accounts without a forecast: account, code and message."
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.as_of:%Y-%m-%d %H:%M}"


class Forecast(TenantModel):
    """One account's days ahead as seen at one time; written once, never changed.

    `opening` is what could be spent with the floor included, `available` without it. The same
    inputs give the same `inputs_digest` and no second row.
    """

    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    as_of = models.DateTimeField()
    day = models.DateField(help_text="The first day: today in the account's zone.")
    horizon_days = models.PositiveSmallIntegerField()
    model = models.CharField(max_length=40)
    model_version = models.PositiveSmallIntegerField()
    history_days = models.PositiveSmallIntegerField()
    inputs_digest = models.CharField(max_length=64)
    opening = _amount()
    floor = _amount()
    balance_as_of = models.DateTimeField(null=True)
    is_stale_input = models.BooleanField()
    need_basis = models.CharField(
        max_length=5, choices=[(basis.value, basis.name.lower()) for basis in NeedBasis]
    )
    need_days = models.PositiveSmallIntegerField()
    need_until = models.DateField()
    required = _amount()
    available = _amount()
    shortfall = _amount()
    scaled_error = models.DecimalField(max_digits=8, decimal_places=4, null=True)
    coverage = models.DecimalField(max_digits=5, decimal_places=4, null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="forecast_shortfall_is_the_difference",
                condition=Q(shortfall=0, required__lte=F("available"))
                | Q(shortfall__gt=0, shortfall=F("required") - F("available")),
            ),
            finite("forecast_amounts_are_finite", "opening", "required", "available", "shortfall"),
            not_negative("forecast_floor_is_not_negative", "floor"),
            models.CheckConstraint(
                name="forecast_measures_in_range",
                condition=Q(scaled_error__gte=0, scaled_error__lt=10_000)
                & Q(coverage__gte=0, coverage__lte=1),
            ),
            models.CheckConstraint(
                name="forecast_horizon_in_range",
                condition=Q(horizon_days__gte=1, horizon_days__lte=HORIZON_DAYS_MAX)
                & Q(need_days__gte=1, need_days__lte=F("horizon_days")),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "account", "-id"], name="forecast_newest")]

    def __str__(self) -> str:
        return f"{self.currency} {self.day}"

    @property
    def is_short(self) -> bool:
        """Return whether the account will lack money."""
        return bool(self.shortfall > 0)


class ForecastLine(TenantModel):
    """One day of a forecast. Bounds are null where the account's past is too short for them."""

    forecast = models.ForeignKey(Forecast, on_delete=models.PROTECT, related_name="lines")
    day = models.DateField()
    known_in = _amount()
    known_out = _amount()
    expected_in = _amount()
    expected_out = _amount()
    net = _amount()
    p10 = _amount(null=True)
    p90 = _amount(null=True)
    closing = _amount()
    closing_p10 = _amount(null=True)
    closing_p90 = _amount(null=True)

    class Meta:
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "forecast", "day"], name="forecast_line_once_a_day"
            ),
            finite("forecast_line_net_is_finite", "net"),
            finite("forecast_line_bounds_are_finite", "p10", "p90"),
            finite("forecast_line_closings_are_finite", "closing", "closing_p10", "closing_p90"),
            models.CheckConstraint(
                name="forecast_line_net_is_the_sum",
                condition=Q(
                    net=F("known_in") + F("expected_in") - F("known_out") - F("expected_out")
                ),
            ),
            not_negative("forecast_line_known_not_negative", "known_in", "known_out"),
            not_negative("forecast_line_usual_not_negative", "expected_in", "expected_out"),
            models.CheckConstraint(
                name="forecast_line_bounds_hold_the_point",
                condition=Q(p10=None, p90=None) | Q(p10__lte=F("net"), p90__gte=F("net")),
            ),
            models.CheckConstraint(
                name="forecast_line_closing_bounds_hold_the_point",
                condition=Q(closing_p10=None, closing_p90=None)
                | Q(closing_p10__lte=F("closing"), closing_p90__gte=F("closing")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.net}"
