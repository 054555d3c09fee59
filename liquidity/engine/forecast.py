"""One account's days ahead: what is known, what is usual, how wrong that may be. Pure.

No movement is counted twice:

* a *regular* plan is the day's ordinary payouts. On its day it replaces the usual outflow (rule
  REPLACE), or, where plans arrive in parts (rule LARGER), counts up to the usual outflow first;
* *extra* plans, recurring patterns and flows entered by people come on top. What they amounted to
  on past days is taken out of the history first, so that the usual flow does not contain them;
* of today, only what has not been booked yet is still expected;
* transfers of our own are neither in the history nor forecast: agreed ones are inside `opening`.

Amounts are exact Decimals; statistics are float64 and enter as amounts rounded to the minor unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import numpy as np

from liquidity.engine.boundary import FloatArray, as_amount, as_floats
from liquidity.engine.intervals import (
    LEARNING_DAYS_MIN,
    Learnt,
    Side,
    day_bounds,
    learn,
    sum_bounds,
)
from liquidity.engine.pattern import MONTH_DAY, WEEKDAY, Days, describe_days

ZERO: Final = Decimal(0)
KNOWN_ONLY: Final = "known-flows-only"


class PlanRule(StrEnum):
    """What a regular plan does to the usual outflow of its day."""

    REPLACE = "REPLACE"
    LARGER = "LARGER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gross:
    """What came in and went out; both are positive."""

    inflow: Decimal = ZERO
    outflow: Decimal = ZERO


NOTHING: Final = Gross()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything a forecast is made of; the same inputs give the same forecast.

    `history` holds gross flows with others per past day from `history_start` to `history_end`
    (absent days had none); `known_past` is the part of it that extra plans and patterns explain;
    `today` is what was booked today, without that part. `regular` holds the sums of regular plans
    by day, `extra` all other known flows. `opening` is what may be spent now, the floor included.
    """

    currency: str
    start: date
    steps: int
    history_start: date | None
    history_end: date | None
    history: Mapping[date, Gross] = field(default_factory=dict)
    known_past: Mapping[date, Gross] = field(default_factory=dict)
    today: Gross = NOTHING
    regular: Mapping[date, Decimal] = field(default_factory=dict)
    extra: Mapping[date, Gross] = field(default_factory=dict)
    closed_days: frozenset[date] = frozenset()
    opening: Decimal = ZERO
    rule: PlanRule = PlanRule.REPLACE

    @property
    def days(self) -> list[date]:
        """Return the days to forecast."""
        return [self.start + timedelta(days=step) for step in range(self.steps)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One day ahead. `net` is in minus out; bounds are None where the past is too short."""

    day: date
    known_in: Decimal
    known_out: Decimal
    expected_in: Decimal
    expected_out: Decimal
    net: Decimal
    p10: Decimal | None
    p90: Decimal | None
    closing: Decimal
    closing_p10: Decimal | None
    closing_p90: Decimal | None

    @property
    def outflow(self) -> Decimal:
        """Return everything that is to leave on the day."""
        return self.known_out + self.expected_out

    @property
    def inflow(self) -> Decimal:
        """Return everything that is to come on the day."""
        return self.known_in + self.expected_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The lines, the model behind them, and the upper bound of the outflow of the first n days.

    `outflow_upper[n - 1]` is None where the past is too short for a bound.
    """

    model: str
    history_days: int
    lines: tuple[Line, ...]
    outflow_upper: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Usual:
    """The statistics of both directions from `start` on; None where the past is too short."""

    inflow: Learnt
    outflow: Learnt


def residual_history(inputs: Inputs) -> tuple[FloatArray, FloatArray]:
    """Return past inflows and outflows per day without their known part, never below zero."""
    if inputs.history_start is None or inputs.history_end is None:
        return np.zeros(0), np.zeros(0)
    count = (inputs.history_end - inputs.history_start).days + 1
    days = [inputs.history_start + timedelta(days=step) for step in range(count)]
    left = [_without(inputs.history.get(day, NOTHING), inputs.known_past.get(day)) for day in days]
    return as_floats(one.inflow for one in left), as_floats(one.outflow for one in left)


def _without(actual: Gross, known: Gross | None) -> Gross:
    if known is None:
        return actual
    return Gross(
        inflow=max(ZERO, actual.inflow - known.inflow),
        outflow=max(ZERO, actual.outflow - known.outflow),
    )


def calendar_of(inputs: Inputs, *, days_ahead: int) -> Days:
    """Return the days of the history followed by the days ahead, as the model sees them."""
    start = inputs.history_start or inputs.start
    count = (inputs.start - start).days + days_ahead
    return describe_days(start, count, lambda day: day not in inputs.closed_days)


def _usual(inputs: Inputs) -> _Usual | None:
    inflows, outflows = residual_history(inputs)
    if len(outflows) < LEARNING_DAYS_MIN or inputs.history_end is None:
        return None
    # Days between the last complete day of the past and today are steps too, but not shown.
    gap = (inputs.start - inputs.history_end).days - 1
    steps = gap + inputs.steps
    days = calendar_of(inputs, days_ahead=inputs.steps)
    return _Usual(
        inflow=_from(learn(inflows, days, steps=steps), gap),
        outflow=_from(learn(outflows, days, steps=steps), gap),
    )


def _from(flow: Learnt, gap: int) -> Learnt:
    return Learnt(
        model=flow.model,
        point=flow.point[gap:],
        level=flow.level[gap:],
        ahead_closed=flow.ahead_closed[gap:],
        missed=flow.missed[:, gap:],
        misses=flow.misses[:, gap:],
        closed=flow.closed[:, gap:],
        aligned=flow.aligned,
    )


def make_forecast(inputs: Inputs) -> Outcome:
    """Forecast an account from `start` (today) for `steps` days.

    Below 28 days of history nothing but what is known is forecast and no bounds are given: an
    interval without a past would be invented.

    Raises:
        ValueError: an amount is not finite.
    """
    usual = _usual(inputs)
    bare = [_bare_line(inputs, usual, step) for step in range(inputs.steps)]
    if usual is None:
        lines = _with_closings(inputs, bare, None, None)
        return Outcome(
            model=KNOWN_ONLY,
            history_days=len(residual_history(inputs)[1]),
            lines=lines,
            outflow_upper=(None,) * inputs.steps,
        )
    outgoing = Side(
        learnt=usual.outflow,
        sign=-1,
        left=as_floats(line.expected_out for line in bare),
        weight=np.array([_misses_count(inputs, line) for line in bare]),
    )
    incoming = Side(
        learnt=usual.inflow,
        sign=1,
        left=as_floats(line.expected_in for line in bare),
        weight=np.ones(inputs.steps),
    )
    by_day = day_bounds([outgoing, incoming])
    lines = _with_closings(inputs, bare, by_day, sum_bounds([outgoing, incoming]))
    return Outcome(
        model=MONTH_DAY if MONTH_DAY in (usual.inflow.model, usual.outflow.model) else WEEKDAY,
        history_days=len(residual_history(inputs)[1]),
        lines=lines,
        outflow_upper=_upper_outflows(inputs, lines, -sum_bounds([outgoing])[0]),
    )


def _misses_count(inputs: Inputs, line: Line) -> float:
    is_replaced = inputs.rule is PlanRule.REPLACE and line.day in inputs.regular
    return 0.0 if is_replaced else 1.0


def _bare_line(inputs: Inputs, usual: _Usual | None, step: int) -> Line:
    """Return one day's known and usual flows, without bounds and closing."""
    day = inputs.days[step]
    extra = inputs.extra.get(day, NOTHING)
    booked = inputs.today if step == 0 else NOTHING
    planned = inputs.regular.get(day)
    usual_in = as_amount(usual.inflow.point[step], inputs.currency) if usual else ZERO
    usual_out = as_amount(usual.outflow.point[step], inputs.currency) if usual else ZERO
    known_out, expected_out = _split_outflow(
        planned=planned, usual=usual_out, booked=booked.outflow, rule=inputs.rule
    )
    known_out += extra.outflow
    expected_in = max(ZERO, usual_in - booked.inflow)
    return Line(
        day=day,
        known_in=extra.inflow,
        known_out=known_out,
        expected_in=expected_in,
        expected_out=expected_out,
        net=extra.inflow + expected_in - known_out - expected_out,
        p10=None,
        p90=None,
        closing=ZERO,
        closing_p10=None,
        closing_p90=None,
    )


def _split_outflow(
    *, planned: Decimal | None, usual: Decimal, booked: Decimal, rule: PlanRule
) -> tuple[Decimal, Decimal]:
    """Return what of a day's ordinary outflow is still to come: planned, and beyond plans."""
    if planned is None:
        return ZERO, max(ZERO, usual - booked)
    total = planned if rule is PlanRule.REPLACE else max(planned, usual)
    left = max(ZERO, total - booked)
    from_plan = min(left, max(ZERO, planned - booked))
    return from_plan, left - from_plan


def _with_closings(
    inputs: Inputs, bare: Sequence[Line], by_day: FloatArray | None, summed: FloatArray | None
) -> tuple[Line, ...]:
    found: list[Line] = []
    closing = inputs.opening
    for step, line in enumerate(bare):
        closing += line.net
        low, high = _bounds(by_day, step, inputs.currency)
        fall, rise = _bounds(summed, step, inputs.currency)
        found.append(
            Line(
                day=line.day,
                known_in=line.known_in,
                known_out=line.known_out,
                expected_in=line.expected_in,
                expected_out=line.expected_out,
                net=line.net,
                p10=None if low is None else line.net + low,
                p90=None if high is None else line.net + high,
                closing=closing,
                closing_p10=None if fall is None else closing + fall,
                closing_p90=None if rise is None else closing + rise,
            )
        )
    return tuple(found)


def _bounds(
    found: FloatArray | None, step: int, currency: str
) -> tuple[Decimal | None, Decimal | None]:
    if found is None or np.isnan(found[:, step]).any():
        return None, None
    return as_amount(found[0, step], currency), as_amount(found[1, step], currency)


def _upper_outflows(
    inputs: Inputs, lines: Sequence[Line], upper: FloatArray
) -> tuple[Decimal | None, ...]:
    found: list[Decimal | None] = []
    total = ZERO
    for step, line in enumerate(lines):
        total += line.outflow
        is_known = not np.isnan(upper[step])
        found.append(total + as_amount(upper[step], inputs.currency) if is_known else None)
    return tuple(found)
