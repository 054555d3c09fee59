"""Intervals keep their promise: on made payments, on published cash demand, and in the formula."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquidity.engine.boundary import FloatArray
from liquidity.engine.intervals import (
    MISSES_MIN,
    backtest,
    conformal,
    day_bounds,
    learn,
    single,
    sum_bounds,
)
from liquidity.engine.pattern import CLOSED, WEEKDAY, Days, describe_days
from tests.liquidity.test_engine_pattern import MONDAY, every_day, machines, weekdays_only

__all__ = ["machines"]


def payments(rng: np.random.Generator, *, count: int, days: Days) -> FloatArray:
    """Daily payouts: a weekday profile, log-normal noise, nothing on closed days."""
    level = np.array([120.0, 100.0, 95.0, 105.0, 160.0, 60.0, 30.0, 0.0])[days.classes[:count]]
    made: FloatArray = level * rng.lognormal(mean=0.0, sigma=0.25, size=count)
    return made


def test_the_bounds_are_the_order_statistics_of_the_formula() -> None:
    # n = 19: floor(20 * 0.1) = 2nd smallest, ceil(20 * 0.9) = 18th.
    assert conformal(np.arange(1.0, 20.0)) == (2.0, 18.0)


def test_gaps_do_not_count_as_misses() -> None:
    assert conformal(np.array([np.nan, *range(1, 20)])) == (2.0, 18.0)


def test_too_few_misses_give_no_bounds_instead_of_invented_ones() -> None:
    assert np.isnan(conformal(np.zeros(MISSES_MIN - 1))).all()
    assert not np.isnan(conformal(np.zeros(MISSES_MIN))).any()


def test_conformal_bounds_keep_their_closed_form_coverage() -> None:
    # The next of n + 1 exchangeable draws lies between the k-th and m-th with (m - k) / (n + 1).
    rng = np.random.default_rng(11)
    n, trials = 99, 4_000
    draws = rng.standard_t(3, size=(trials, n + 1))
    hits = [low <= row[-1] <= high for row in draws for low, high in [conformal(row[:-1])]]
    assert np.mean(hits) == pytest.approx((90 - 10) / 100, abs=0.02)


@pytest.mark.parametrize("is_open", [every_day, weekdays_only])
def test_eight_of_ten_days_of_made_payments_fall_inside(is_open: object) -> None:
    rng = np.random.default_rng(5)
    days = describe_days(date(2025, 1, 1), 420, is_open)  # type: ignore[arg-type]
    inside: list[bool] = []
    for _ in range(40):
        values = payments(rng, count=414, days=days)
        flow = learn(values[:400], days, steps=14, model=WEEKDAY)
        low, high = day_bounds([single(flow)])
        missed = values[400:414] - flow.point
        opened = days.classes[400:414] != CLOSED
        inside += list(((missed >= low) & (missed <= high))[opened])
    # Bounds that never narrow with the horizon may hold a little more than promised, not less.
    assert 0.77 <= np.mean(inside) <= 0.88


def test_nine_of_ten_sums_of_three_days_stay_below_their_upper_bound() -> None:
    rng = np.random.default_rng(6)
    days = describe_days(date(2025, 1, 1), 420, every_day)
    below = []
    for _ in range(200):
        values = payments(rng, count=403, days=days)
        flow = learn(values[:400], days, steps=3, model=WEEKDAY)
        missed = values[400:403].sum() - flow.point.sum()
        below.append(missed <= sum_bounds([single(flow)])[1, 2])
    assert 0.86 <= np.mean(below) <= 0.97


def test_a_drifting_account_still_keeps_most_of_the_promise() -> None:
    # Growing by a third in a year is not exchangeable: the band may slip, not collapse.
    rng = np.random.default_rng(7)
    days = describe_days(date(2025, 1, 1), 420, every_day)
    growth = 1.0 + np.arange(414) / 1200
    inside = []
    for _ in range(40):
        values = payments(rng, count=414, days=days) * growth
        flow = learn(values[:400], days, steps=14, model=WEEKDAY)
        low, high = day_bounds([single(flow)])
        missed = values[400:414] - flow.point
        inside += list((missed >= low) & (missed <= high))
    assert np.mean(inside) >= 0.74


def test_the_promise_holds_on_published_cash_demand(machines: FloatArray) -> None:
    days = describe_days(date(1996, 3, 18), len(machines), every_day)
    recent = Days(classes=days.classes[-400:], month_keys=days.month_keys[-400:])
    reports = [
        backtest(machines[-400:, i], recent, model=WEEKDAY) for i in range(machines.shape[1])
    ]
    coverage = [one.coverage for one in reports if one and one.coverage is not None]
    assert len(coverage) == 111
    assert 0.78 <= float(np.mean(coverage)) <= 0.88
    errors = [one.scaled_error for one in reports if one and one.scaled_error is not None]
    assert float(np.mean(errors)) == pytest.approx(0.739, abs=0.005)


@given(st.lists(st.floats(0, 1e6), min_size=50, max_size=120))
def test_bounds_hold_the_point_and_never_fall_below_no_flow(values: list[float]) -> None:
    past = np.array(values)
    days = describe_days(MONDAY, len(past) + 14, every_day)
    flow = learn(past, days, steps=14)
    low, high = day_bounds([single(flow)])
    if np.isnan(low).any():
        return
    assert (low <= 0).all()
    assert (high >= 0).all()
    sums = sum_bounds([single(flow)])
    assert (np.cumsum(flow.point) + sums[0] >= -1e-6 * max(1.0, past.max())).all()


def test_bounds_do_not_narrow_with_the_horizon() -> None:
    rng = np.random.default_rng(8)
    days = describe_days(date(2025, 1, 1), 414, every_day)
    flow = learn(payments(rng, count=400, days=days), days, steps=14, model=WEEKDAY)
    low, high = day_bounds([single(flow)]) / flow.level
    assert (np.diff(high) >= -1e-12).all()
    assert (np.diff(low) <= 1e-12).all()


def test_closed_days_are_not_given_the_doubt_of_open_ones() -> None:
    rng = np.random.default_rng(9)
    days = describe_days(date(2025, 1, 1), 414, weekdays_only)
    values = payments(rng, count=400, days=days)
    flow = learn(values, days, steps=14, model=WEEKDAY)
    closed = days.classes[400:414] == CLOSED
    low, high = day_bounds([single(flow)])
    assert (high[closed] - low[closed] == 0).all()
    assert (high[~closed] - low[~closed] > 0).all()


def test_flows_on_a_bank_holiday_do_not_blow_up_the_days_after() -> None:
    # An account that is paid on bank holidays as well: each past holiday missed by 100.
    holidays = {date(2025, 1, 1) + timedelta(days=step) for step in range(300, 400, 10)}
    start = date(2025, 1, 1)
    days = describe_days(start, 414, lambda day: weekdays_only(day) and day not in holidays)
    values = np.array([100.0 * weekdays_only(start + timedelta(days=step)) for step in range(400)])
    flow = learn(values, days, steps=14, model=WEEKDAY)
    upper = sum_bounds([single(flow)])[1]
    # Two holidays fit into two weeks: 200. Brought to the level of an open day it would be 1,359.
    assert upper.max() == pytest.approx(200.0)


def test_a_backtest_needs_enough_past() -> None:
    days = describe_days(MONDAY, 60, every_day)
    assert backtest(np.ones(34), days, model=WEEKDAY) is None
    report = backtest(np.ones(60), days, model=WEEKDAY)
    assert report is not None
    assert (report.mae, report.bias, report.scaled_error) == (0.0, 0.0, None)
