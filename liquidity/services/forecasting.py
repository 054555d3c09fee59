"""Forecast accounts, compare need with what is available, and tell the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from core.errors import DomainError, Invalid
from core.events import publish
from core.money import Money
from liquidity import selectors
from liquidity.constants import HORIZON_DAYS, HORIZON_DAYS_MAX
from liquidity.engine.forecast import Line, Outcome, calendar_of, make_forecast, residual_history
from liquidity.engine.intervals import BacktestReport, backtest
from liquidity.engine.need import Need, need_of
from liquidity.engine.pattern import MONTH_DAY, VERSION, WEEKDAY
from liquidity.events import DailyForecastReady, ShortfallForecast
from liquidity.models import Forecast, ForecastLine, ForecastRun
from liquidity.services.gathering import Gathered, gather
from liquidity.services.locking import take_turn
from liquidity.services.publishing import publish_expected_flows
from treasury.selectors import accounts
from treasury.services.news import raise_alert

log = structlog.get_logger(__name__)
FOUR_DECIMALS = Decimal("0.0001")
SCALED_ERROR_MAX = Decimal(9999)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    forecast: Forecast
    before: Forecast | None
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRun:
    """What a pass over all accounts came to; `announced` is False when nothing had changed."""

    run: ForecastRun
    forecasts: tuple[Forecast, ...]
    announced: bool


@transaction.atomic
def run_forecast(
    *, account_id: UUID | str, now: datetime, horizon_days: int = HORIZON_DAYS
) -> Forecast:
    """Forecast one account and announce its shortfall, if it has one.

    Plans and patterns are published to the treasury first. With the same inputs as the account's
    last forecast of the day nothing is written or announced and that forecast is returned. A
    balance older than expected does not stop the forecast: it is flagged, and a person is told.

    Raises:
        AccountUnknown: there is no such account.
        CalendarUnknown: no calendar settles its currency.
        CalendarCoverageError: the calendar does not reach far enough.
        Invalid: the horizon is out of range.
    """
    made = _make(account_id, now=now, horizon_days=horizon_days)
    _announce_shortfalls([made])
    return made.forecast


@transaction.atomic
def run_daily_forecast(*, now: datetime, horizon_days: int = HORIZON_DAYS) -> DailyRun:
    """Forecast every active account; announce all lines and each new shortfall, largest first.

    An account that cannot be forecast does not stop the others: it is listed in the run, and a
    person is told once. When no account has anything new, the last run is returned as it is.

    Raises:
        Invalid: the horizon is out of range.
    """
    _check_horizon(horizon_days)
    take_turn("run")
    last = selectors.last_run()
    made: list[_Made] = []
    refusals: list[dict[str, str]] = []
    for account in accounts.accounts():
        try:
            with transaction.atomic():
                made.append(_make(account.pk, now=now, horizon_days=horizon_days))
        except DomainError as refusal:
            log.warning("forecast_refused", account=str(account.pk), code=refusal.code)
            refusals.append(
                {"account": str(account.pk), "label": account.label, "code": refusal.code,
                 "message": refusal.message}
            )  # fmt: skip
    forecasts = tuple(one.forecast for one in made)
    if last is not None and last.refusals == refusals and not any(one.is_new for one in made):
        return DailyRun(run=last, forecasts=forecasts, announced=False)
    run = ForecastRun.objects.create(
        as_of=now,
        horizon_days=horizon_days,
        accounts_count=len(made),
        shortfalls_count=sum(one.is_short for one in forecasts),
        refusals=refusals,
    )
    _tell_refusals(refusals, last.refusals if last else [])
    publish(
        DailyForecastReady(
            forecast_id=run.pk,
            as_of=now,
            horizon_days=horizon_days,
            lines=_wire_lines(forecasts),
        )
    )
    _announce_shortfalls(made)
    return DailyRun(run=run, forecasts=forecasts, announced=True)


@transaction.atomic
def run_currency_forecast(*, currency: str, reason: str, now: datetime) -> ForecastRun:
    """Forecast every active account of a currency anew, because something asked for it.

    The lines of this currency alone are announced, and its new shortfalls, largest first: who
    asked hears that it was done even where nothing came out otherwise. Plans and patterns are
    published first, as in the daily pass; an account that cannot be forecast is listed in the run.
    """
    take_turn("run")
    made: list[_Made] = []
    refusals: list[dict[str, str]] = []
    for account in accounts.accounts(currency):
        try:
            with transaction.atomic():
                made.append(_make(account.pk, now=now, horizon_days=HORIZON_DAYS))
        except DomainError as refusal:
            log.warning("forecast_refused", account=str(account.pk), code=refusal.code)
            refusals.append(
                {"account": str(account.pk), "label": account.label, "code": refusal.code,
                 "message": refusal.message}
            )  # fmt: skip
    forecasts = tuple(one.forecast for one in made)
    run = ForecastRun.objects.create(
        as_of=now,
        currency=currency,
        reason=reason,
        horizon_days=HORIZON_DAYS,
        accounts_count=len(made),
        shortfalls_count=sum(one.is_short for one in forecasts),
        refusals=refusals,
    )
    publish(
        DailyForecastReady(
            forecast_id=run.pk, as_of=now, horizon_days=HORIZON_DAYS, lines=_wire_lines(forecasts)
        )
    )
    _announce_shortfalls(made)
    return run


def _wire_lines(forecasts: Sequence[Forecast]) -> list[dict[str, Any]]:
    return [
        {
            "currency": one.currency,
            "date": one.day,
            "inflow": _wire(one.inflow, one.currency),
            "outflow": _wire(one.outflow, one.currency),
            "p10": None if one.p10 is None else _wire(one.p10, one.currency),
            "p90": None if one.p90 is None else _wire(one.p90, one.currency),
        }
        for one in selectors.by_currency(forecasts)
    ]


def _wire(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with the currency's own decimals, however the database keeps it."""
    return Money(amount, currency).quantized().amount


