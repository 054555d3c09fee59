"""Interest between companies and of notional pools: worked examples, and what always holds."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import smallest_unit
from treasury.engine.pool_interest import (
    Lent,
    Rates,
    accrual,
    notional,
    usual_day_count,
)

D = Decimal
CENT = smallest_unit("USD")
MONDAY = date(2026, 11, 16)


def lent(days: int, amount: str, rate: str = "0.06", day_count: str = "ACT_360") -> Lent:
    return Lent(
        day=MONDAY + timedelta(days=days), amount=D(amount), rate=D(rate), day_count=day_count
    )


def test_simple_interest_on_360_days() -> None:
    """1,000,000 at 6 % for 30 days, actual/360: principal × rate × 30 / 360 = 5,000.00."""
    days = accrual([lent(0, "1000000")], start=MONDAY, end=MONDAY + timedelta(29), unit=CENT)
    assert len(days) == 30
    assert days[-1].accrued == D("5000.00")
    assert days[0].interest == D("166.67")


def test_simple_interest_on_365_days() -> None:
    """1,000,000 at 7.3 % for one day, actual/365 fixed: 200.00."""
    (day,) = accrual([lent(0, "1000000", "0.073", "ACT_365F")], start=MONDAY, end=MONDAY, unit=CENT)
    assert (day.interest, day.balance) == (D("200.00"), D(1_000_000))


def test_a_repayment_counts_from_its_own_day() -> None:
    days = accrual(
        [lent(0, "360000"), lent(2, "-360000")], start=MONDAY, end=MONDAY + timedelta(4), unit=CENT
    )
    assert [day.interest for day in days] == [D("60.00"), D("60.00"), 0, 0, 0]
    assert [day.balance for day in days] == [360_000, 360_000, 0, 0, 0]


def test_a_pair_that_turns_round_owes_interest_the_other_way() -> None:
    days = accrual(
        [lent(0, "360000"), lent(1, "-720000")], start=MONDAY, end=MONDAY + timedelta(1), unit=CENT
    )
    assert [day.interest for day in days] == [D("60.00"), D("-60.00")]
    assert days[-1].accrued == 0


def test_the_newest_rate_holds_for_the_whole_balance() -> None:
    days = accrual(
        [lent(0, "360000", "0.06"), lent(1, "0.01", "0.03")],
        start=MONDAY, end=MONDAY + timedelta(1), unit=CENT,
    )  # fmt: skip
    assert [day.interest for day in days] == [D("60.00"), D("30.00")]


def test_days_before_the_first_shown_one_are_counted() -> None:
    shown = accrual(
        [lent(0, "360000")], start=MONDAY + timedelta(3), end=MONDAY + timedelta(3), unit=CENT
    )
    assert [(day.interest, day.accrued) for day in shown] == [(D("60.00"), D("240.00"))]


def test_nothing_lent_is_nothing_shown() -> None:
    assert accrual([], start=MONDAY, end=MONDAY, unit=CENT) == ()


ENTRIES = st.lists(
    st.builds(
        Lent,
        day=st.integers(0, 40).map(lambda step: MONDAY + timedelta(days=step)),
        amount=st.integers(-(10**11), 10**11).map(lambda cents: D(cents) / 100),
        rate=st.integers(-500, 2000).map(lambda bps: D(bps) / 10_000),
        day_count=st.sampled_from(["ACT_360", "ACT_365F"]),
    ),
    min_size=1,
    max_size=8,
)


@given(ENTRIES)
def test_the_shown_days_come_to_the_shown_total(entries: list[Lent]) -> None:
    first, last = min(one.day for one in entries), MONDAY + timedelta(days=45)
    days = accrual(entries, start=first, end=last, unit=CENT)
    assert sum(day.interest for day in days) == days[-1].accrued
    assert days[-1].balance == sum(one.amount for one in entries)
    bases = {"ACT_360": 360, "ACT_365F": 365}
    exact = sum(Fraction(day.balance) * Fraction(day.rate) / bases[day.day_count] for day in days)
    assert abs(exact - Fraction(days[-1].accrued)) <= Fraction(CENT) / 2


@given(ENTRIES, st.integers(-5, 50))
def test_days_that_are_not_shown_count_as_if_they_were(entries: list[Lent], later: int) -> None:
    last, start = MONDAY + timedelta(days=45), MONDAY + timedelta(days=later)
    every = accrual(entries, start=MONDAY - timedelta(days=9), end=last, unit=CENT)
    shown = accrual(entries, start=start, end=last, unit=CENT)
    assert shown == tuple(day for day in every if day.day >= start)


@given(ENTRIES)
def test_seen_from_the_other_side_everything_is_the_opposite(entries: list[Lent]) -> None:
    turned = [
        Lent(day=one.day, amount=-one.amount, rate=one.rate, day_count=one.day_count)
        for one in entries
    ]
    period: dict[str, Any] = {"start": MONDAY, "end": MONDAY + timedelta(days=45), "unit": CENT}
    ours, theirs = accrual(entries, **period), accrual(turned, **period)
    assert [(day.balance, day.interest) for day in ours] == [
        (-day.balance, -day.interest) for day in theirs
    ]


@pytest.mark.parametrize(
    ("currency", "basis"),
    [("USD", "ACT_360"), ("EUR", "ACT_360"), ("AED", "ACT_360"), ("GBP", "ACT_365F"),
     ("INR", "ACT_365F")],
)  # fmt: skip
def test_currencies_count_days_by_their_money_market(currency: str, basis: str) -> None:
    assert usual_day_count(currency) == basis


POOL = Rates(credit=D("0.02"), debit=D("0.05"))
ALONE = Rates(credit=D("0.01"), debit=D("0.08"))


def test_an_overdraft_eats_up_a_credit_balance_before_interest_is_counted() -> None:
    """360,000 and -180,000: the pool earns 2 % on 180,000; alone 1 % is earned and 8 % is paid."""
    (day,) = notional(
        {MONDAY: [(D(360_000), ALONE), (D(-180_000), ALONE)]},
        pool=POOL, day_count="ACT_360", unit=CENT,
    )  # fmt: skip
    assert (day.balance, day.pooled, day.alone) == (D(180_000), D("10.00"), D("-30.00"))
    assert day.advantage == D("40.00")


def test_a_pool_in_debit_pays_its_own_rate() -> None:
    (day,) = notional(
        {MONDAY: [(D(-360_000), ALONE), (D(180_000), ALONE)]},
        pool=POOL, day_count="ACT_360", unit=CENT,
    )  # fmt: skip
    assert (day.pooled, day.alone) == (D("-25.00"), D("-75.00"))


@given(
    st.lists(st.integers(-(10**9), 10**9).map(lambda cents: D(cents) / 100), max_size=6),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_at_equal_rates_pooling_never_costs_anything(
    balances: list[Decimal], credit: int, spread: int
) -> None:
    """A bank takes more on debit than it pays on credit: netting cannot lose."""
    rates = Rates(credit=D(credit) / 10_000, debit=D(credit + spread) / 10_000)
    (day,) = notional(
        {MONDAY: [(one, rates) for one in balances]},
        pool=rates, day_count="ACT_365F", unit=CENT,
    )  # fmt: skip
    assert day.advantage >= -CENT
