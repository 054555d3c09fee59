"""Dates beside QuantLib: its own calendar arithmetic, fed with our holidays."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
import QuantLib

from calendars.engine.days import BusinessCalendar
from fx.engine.dates import (
    Centres,
    fixing_date,
    forward_date,
    is_month_end,
    parse_tenor,
    spot_date,
)
from tests.fx.centres import calendars, centres

FIRST, LAST = date(2022, 1, 3), date(2027, 6, 30)
PAIRS = (
    "EUR/USD", "GBP/USD", "USD/INR", "USD/AED", "USD/CAD", "EUR/GBP", "EUR/INR", "GBP/INR",
    "EUR/AED", "GBP/AED", "AED/INR", "GBP/CAD",
)  # fmt: skip
CASES = 400  # trade dates a pair
TENORS = (
    ("1W", 7, "D"),
    ("2W", 14, "D"),
    ("1M", 1, "M"),
    ("3M", 3, "M"),
    ("6M", 6, "M"),
    ("1Y", 1, "Y"),
)


def _date(day: date) -> Any:
    return QuantLib.Date(day.day, day.month, day.year)


def _ours(day: Any) -> date:
    return date(day.year(), day.month(), day.dayOfMonth())


def _peer(name: str, ours: BusinessCalendar) -> Any:
    """Return a calendar of QuantLib that is closed on exactly our closed days."""
    made = QuantLib.BespokeCalendar(name)
    for offset in range((date(2028, 12, 31) - date(2022, 1, 1)).days + 1):
        day = date(2022, 1, 1) + timedelta(days=offset)
        if not ours.is_open(day):
            made.addHoliday(_date(day))
    return made


@pytest.fixture(scope="module")
def peers() -> dict[str, Any]:
    return {code: _peer(f"ours {code}", ours) for code, ours in calendars().items()}


def _joint(peers: dict[str, Any], *codes: str) -> Any:
    found = peers[codes[0]]
    for code in codes[1:]:
        found = QuantLib.JointCalendar(found, peers[code], QuantLib.JoinHolidays)
    return found


def _trades(house: Centres) -> Iterator[date]:
    """Yield random days on which the pair is dealt."""
    rng = Random(str(house.pair))
    found = 0
    while found < CASES:
        day = FIRST + timedelta(days=rng.randrange((LAST - FIRST).days))
        if house.own.is_open(day):
            found += 1
            yield day


def test_spot_and_forwards_agree_on_ten_thousand_cases(peers: dict[str, Any]) -> None:
    """12 pairs × 400 trade dates × (spot, six tenors): 33,600 dates, each the same as the peer's.

    QuantLib knows no spot rule of foreign exchange; it is written down here in its own steps.
    """
    compared = 0
    for name in PAIRS:
        house = centres(name)
        between = _joint(peers, *(one for one in house.pair.currencies if one != "USD"))
        joint = _joint(peers, *dict.fromkeys((*house.pair.currencies, "USD")))
        for traded in _trades(house):
            spot = between.advance(_date(traded), house.pair.spot_lag_days - 1, QuantLib.Days)
            spot = joint.adjust(spot + 1, QuantLib.Following)
            assert _ours(spot) == spot_date(house, traded)
            for tenor, count, unit in TENORS:
                rolled = _advanced(joint, spot, count, unit)
                assert _ours(rolled) == forward_date(house, _ours(spot), parse_tenor(tenor))
                compared += 1
            compared += 1
    assert compared == len(PAIRS) * CASES * (len(TENORS) + 1)


def _advanced(joint: Any, spot: Any, count: int, unit: str) -> Any:
    if unit == "D":
        return joint.adjust(spot + count, QuantLib.Following)
    period = QuantLib.Period(count, QuantLib.Months if unit == "M" else QuantLib.Years)
    return joint.advance(spot, period, QuantLib.ModifiedFollowing, True)


def test_where_plain_counting_of_joint_days_differs_new_york_was_shut_between(
    peers: dict[str, Any],
) -> None:
    """Two joint business days is what a library alone would say; every difference has its name."""
    why: Counter[str] = Counter()
    for name in PAIRS:
        house = centres(name)
        joint = _joint(peers, *dict.fromkeys((*house.pair.currencies, "USD")))
        for traded in _trades(house):
            spot = spot_date(house, traded)
            plain = _ours(joint.advance(_date(traded), house.pair.spot_lag_days, QuantLib.Days))
            why[_difference(house, traded, spot, plain)] += 1
    assert why.keys() == {"same", "New York was shut on a day between"}
    assert why["New York was shut on a day between"] > 20


def _difference(house: Centres, traded: date, spot: date, plain: date) -> str:
    if spot == plain:
        return "same"
    new_york = house.calendars["USD"]
    between = (traded + timedelta(days=n) for n in range(1, (spot - traded).days))
    shut = [one for one in between if not new_york.is_open(one) and house.between.is_open(one)]
    return "New York was shut on a day between" if shut and spot < plain else "unexplained"


def test_without_end_end_month_ends_differ(peers: dict[str, Any]) -> None:
    """The control: switched off at the peer, the convention shows, and only at month ends."""
    house = centres("EUR/USD")
    joint = _joint(peers, "EUR", "USD")
    differ = 0
    for traded in _trades(house):
        spot = spot_date(house, traded)
        plain = joint.advance(_date(spot), 1, QuantLib.Months, QuantLib.ModifiedFollowing, False)
        if _ours(plain) != forward_date(house, spot, parse_tenor("1M")):
            assert is_month_end(house.settlement, spot)
            differ += 1
    assert differ > 0


def test_fixings_agree(peers: dict[str, Any]) -> None:
    mumbai = calendars()["INR"]
    settlements = list(_trades(centres("USD/INR")))
    for settlement in settlements:
        fixing = peers["INR"].advance(_date(settlement), -2, QuantLib.Days)
        assert _ours(fixing) == fixing_date(mumbai, settlement)