def _announce_shortfalls(made: Sequence[_Made]) -> None:
    """Publish new shortfalls by currency, the largest first, and warn where they rest on old data.

    One prefunding is proposed per currency and day: it shall be the one for the largest gap.
    """
    new = [one for one in made if one.is_new]
    for one in sorted(new, key=lambda one: (one.forecast.currency, -one.forecast.shortfall)):
        if one.forecast.is_short:
            publish(
                ShortfallForecast(
                    forecast_id=one.forecast.pk,
                    currency=one.forecast.currency,
                    date=one.forecast.need_until,
                    required=_wire(one.forecast.required, one.forecast.currency),
                    available=_wire(one.forecast.available, one.forecast.currency),
                    shortfall=_wire(one.forecast.shortfall, one.forecast.currency),
                    account_id=one.forecast.account_id,
                )
            )
        if _is_worth_a_warning(one):
            _warn_of_old_balance(one.forecast)


def _is_worth_a_warning(made: _Made) -> bool:
    """Tell whether a person has not been told today that this account's balance is old."""
    now, before = made.forecast, made.before
    if not now.is_stale_input:
        return False
    told = before is not None and before.day == now.day and before.is_stale_input
    return not told or (now.is_short and before is not None and not before.is_short)


def _warn_of_old_balance(forecast: Forecast) -> None:
    account = accounts.account(forecast.account_id)
    missing = Money(forecast.shortfall, forecast.currency)
    seen = forecast.balance_as_of
    since = f"is from {seen:%d %b %H:%M} UTC" if seen else "was never stated"
    outcome = f" It shows a shortfall of {missing}: check with the bank." if missing.amount else ""
    raise_alert(
        kind="forecast_on_stale_balance",
        severity="high" if forecast.is_short else "medium",
        subject_type="account",
        subject_id=account.pk,
        title=f"{account.label}: forecast on an old balance",
        detail=f"The balance {since}.{outcome}",
    )


def _tell_refusals(refusals: list[dict[str, str]], before: list[dict[str, str]]) -> None:
    for refusal in refusals:
        if refusal not in before:
            raise_alert(
                kind="forecast_impossible",
                severity="high",
                subject_type="account",
                subject_id=UUID(refusal["account"]),
                title=f"{refusal['label']} has no forecast",
                detail=refusal["message"],
            )


def _check_horizon(days: int) -> None:
    if not 1 <= days <= HORIZON_DAYS_MAX:
        raise Invalid(f"A horizon has 1 to {HORIZON_DAYS_MAX} days.", field="horizon_days")


def _make(account_id: UUID | str, *, now: datetime, horizon_days: int) -> _Made:
    _check_horizon(horizon_days)
    account = accounts.account(account_id)
    take_turn(f"forecast:{account.pk}")
    publish_expected_flows(account_id=account.pk, now=now)
    gathered = gather(account=account, now=now, horizon_days=horizon_days)
    before = selectors.newest_of(account.pk)
    if before is not None and before.inputs_digest == gathered.digest:
        return _Made(forecast=before, before=before, is_new=False)
    outcome = make_forecast(gathered.inputs)
    need = need_of(
        outcome,
        days=gathered.need_days,
        available=gathered.funds.amount,
        basis=gathered.basis,
    )
    return _Made(
        forecast=_store(account.pk, gathered, outcome, need, now), before=before, is_new=True
    )


def _store(
    account_id: UUID, gathered: Gathered, outcome: Outcome, need: Need, now: datetime
) -> Forecast:
    report = _backtest(gathered, outcome)
    forecast = Forecast.objects.create(
        account_id=account_id,
        currency=gathered.inputs.currency,
        as_of=now,
        day=gathered.inputs.start,
        horizon_days=gathered.inputs.steps,
        model=outcome.model,
        model_version=VERSION,
        history_days=outcome.history_days,
        inputs_digest=gathered.digest,
        opening=gathered.inputs.opening,
        floor=gathered.funds.floor,
        balance_as_of=gathered.funds.balance_as_of,
        is_stale_input=gathered.funds.is_stale,
        need_basis=gathered.basis.value,
        need_days=need.days,
        need_until=need.until,
        required=need.required,
        available=need.available,
        shortfall=need.shortfall,
        scaled_error=_measure(report.scaled_error if report else None),
        coverage=_measure(report.coverage if report else None),
    )
    ForecastLine.objects.bulk_create(_row(forecast, line) for line in outcome.lines)
    return forecast


def _backtest(gathered: Gathered, outcome: Outcome) -> BacktestReport | None:
    """Judge the outflow's model on the account's own last weeks, where they are enough."""
    if outcome.model not in (WEEKDAY, MONTH_DAY):
        return None
    _, outflows = residual_history(gathered.inputs)
    days = calendar_of(gathered.inputs, days_ahead=gathered.inputs.steps)
    return backtest(outflows, days, model=outcome.model)


def _measure(value: float | None) -> Decimal | None:
    """Return a figure about the model (not an amount) with four decimals."""
    if value is None:
        return None
    return min(Decimal(repr(value)).quantize(FOUR_DECIMALS), SCALED_ERROR_MAX)


def _row(forecast: Forecast, line: Line) -> ForecastLine:
    return ForecastLine(
        forecast=forecast,
        day=line.day,
        known_in=line.known_in,
        known_out=line.known_out,
        expected_in=line.expected_in,
        expected_out=line.expected_out,
        net=line.net,
        p10=line.p10,
        p90=line.p90,
        closing=line.closing,
        closing_p10=line.closing_p10,
        closing_p90=line.closing_p90,
    )
