"""The usual flow of a day: by hand, by published data, by properties, and without look-ahead."""

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquidity.engine.boundary import FloatArray
from liquidity.engine.intervals import choose_model
from liquidity.engine.pattern import (
    CLOSED,
    MONTH_DAY,
    WEEKDAY,
    Days,
    centre,
    describe_days,
    grid,
    seasonal_naive,
    weekday_grid,
)

MONDAY = date(2026, 1, 5)
NN5 = Path(__file__).resolve().parents[3] / "shared" / "data" / "forecast" / "nn5_daily.csv"
TEST_DAYS = 56

amounts = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def every_day(_day: date) -> bool:
    return True


def weekdays_only(day: date) -> bool:
    return day.weekday() < 5


def at(*origins: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(origins, dtype=np.int64)


def test_the_centre_leaves_the_highest_and_the_lowest_out() -> None:
    # 10 and 900 go; (20 + 30 + 40) / 3 stays.
    assert centre([900.0, 20.0, 10.0, 40.0, 30.0]) == pytest.approx(30.0)


def test_of_a_few_days_nothing_is_left_out() -> None:
    assert centre([10.0, 20.0, 90.0]) == pytest.approx(40.0)


def test_a_monday_is_forecast_from_the_last_eight_mondays() -> None:
    # Ten Mondays 1..10 at 100 each; the two oldest are forgotten, 3 and 10 are trimmed.
    days = describe_days(MONDAY, 77, every_day)
    values = np.zeros(70)
    values[::7] = 100.0 * np.arange(1, 11)
    found = weekday_grid(values, days, origins=at(70), steps=7)
    assert found[0].tolist() == pytest.approx([100 * (4 + 5 + 6 + 7 + 8 + 9) / 6, 0, 0, 0, 0, 0, 0])


def test_one_odd_day_does_not_echo() -> None:
    days = describe_days(MONDAY, 63, every_day)
    values = np.full(56, 10.0)
    values[49] = 1_000_000.0
    assert weekday_grid(values, days, origins=at(56), steps=7)[0, 0] == pytest.approx(10.0)


def test_a_holiday_is_forecast_from_closed_days_and_does_not_spoil_its_weekday() -> None:
    holidays = {MONDAY + timedelta(days=49), MONDAY + timedelta(days=70)}
    days = describe_days(MONDAY, 84, lambda day: weekdays_only(day) and day not in holidays)
    values = np.array([50.0 if days.classes[step] != CLOSED else 0.0 for step in range(70)])
    found = weekday_grid(values, days, origins=at(70), steps=14)[0]
    assert found[0] == 0.0  # the coming Monday is a holiday
    assert found[7] == pytest.approx(50.0)  # the one after is not, in spite of the past holiday


def test_the_month_end_is_learnt_and_only_then_used() -> None:
    start, known = date(2025, 1, 1), 400
    days = describe_days(start, known + 40, every_day)
    last = days.month_keys == 32
    values = 100.0 + 5_000.0 * last[:known]
    assert choose_model(values, days, steps=14) == MONTH_DAY
    found = grid(MONTH_DAY, values, days, origins=at(known), steps=40)[0]
    plain = grid(WEEKDAY, values, days, origins=at(known), steps=40)[0]
    ahead = last[known:]
    assert found[ahead].min() > 3_000.0 > plain[ahead].max()
    assert choose_model(np.full(known, 100.0), days, steps=14) == WEEKDAY


@given(st.lists(amounts, min_size=60, max_size=90), st.integers(20, 59))
def test_a_forecast_never_looks_ahead(values: list[float], origin: int) -> None:
    past = np.array(values)
    days = describe_days(MONDAY, len(past) + 14, weekdays_only)
    changed = past.copy()
    changed[origin:] = 12_345.0
    for model in (WEEKDAY, MONTH_DAY):
        before = grid(model, past, days, origins=at(origin), steps=7)
        after = grid(model, changed, days, origins=at(origin), steps=7)
        assert before.tolist() == after.tolist()


@given(st.lists(amounts, min_size=29, max_size=70), st.floats(0.01, 1000))
def test_twice_the_flows_are_twice_the_forecast(values: list[float], factor: float) -> None:
    past = np.array(values)
    days = describe_days(MONDAY, len(past) + 7, every_day)
    found = weekday_grid(past, days, origins=at(len(past)), steps=7)
    scaled = weekday_grid(past * factor, days, origins=at(len(past)), steps=7)
    assert scaled == pytest.approx(found * factor, rel=1e-9, abs=1e-6)


@given(st.lists(amounts, min_size=1, max_size=70))
def test_a_forecast_stays_between_the_extremes_of_the_past(values: list[float]) -> None:
    past = np.array(values)
    days = describe_days(MONDAY, len(past) + 14, every_day)
    found = weekday_grid(past, days, origins=at(len(past)), steps=14)
    assert found.min() >= past.min() - 1e-6
    assert found.max() <= past.max() + 1e-6 * max(1.0, past.max())


@given(st.lists(amounts, min_size=40, max_size=60))
def test_many_origins_at_once_equal_one_at_a_time(values: list[float]) -> None:
    past = np.array(values)
    days = describe_days(MONDAY, len(past) + 7, weekdays_only)
    together = weekday_grid(past, days, origins=at(30, 35, 39), steps=7)
    for row, origin in enumerate((30, 35, 39)):
        alone = weekday_grid(past[:origin], days, origins=at(origin), steps=7)
        assert together[row] == pytest.approx(alone[0], rel=1e-9, abs=1e-6)


# --- published daily cash demand: 111 machines, the last 56 days are forecast ------------------


@pytest.fixture(scope="module")
def machines() -> FloatArray:
    """The NN5 series, shape (days, 111), gaps filled with the median of their weekday."""
    if not NN5.exists():
        pytest.skip("The NN5 data are not beside this checkout.")
    with NN5.open(encoding="utf-8") as rows:
        body = list(csv.reader(rows))[1:]
    values = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in body])
    for machine in range(values.shape[1]):
        for weekday in range(7):
            column = values[weekday::7, machine]
            column[np.isnan(column)] = np.nanmedian(column)
    return values


