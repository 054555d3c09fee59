"""Honest intervals: what the forecasts of the past would have missed by. Pure, float64.

Split conformal prediction with rolling origins: at each past origin the model forecasts with what
was known then, and the miss is kept per step. A miss is divided by the level of its day before it
is compared, because a busy weekday misses by more. The k-th smallest of n misses with
k = ceil((n + 1) * level) bounds the next one with at least that probability as long as the account
behaves as it did; no distribution is assumed. Bounds never narrow as the horizon grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

import numpy as np

from liquidity.engine.boundary import BoolArray, FloatArray, IntArray
from liquidity.engine.pattern import (
    CLOSED,
    IMPROVEMENT_MIN,
    MONTH_DAY,
    WEEKDAY,
    Days,
    grid,
    seasonal_naive,
)

LOWER: Final = 0.10
UPPER: Final = 0.90
ORIGINS_MAX: Final = 182
LEARNING_DAYS_MIN: Final = 28
MISSES_MIN: Final = 9
ALIGNED_MIN: Final = 20
LEVEL_SHARE: Final = 0.25
EVALUATED_WEEKS: Final = 8


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Learnt:
    """One gross flow's forecast with its past misses.

    `point`, `level` and `ahead_closed` have shape (H,). `missed` has shape (O, H): actual minus
    forecast, NaN where the day had not come yet; `misses` is the same divided by its day's level;
    `closed` tells which of those days were closed. `aligned` (O,) is true where the origin fell on
    today's weekday.
    """

    model: str
    point: FloatArray
    level: FloatArray
    ahead_closed: BoolArray
    missed: FloatArray
    misses: FloatArray
    closed: BoolArray
    aligned: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestReport:
    """How a model did on an account's own past; errors are in the flow's currency.

    `scaled_error` is its mean absolute error over that of last week's value: below 1 is better.
    `coverage` is the share of days inside the 10-90 band, each band made from earlier days only.
    """

    model: str
    days: int
    mae: float
    bias: float
    scaled_error: float | None
    coverage: float | None


def _levels(forecasts: FloatArray) -> FloatArray:
    """Return the level that misses are measured in: the day's forecast, never near zero."""
    usual = float(np.mean(forecasts)) if forecasts.size else 0.0
    return forecasts + LEVEL_SHARE * usual if usual > 0 else np.ones_like(forecasts)


def _origins(known: int) -> IntArray:
    first = max(LEARNING_DAYS_MIN, known - ORIGINS_MAX)
    return np.arange(first, known, dtype=np.int64)


def _misses(
    values: FloatArray, forecasts: FloatArray, *, origins: IntArray, steps: int
) -> FloatArray:
    """Return actual minus forecast, shape (O, steps), NaN where the actual is not known."""
    targets = origins[:, None] + np.arange(steps)
    actual = np.where(targets < len(values), values[np.minimum(targets, len(values) - 1)], np.nan)
    return actual - forecasts


def choose_model(values: FloatArray, days: Days, *, steps: int) -> str:
    """Return the month-day variant where it was clearly better on this past, else the plain one."""
    origins = _origins(len(values))
    if len(origins) == 0:
        return WEEKDAY
    error = {
        model: float(
            np.nanmean(
                np.abs(
                    _misses(
                        values,
                        grid(model, values, days, origins=origins, steps=steps),
                        origins=origins,
                        steps=steps,
                    )
                )
            )
        )
        for model in (WEEKDAY, MONTH_DAY)
    }
    return MONTH_DAY if error[MONTH_DAY] < (1 - IMPROVEMENT_MIN) * error[WEEKDAY] else WEEKDAY


def learn(values: FloatArray, days: Days, *, steps: int, model: str | None = None) -> Learnt:
    """Forecast the `steps` days after `values` (T,), with the misses of the past half year."""
    known = len(values)
    chosen = model or choose_model(values, days, steps=steps)
    origins = _origins(known)
    now = np.array([known], dtype=np.int64)
    point = grid(chosen, values, days, origins=now, steps=steps)[0] if known else np.zeros(steps)
    past = (
        grid(chosen, values, days, origins=origins, steps=steps)
        if len(origins)
        else np.zeros((0, steps))
    )
    levels = _levels(np.vstack([past, point]))
    targets = origins[:, None] + np.arange(steps)
    missed = _misses(values, past, origins=origins, steps=steps) if known else past
    return Learnt(
        model=chosen,
        point=point,
        level=levels[-1],
        ahead_closed=days.classes[known : known + steps] == CLOSED,
        missed=missed,
        misses=missed / levels[:-1],
        closed=days.classes[targets] == CLOSED,
        aligned=(known - origins) % 7 == 0,
    )


