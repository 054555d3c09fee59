"""What is planned, forecast and missing, for screens and the API."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from core.money import Money
from liquidity.constants import CHART_HISTORY_DAYS
from liquidity.engine.forecast import ZERO
from liquidity.errors import ForecastUnknown, PatternUnknown, PlanUnknown
from liquidity.models import (
    Forecast,
    ForecastLine,
    ForecastRun,
    PayoutPlan,
    PayoutPlanQuerySet,
    RecurringPattern,
    RecurringPatternQuerySet,
)
from treasury.selectors import accounts, flows, positions


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyDay:
    """One currency's flows of one day over all accounts; bounds are of the net flow."""

    currency: str
    day: date
    inflow: Decimal
    outflow: Decimal
    p10: Decimal | None
    p90: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """An account that will lack money, with its worth in dollars where a rate is known."""

    forecast: Forecast
    usd: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One account's newest forecast in brief; `lowest` is its lowest closing ahead, and when."""

    forecast: Forecast
    spark: str
    lowest: Decimal
    lowest_on: date
    breaks_floor: bool
    may_break_floor: bool

    @property
    def left(self) -> Decimal:
        """Return what stays above floor and need."""
        left: Decimal = self.forecast.available - self.forecast.required
        return left


def plans() -> PayoutPlanQuerySet:
    """Return the payout plans with their accounts."""
    return PayoutPlan.objects.select_related("account")


def plan(plan_id: UUID | str) -> PayoutPlan:
    """Return one plan.

    Raises:
        PlanUnknown: there is none.
    """
    found = plans().filter(pk=plan_id).first()
    if found is None:
        raise PlanUnknown("There is no such payout plan.", id=str(plan_id))
    return found


def patterns() -> RecurringPatternQuerySet:
    """Return the recurring patterns with their accounts."""
    return RecurringPattern.objects.select_related("account")


def pattern(pattern_id: UUID | str) -> RecurringPattern:
    """Return one pattern.

    Raises:
        PatternUnknown: there is none.
    """
    found = patterns().filter(pk=pattern_id).first()
    if found is None:
        raise PatternUnknown("There is no such pattern.", id=str(pattern_id))
    return found


def forecasts() -> QuerySet[Forecast]:
    """Return all forecasts with their accounts, newest first."""
    return Forecast.objects.select_related("account__bank").order_by("-id")


def forecast(forecast_id: UUID | str) -> Forecast:
    """Return one forecast.

    Raises:
        ForecastUnknown: there is none.
    """
    found = forecasts().filter(pk=forecast_id).first()
    if found is None:
        raise ForecastUnknown("There is no such forecast.", id=str(forecast_id))
    return found


def newest_of(account_id: UUID) -> Forecast | None:
    """Return the newest forecast of an account, if there is one."""
    return forecasts().filter(account_id=account_id).first()


def latest_forecasts() -> list[Forecast]:
    """Return the newest forecast of every active account, by currency and label."""
    newest = (
        Forecast.objects.filter(account__is_active=True)
        .order_by("account_id", "-id")
        .distinct("account_id")
        .values("pk")
    )
    return list(forecasts().filter(pk__in=newest).order_by("currency", "account__label"))


def lines(forecast_id: UUID | str) -> QuerySet[ForecastLine]:
    """Return the days of a forecast in order."""
    return ForecastLine.objects.filter(forecast_id=forecast_id).order_by("day")


def overview() -> list[Overview]:
    """Return every account's newest forecast with the course of its closings, in two queries."""
    found = latest_forecasts()
    ahead: dict[UUID, list[ForecastLine]] = defaultdict(list)
    for line in ForecastLine.objects.filter(forecast__in=found).order_by("day"):
        ahead[line.forecast_id].append(line)
    return [_brief(one, ahead[one.pk]) for one in found]


def _brief(forecast: Forecast, ahead: Sequence[ForecastLine]) -> Overview:
    lowest = min(ahead, key=lambda line: line.closing)
    low_bounds = [line.closing_p10 for line in ahead if line.closing_p10 is not None]
    return Overview(
        forecast=forecast,
        spark=",".join(f"{line.closing:f}" for line in ahead),
        lowest=lowest.closing,
        lowest_on=lowest.day,
        breaks_floor=lowest.closing < forecast.floor,
        may_break_floor=any(bound < forecast.floor for bound in low_bounds),
    )


