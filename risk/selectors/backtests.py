"""How an account's figures would have held, day by day, and what that says in words."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from liquidity.engine.boundary import FloatArray, as_amount, as_floats
from risk.constants import BACKTEST_DAYS
from risk.engine.backtest import BacktestReport, forecasts, judge
from risk.engine.series import Observation
from risk.engine.tails import Quantile
from risk.models import AccountRisk, Backtest
from risk.selectors.inputs import Definition, Gathered, definition, gather
from treasury.selectors import accounts

# Below this probability of a result as far off, a test rejects; the usual level.
LEVEL: Final = Decimal("0.05")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The days of a backtest, the VaR that each was forecast with, and the judgement."""

    observations: tuple[Observation, ...]
    var: FloatArray
    report: BacktestReport


@dataclass(frozen=True, slots=True, kw_only=True)
class TestedDay:
    """One day of a backtest: its signed net flow, and the loss that the days before foretold."""

    day: date
    flow: Decimal
    var: Decimal
    is_exceeded: bool


def backtest_of(one: Gathered, *, wanted: Definition) -> Judged | None:
    """Forecast each of the last 250 days from the days before it; None where there are none."""
    if len(one.observations) <= wanted.observations_min:
        return None
    flows = as_floats(observation.amount for observation in one.observations)
    var = forecasts(
        flows,
        window=wanted.window_days,
        observations_min=wanted.observations_min,
        confidence=float(wanted.confidence),
        quantile=wanted.quantile,
    )[-BACKTEST_DAYS:]
    exceeded = -flows[-len(var) :] > var
    return Judged(
        observations=one.observations[-len(var) :],
        var=var,
        report=judge(exceeded, probability=float(1 - wanted.confidence)),
    )


def tested_days(reading: AccountRisk) -> list[TestedDay]:
    """Return the days of a reading's backtest, oldest first, from what is booked by now.

    What arrived after the reading was taken may make them differ from its stored counts.
    """
    wanted = _definition_of(reading)
    account = accounts.account(reading.account_id)
    (one,) = gather([account], wanted=wanted, now=reading.observed_at, day=reading.day)
    judged = backtest_of(one, wanted=wanted)
    if judged is None:
        return []
    return [
        TestedDay(
            day=observation.day,
            flow=observation.amount,
            var=as_amount(max(float(var), 0.0), reading.currency),
            is_exceeded=bool(-float(observation.amount) > var),
        )
        for observation, var in zip(judged.observations, judged.var, strict=True)
    ]


def _definition_of(reading: AccountRisk) -> Definition:
    """Return the definition that a reading was taken by, whatever the policies say now."""
    now = definition()
    return Definition(
        quantile=Quantile(reading.quantile),
        confidence=reading.confidence,
        window_days=reading.window_days,
        observations_min=min(now.observations_min, reading.window_days),
        base_kind=reading.base_kind,
        limit_bps=reading.limit_bps,
    )


def chart_of(reading: AccountRisk, days: list[TestedDay]) -> dict[str, Any]:
    """Return what the desk's chart draws: the flow of each day, its VaR, and what exceeded it."""
    return {
        "currency": reading.currency,
        "days": [
            [one.day.isoformat(), f"{one.flow:f}", f"{-one.var:f}", one.is_exceeded] for one in days
        ],
    }


def in_words(backtest: Backtest) -> str:
    """Return what Kupiec's test says, for people who do not speak in p-values."""
    share = _percent(backtest.kupiec_p)
    seen = f"{backtest.exceedances} of {backtest.days} days lost more than foretold"
    expected = f"about {backtest.expected.normalize():f} were to be expected"
    chance = (
        f"If the figure were right, a count at least as far off would come up {share} of the time"
    )
    if backtest.kupiec_p >= LEVEL:
        return f"{seen}, {expected}. {chance}: nothing speaks against the figure."
    if backtest.exceedances > backtest.expected:
        return f"{seen}, {expected}. {chance}: the figure is too low for this account."
    return f"{seen}, {expected}. {chance}: the figure is higher than this account needs."


def runs_in_words(backtest: Backtest) -> str:
    """Return what Christoffersen's test says about bad days that follow one another."""
    if backtest.christoffersen_p is None:
        return "Too few days to see whether bad days follow one another."
    if backtest.exceedances < 2:  # noqa: PLR2004 - one bad day follows nothing
        return "Too few bad days to see whether they follow one another."
    if backtest.christoffersen_p < LEVEL:
        return "Bad days follow one another more often than chance would have it."
    return "Bad days do not follow one another more often than chance would have it."


def _percent(share: Decimal) -> str:
    if share < Decimal("0.001"):
        return "less than 0.1 %"
    return f"{share * 100:.1f} %"
