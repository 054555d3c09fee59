"""Assembling a forecast: exact sums, no double counting, need until the next funding day."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calendars.library import reference_calendar
from core.errors import Invalid
from liquidity.engine.boundary import as_amount, as_floats
from liquidity.engine.forecast import (
    KNOWN_ONLY,
    Gross,
    Inputs,
    PlanRule,
    make_forecast,
)
from liquidity.engine.need import NeedBasis, days_to_cover, need_of
from liquidity.engine.pattern import WEEKDAY

FRIDAY = date(2026, 11, 20)
ONE_DAY = timedelta(days=1)
YEARS = range(2026, 2028)


def steady(amount: str = "100.00", *, days: int = 90, **more: object) -> Inputs:
    """An account that pays the same every day."""
    history = {
        FRIDAY - back * ONE_DAY: Gross(outflow=Decimal(amount)) for back in range(1, days + 1)
    }
    facts: dict[str, object] = {
        "currency": "INR",
        "start": FRIDAY,
        "steps": 14,
        "history_start": FRIDAY - days * ONE_DAY,
        "history_end": FRIDAY - ONE_DAY,
        "history": history,
        "opening": Decimal("1000.00"),
        **more,
    }
    return Inputs(**facts)  # type: ignore[arg-type]


# --- the boundary --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "currency", "amount"),
    [
        (2.675, "USD", "2.68"),
        (2.5, "JPY", "2"),
        (3.5, "JPY", "4"),
        (1.2345, "KWD", "1.234"),
        (0.1 + 0.2, "EUR", "0.30"),
        (-0.001, "EUR", "0.00"),
    ],
)
def test_statistics_become_amounts_half_even_at_the_minor_unit(
    value: float, currency: str, amount: str
) -> None:
    assert str(as_amount(value, currency)) == amount


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_statistic_without_a_value_is_no_amount(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        as_amount(value, "USD")


def test_endless_amounts_do_not_enter_the_statistics() -> None:
    with pytest.raises(ValueError, match="finite"):
        as_floats([Decimal("NaN")])


# --- the need --------------------------------------------


@pytest.mark.parametrize(
    ("calendar", "day", "days"),
    [
        ("FED", date(2026, 11, 25), 2),  # Thanksgiving
        ("UK_EW", date(2026, 12, 24), 5),  # Christmas, Boxing day in lieu
        ("TARGET", date(2026, 4, 2), 5),  # Easter
        ("MUMBAI_FX", date(2026, 11, 23), 2),  # Guru Nanak
        ("UK_EW", date(2027, 3, 25), 5),  # Easter
        ("MUMBAI_FX", date(2026, 11, 9), 2),  # Diwali: Bali Pratipada
        ("MUMBAI_FX", date(2027, 10, 28), 4),  # Diwali runs into a weekend
        ("FED", date(2026, 11, 20), 3),  # an ordinary Friday
        ("FED", date(2026, 11, 17), 1),  # an ordinary Tuesday
        ("FED", date(2026, 11, 21), 2),  # a Saturday cannot be funded before Monday
    ],
)
def test_money_must_last_until_the_next_funding_day(calendar: str, day: date, days: int) -> None:
    assert days_to_cover(reference_calendar(calendar, YEARS), day) == days


def test_a_friday_needs_three_days_of_payouts() -> None:
    found = make_forecast(steady())
    need = need_of(found, days=3, available=Decimal("250.00"), basis=NeedBasis.POINT)
    assert (need.required, need.until) == (Decimal("300.00"), date(2026, 11, 22))
    assert need.shortfall == Decimal("50.00")


@pytest.mark.parametrize(
    ("available", "shortfall"),
    [("300.00", "0"), ("300.01", "0"), ("299.99", "0.01"), ("-50.00", "350.00")],
)
def test_a_shortfall_is_never_negative_and_an_overdraft_adds_to_it(
    available: str, shortfall: str
) -> None:
    found = make_forecast(steady())
    need = need_of(found, days=3, available=Decimal(available), basis=NeedBasis.POINT)
    assert need.shortfall == Decimal(shortfall)


def test_inflows_that_are_not_agreed_do_not_lower_the_need() -> None:
    both = {day: Gross(inflow=Decimal(500), outflow=Decimal(100)) for day in steady().history}
    found = make_forecast(steady(history=both))
    assert found.lines[0].expected_in == Decimal("500.00")
    need = need_of(found, days=3, available=Decimal(0), basis=NeedBasis.POINT)
    assert need.required == Decimal("300.00")


def test_a_need_longer_than_the_forecast_is_refused() -> None:
    with pytest.raises(Invalid):
        need_of(make_forecast(steady(steps=2)), days=3, available=Decimal(0), basis=NeedBasis.POINT)


def test_without_bounds_the_upper_need_says_that_it_is_the_point() -> None:
    short = make_forecast(steady(days=20, regular={FRIDAY: Decimal(70)}))
    need = need_of(short, days=1, available=Decimal(0), basis=NeedBasis.UPPER)
    assert (need.required, need.is_upper) == (Decimal(70), False)


# --- no movement twice -----------------


def test_an_even_past_is_forecast_exactly_and_without_doubt() -> None:
    found = make_forecast(steady())
    assert found.model == WEEKDAY
    for number, line in enumerate(found.lines, start=1):
        assert line.net == line.p10 == line.p90 == Decimal("-100.00")
        assert line.closing == line.closing_p10 == Decimal(1000 - 100 * number)


def test_four_weeks_are_the_least_that_a_statistic_takes() -> None:
    assert make_forecast(steady(days=28)).model == WEEKDAY
    short = make_forecast(steady(days=27))
    assert short.model == KNOWN_ONLY
    assert {line.net for line in short.lines} == {Decimal(0)}
    assert {line.p10 for line in short.lines} == {None}


@pytest.mark.parametrize(
    ("planned", "booked", "rule", "known", "usual"),
    [
        (None, "0", PlanRule.REPLACE, "0", "100"),
        (None, "30", PlanRule.REPLACE, "0", "70"),
        (None, "130", PlanRule.REPLACE, "0", "0"),
        ("40", "0", PlanRule.REPLACE, "40", "0"),
        ("40", "30", PlanRule.REPLACE, "10", "0"),
        ("40", "60", PlanRule.REPLACE, "0", "0"),
        ("40", "0", PlanRule.LARGER, "40", "60"),
        ("40", "60", PlanRule.LARGER, "0", "40"),
        ("140", "0", PlanRule.LARGER, "140", "0"),
    ],
)
def test_of_todays_ordinary_payouts_only_the_rest_is_expected(
    planned: str | None, booked: str, rule: PlanRule, known: str, usual: str
) -> None:
    regular = {} if planned is None else {FRIDAY: Decimal(planned)}
    inputs = steady(regular=regular, today=Gross(outflow=Decimal(booked)), rule=rule)
    line = make_forecast(inputs).lines[0]
    assert (line.known_out, line.expected_out) == (Decimal(known), Decimal(usual))


def test_a_replaced_day_has_no_doubt_left_about_its_outflow() -> None:
    noisy = {
        day: Gross(outflow=Decimal(100 + 37 * (number % 5)))
        for number, day in enumerate(steady().history)
    }
    inputs = steady(history=noisy, regular={FRIDAY + ONE_DAY: Decimal(90)})
    first, second, third = make_forecast(inputs).lines[:3]
    assert first.p10 is not None
    assert first.p10 < first.net
    assert (second.p10, second.p90) == (Decimal(-90), Decimal(-90))
    assert third.p10 is not None
    assert third.p10 < third.net


def test_known_flows_of_the_past_are_not_part_of_what_is_usual() -> None:
    rent_days = {FRIDAY - 7 * week * ONE_DAY for week in range(1, 12)}
    history = {
        day: Gross(outflow=Decimal(140 if day in rent_days else 100)) for day in steady().history
    }
    known = {day: Gross(outflow=Decimal(40)) for day in rent_days}
    inputs = steady(history=history, known_past=known, extra={FRIDAY: Gross(outflow=Decimal(40))})
    line = make_forecast(inputs).lines[0]
    assert (line.known_out, line.expected_out) == (Decimal(40), Decimal(100))


def test_a_payout_account_is_not_promised_inflows_by_its_band() -> None:
    noisy = {
        day: Gross(outflow=Decimal(400 if number % 4 else 0))
        for number, day in enumerate(steady().history)
    }
    for booked in ("0", "250"):
        found = make_forecast(steady(history=noisy, today=Gross(outflow=Decimal(booked))))
        assert all(line.p90 is not None and line.p90 <= 0 for line in found.lines)


def test_a_bank_holiday_is_forecast_as_closed() -> None:
    holiday = FRIDAY + 5 * ONE_DAY
    past = set(steady().history)
    closed = frozenset(
        {day for day in past if day.weekday() > 4}
        | {FRIDAY + ONE_DAY, FRIDAY + 2 * ONE_DAY, holiday}
    )
    history = {day: Gross(outflow=Decimal(100)) for day in past - closed}
    found = make_forecast(steady(history=history, closed_days=closed, steps=7))
    assert [int(line.expected_out) for line in found.lines] == [100, 0, 0, 100, 100, 0, 100]


amounts = st.decimals(min_value=0, max_value=10**9, places=2)


@given(
    st.lists(amounts, min_size=0, max_size=60),
    amounts,
    st.dictionaries(st.integers(0, 6), amounts, max_size=4),
    st.sampled_from(PlanRule),
)
def test_every_line_adds_up_and_is_in_minor_units(
    outflows: list[Decimal], booked: Decimal, plans: dict[int, Decimal], rule: PlanRule
) -> None:
    history = {
        FRIDAY - back * ONE_DAY: Gross(outflow=amount)
        for back, amount in enumerate(outflows, start=1)
    }
    inputs = steady(
        history=history,
        history_start=min(history, default=None),
        history_end=FRIDAY - ONE_DAY if history else None,
        today=Gross(outflow=booked),
        regular={FRIDAY + step * ONE_DAY: amount for step, amount in plans.items()},
        rule=rule,
        steps=7,
    )
    found = make_forecast(inputs)
    running = inputs.opening
    for line in found.lines:
        assert line.net == line.inflow - line.outflow
        assert min(line.known_in, line.known_out, line.expected_in, line.expected_out) >= 0
        running += line.net
        assert line.closing == running
        assert line.net == line.net.quantize(Decimal("0.01"))
        if line.p10 is not None and line.p90 is not None:
            assert line.p10 <= line.net <= line.p90
    assert make_forecast(inputs) == found


@given(st.lists(amounts, min_size=40, max_size=60))
def test_the_upper_need_is_never_below_the_expected_one(outflows: list[Decimal]) -> None:
    history = {
        FRIDAY - back * ONE_DAY: Gross(outflow=amount)
        for back, amount in enumerate(outflows, start=1)
    }
    found = make_forecast(steady(history=history, history_start=min(history), steps=7))
    for days in range(1, 8):
        point = need_of(found, days=days, available=Decimal(0), basis=NeedBasis.POINT)
        upper = need_of(found, days=days, available=Decimal(0), basis=NeedBasis.UPPER)
        assert upper.required >= point.required