def conformal(misses: FloatArray) -> tuple[float, float]:
    """Return the lower and upper bound of the next miss; NaN when there are too few to say.

    Order statistics k = floor((n + 1) * 0.1) and ceil((n + 1) * 0.9), counted from one.
    """
    known = np.sort(misses[~np.isnan(misses)])
    count = len(known)
    if count < MISSES_MIN:
        return float("nan"), float("nan")
    low = max(1, floor((count + 1) * LOWER))
    high = min(count, ceil((count + 1) * UPPER))
    return float(known[low - 1]), float(known[high - 1])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Side:
    """One direction of the net flow: its misses, its sign, and how far each day can still fall.

    `left` (H,) is what is still expected of the day: a gross flow never falls below zero.
    `weight` (H,) is 0 on days whose flow is known and therefore does not miss, else 1.
    """

    learnt: Learnt
    sign: int
    left: FloatArray
    weight: FloatArray

    def sample(self, step: int, columns: slice) -> FloatArray:
        """Return the misses of past steps `columns` as misses of the day at `step`."""
        flow = self.learnt
        missed = np.where(
            flow.closed[:, columns] == flow.ahead_closed[step],
            flow.misses[:, columns] * flow.level[step],
            flow.missed[:, columns],
        )
        signed: FloatArray = self.sign * self.weight[step] * np.maximum(missed, -self.left[step])
        return signed

    def path(self) -> FloatArray:
        """Return every past origin's misses as misses of the days ahead, shape (O, H).

        A miss is brought to another day's level only between days of one kind: what a closed day
        missed by says nothing about the level of an open one, so it stays as it was.
        """
        flow = self.learnt
        alike = flow.closed == flow.ahead_closed
        missed = np.maximum(np.where(alike, flow.misses * flow.level, flow.missed), -self.left)
        signed: FloatArray = self.sign * self.weight * missed
        return signed


def single(learnt: Learnt) -> Side:
    """Return one gross flow as a side of its own, with nothing known about its days."""
    steps = len(learnt.point)
    return Side(learnt=learnt, sign=1, left=learnt.point, weight=np.ones(steps))


def day_bounds(sides: Sequence[Side]) -> FloatArray:
    """Return, shape (2, H), how far each day may fall below and rise above its point.

    A day is judged by all misses of its week ahead on days of its kind, open or closed. Bounds
    contain zero and, per kind of day, never narrow with the horizon in units of the level.
    """
    first = sides[0].learnt
    future_closed = first.ahead_closed
    steps = len(future_closed)
    level: FloatArray = sum((one.weight * one.learnt.level for one in sides), np.zeros(steps))
    found = np.full((2, steps), np.nan)
    widest: dict[tuple[bool, ...], FloatArray] = {}
    for step in range(steps):
        week = slice(step // 7 * 7, min(step // 7 * 7 + 7, steps))
        missed = np.sum([side.sample(step, week) for side in sides], axis=0)
        alike = missed[first.closed[:, week] == future_closed[step]]
        if np.count_nonzero(~np.isnan(alike)) < MISSES_MIN:
            alike = missed.ravel()
        low, high = conformal(alike)
        if np.isnan(low):
            continue
        kind = (bool(future_closed[step]), *(bool(side.weight[step]) for side in sides))
        unit = level[step] if level[step] > 0 else 1.0
        bounds = np.array([min(low, 0.0), max(high, 0.0)]) / unit
        before = widest.get(kind, np.zeros(2))
        widest[kind] = np.array([min(before[0], bounds[0]), max(before[1], bounds[1])])
        found[:, step] = widest[kind] * unit
    return found


def sum_bounds(sides: Sequence[Side]) -> FloatArray:
    """Return, shape (2, H), how far the sum of the first days may fall below and rise above.

    Whole past paths are summed, so that misses which come together stay together. Origins on
    today's weekday are preferred, because they cross the same weekend.
    """
    sums = np.cumsum(np.sum([side.path() for side in sides], axis=0), axis=1)
    found = np.full((2, sums.shape[1]), np.nan)
    for step in range(sums.shape[1]):
        column = sums[:, step]
        same = column[sides[0].learnt.aligned]
        if np.count_nonzero(~np.isnan(same)) >= ALIGNED_MIN:
            column = same
        low, high = conformal(column)
        found[:, step] = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return found


def backtest(values: FloatArray, days: Days, *, model: str) -> BacktestReport | None:
    """Judge a model on the last eight weeks of `values`, a week ahead each; None when too short.

    The bands of each evaluated week are learnt from the days before that week only.
    """
    known = len(values)
    origins = np.arange(known - 7 * EVALUATED_WEEKS, known - 6, 7, dtype=np.int64)
    origins = origins[origins >= LEARNING_DAYS_MIN]
    if len(origins) == 0:
        return None
    errors, naive, inside = [], [], []
    for origin in origins:
        learnt = learn(values[:origin], days, steps=7, model=model)
        actual = values[origin : origin + 7]
        errors.append(actual - learnt.point)
        once = np.array([origin], dtype=np.int64)
        naive.append(actual - seasonal_naive(values[:origin], origins=once, steps=7)[0])
        low, high = day_bounds([single(learnt)])
        if not np.isnan(low).any():
            inside.append((errors[-1] >= low - 1e-9) & (errors[-1] <= high + 1e-9))
    missed, yardstick = np.concatenate(errors), float(np.mean(np.abs(np.concatenate(naive))))
    mae = float(np.mean(np.abs(missed)))
    return BacktestReport(
        model=model,
        days=len(missed),
        mae=mae,
        bias=float(np.mean(missed)),
        scaled_error=mae / yardstick if yardstick > 0 else None,
        coverage=float(np.mean(np.concatenate(inside))) if inside else None,
    )