def plans_ahead(forecast: Forecast) -> PayoutPlanQuerySet:
    """Return the payouts that were planned for the days of a forecast and still stand."""
    end = forecast.day + timedelta(days=forecast.horizon_days - 1)
    return plans().planned().filter(account_id=forecast.account_id).between(forecast.day, end)


def last_run() -> ForecastRun | None:
    """Return the last pass over all accounts, if there was one."""
    return ForecastRun.objects.filter(currency="").order_by("-id").first()


def by_currency(of: Iterable[Forecast]) -> list[CurrencyDay]:
    """Return the flows per currency and day of several forecasts.

    Bounds are added as if all accounts missed on the same side together; an account without
    bounds counts with its point, and where none has bounds there are none.
    """
    days: dict[tuple[str, date], list[ForecastLine]] = defaultdict(list)
    rows = ForecastLine.objects.filter(forecast__in=list(of)).select_related("forecast")
    for row in rows:
        days[row.forecast.currency, row.day].append(row)
    return [
        CurrencyDay(
            currency=currency,
            day=day,
            inflow=sum((row.known_in + row.expected_in for row in found), ZERO),
            outflow=sum((row.known_out + row.expected_out for row in found), ZERO),
            p10=_joint([row.p10 for row in found], [row.net for row in found]),
            p90=_joint([row.p90 for row in found], [row.net for row in found]),
        )
        for (currency, day), found in sorted(days.items())
    ]


def _joint(bounds: Sequence[Decimal | None], nets: Sequence[Decimal]) -> Decimal | None:
    if all(bound is None for bound in bounds):
        return None
    pairs = zip(bounds, nets, strict=True)
    return sum((net if bound is None else bound for bound, net in pairs), ZERO)


def shortfalls(*, now: datetime) -> list[Shortfall]:
    """Return the accounts that will lack money, the largest in dollars first, unknown rates last.

    Only each account's newest forecast counts.
    """
    short = [one for one in latest_forecasts() if one.is_short]
    rates = accounts.usd_rates(now=now)
    found = [
        Shortfall(
            forecast=one,
            usd=accounts.in_usd(one.shortfall, rates[one.currency])
            if one.currency in rates
            else None,
        )
        for one in short
    ]
    return sorted(
        found,
        key=lambda one: (one.usd is None, -(one.usd or ZERO), -one.forecast.shortfall),
    )


def chart_of(forecast: Forecast) -> dict[str, Any]:
    """Return what the desk's chart draws: closings of the past and ahead, floor, known flows.

    Where no balance was ever stated there is no past to draw, and where the past is too short for
    bounds there is no band.
    """
    ahead = list(lines(forecast.pk))
    known = flows.expected(
        account_id=forecast.account_id,
        start=forecast.day,
        end=forecast.day + timedelta(days=forecast.horizon_days - 1),
    )
    bounded = any(line.closing_p10 is not None for line in ahead)
    return {
        "currency": forecast.currency,
        "interval": "8 of 10 days end in here" if bounded else "",
        "history": _past_closings(forecast),
        "forecast": [_chart_day(line, forecast.currency) for line in ahead],
        "floor": _plain(forecast.floor, forecast.currency),
        "floor_amount": forecast.floor,
        "flows": [
            {
                "on": one.value_date.isoformat(),
                "label": one.description,
                "amount": str(Money(one.amount, forecast.currency)),
            }
            for one in known
        ],
    }


def _past_closings(forecast: Forecast) -> list[list[str]]:
    start = forecast.day - timedelta(days=CHART_HISTORY_DAYS)
    mine = accounts.accounts(active=False).filter(pk=forecast.account_id)
    [position] = positions.positions(on=forecast.day, accounts=mine)
    if position.balance is None:
        return []
    past = positions.position_ladder(
        account_id=forecast.account_id, start=start, days=CHART_HISTORY_DAYS
    )
    return [[one.day.isoformat(), _plain(one.closing, forecast.currency)] for one in past]


def _chart_day(line: ForecastLine, currency: str) -> list[str | None]:
    low, high = line.closing_p10, line.closing_p90
    return [
        line.day.isoformat(),
        _plain(line.closing, currency),
        None if low is None else _plain(low, currency),
        None if high is None else _plain(high, currency),
    ]


def _plain(amount: Decimal, currency: str) -> str:
    return f"{Money(amount, currency).quantized().amount:f}"