def mean_error(values: FloatArray, forecasts: list[FloatArray]) -> float:
    return float(np.mean([np.abs(values[-TEST_DAYS:, i] - f) for i, f in enumerate(forecasts)]))


def test_the_yardsticks_reproduce_the_measured_errors(machines: FloatArray) -> None:
    past = machines[:-TEST_DAYS]
    origin = at(len(past))
    naive = [seasonal_naive(past[:, i], origins=origin, steps=TEST_DAYS)[0] for i in range(111)]
    assert mean_error(machines, naive) == pytest.approx(4.319, abs=0.001)
    weeks = np.stack([past[len(past) - 7 * back :][:7] for back in range(1, 9)]).mean(axis=0)
    mean_of_eight = [np.tile(weeks[:, i], 8) for i in range(111)]
    assert mean_error(machines, mean_of_eight) == pytest.approx(3.726, abs=0.001)


def test_the_model_beats_its_yardsticks_on_published_cash_demand(machines: FloatArray) -> None:
    past = machines[:-TEST_DAYS]
    days = describe_days(date(1996, 3, 18), len(machines), every_day)
    found = [
        grid(WEEKDAY, past[:, i], days, origins=at(len(past)), steps=TEST_DAYS)[0]
        for i in range(111)
    ]
    error = mean_error(machines, found)
    assert error == pytest.approx(3.625, abs=0.001)
    # Published on the same protocol: TBATS 3.70, ETS 3.72, Theta 3.80, SES 6.63.
    assert error < 3.70


def test_the_same_past_gives_the_same_forecast(machines: FloatArray) -> None:
    past = machines[:-TEST_DAYS, 0]
    days: Days = describe_days(date(1996, 3, 18), len(machines), every_day)
    runs = [grid(MONTH_DAY, past, days, origins=at(len(past)), steps=14) for _ in range(2)]
    assert runs[0].tobytes() == runs[1].tobytes()
