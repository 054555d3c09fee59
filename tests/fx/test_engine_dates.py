"""Dates of foreign exchange: vectors, then what must hold over twenty years of every pair."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from calendars.engine.days import (
    CalendarData,
    HolidayFact,
    JointCalendar,
    WeekendRule,
    add_business_days,
)
from calendars.errors import CalendarCoverageError
from fx.engine.dates import (
    Centres,
    cash_date,
    fixing_date,
    forward_date,
    is_month_end,
    parse_tenor,
    period_name,
    require_value_date,
    short_period,
    spot_date,
    tom_date,
    trade_date,
    value_date,
)
from fx.engine.pairs import Pair, pair_of, parse_pair
from fx.errors import PairUnknown, TenorEmpty, TenorUnknown, ValueDateRefused
from tests.fx.centres import calendars, centres

# Worked by hand from the published holidays of each centre; the first one is the market's own
# trade around Juneteenth 2023.
SPOTS = (
    ("EUR/USD", "2023-06-16", "2023-06-20"),
    ("EUR/USD", "2026-11-24", "2026-11-27"),
    ("EUR/USD", "2026-11-25", "2026-11-27"),
    ("EUR/GBP", "2026-11-24", "2026-11-27"),
    ("USD/CAD", "2026-11-25", "2026-11-27"),
    ("GBP/CAD", "2026-11-25", "2026-11-27"),
    ("USD/INR", "2026-11-23", "2026-11-27"),
    ("USD/INR", "2026-11-20", "2026-11-25"),
    ("USD/AED", "2026-11-30", "2026-12-04"),
    ("GBP/AED", "2026-12-01", "2026-12-07"),
    ("AED/INR", "2026-12-01", "2026-12-07"),
    ("EUR/USD", "2026-12-23", "2026-12-28"),
    ("GBP/USD", "2026-12-23", "2026-12-29"),
    ("EUR/USD", "2026-12-24", "2026-12-29"),
    ("GBP/USD", "2026-12-24", "2026-12-30"),
    ("EUR/USD", "2026-07-01", "2026-07-03"),
    ("USD/CAD", "2026-06-30", "2026-07-02"),
    ("GBP/USD", "2026-04-01", "2026-04-07"),
    ("USD/INR", "2026-04-01", "2026-04-06"),
    ("USD/AED", "2026-05-22", "2026-06-01"),
)
PAIRS = (
    "EUR/USD", "GBP/USD", "USD/INR", "USD/AED", "USD/CAD", "EUR/GBP", "EUR/INR", "GBP/INR",
    "EUR/AED", "GBP/AED", "AED/INR", "GBP/CAD",
)  # fmt: skip
YEARS = (2007, 2027)  # and one more year for what settles in it


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(("pair", "traded", "spot"), SPOTS)
def test_spot(pair: str, traded: str, spot: str) -> None:
    assert spot_date(centres(pair), day(traded)) == day(spot)


def test_spot_rolls_a_trade_that_is_made_on_a_holiday_of_the_pair() -> None:
    thanksgiving = day("2026-11-26")
    assert spot_date(centres("EUR/USD"), thanksgiving) == spot_date(
        centres("EUR/USD"), day("2026-11-27")
    )
    # London and Frankfurt deal that day.
    assert spot_date(centres("EUR/GBP"), thanksgiving) == day("2026-11-30")


def made_up(*closed: str) -> CalendarData:
    return CalendarData(
        code="MADE_UP",
        tz="UTC",
        weekend_rules=(WeekendRule(closed_weekdays=0b1100000, effective_from=date(2000, 1, 1)),),
        holidays={day(one): HolidayFact(name="Holiday") for one in closed},
        coverage_start=day("2026-01-01"),
        coverage_end=day("2026-12-31"),
    )


@pytest.mark.parametrize(
    ("pair", "spot"),
    [("USD/CHF", "2026-11-27"), ("USD/MXN", "2026-11-30"), ("USD/CLP", "2026-11-30")],
)
def test_new_york_counts_between_for_pesos_only(pair: str, spot: str) -> None:
    """Thanksgiving on the day between: the franc ignores it, the Mexican peso waits a day more."""
    found = parse_pair(pair)
    house = Centres(pair=found, calendars={"USD": made_up("2026-11-26"), found.quote: made_up()})
    assert spot_date(house, day("2026-11-25")) == day(spot)


def test_the_leu_settles_on_a_holiday_of_new_york() -> None:
    """Spot of EUR/RON is Thanksgiving; without the exception it were the day after."""
    house = {"USD": made_up("2026-11-26"), "EUR": made_up(), "RON": made_up(), "PLN": made_up()}
    leu = Centres(pair=parse_pair("EUR/RON"), calendars=house)
    zloty = Centres(pair=parse_pair("EUR/PLN"), calendars=house)
    assert spot_date(leu, day("2026-11-24")) == day("2026-11-26")
    assert spot_date(zloty, day("2026-11-24")) == day("2026-11-27")


def at(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("pair", "zone", "instant", "traded"),
    [
        ("EUR/USD", "America/New_York", "2026-11-19T16:59:59", "2026-11-19"),
        ("EUR/USD", "America/New_York", "2026-11-19T17:00:00", "2026-11-20"),
        ("EUR/USD", "America/New_York", "2026-11-20T17:00:00", "2026-11-23"),
        ("EUR/USD", "America/New_York", "2026-11-22T12:00:00", "2026-11-23"),
        ("USD/INR", "Asia/Kolkata", "2026-11-20T03:29:59", "2026-11-19"),
        ("USD/INR", "Asia/Kolkata", "2026-11-20T03:30:00", "2026-11-20"),
        ("NZD/USD", "Pacific/Auckland", "2026-11-20T06:59:59", "2026-11-19"),
        ("NZD/USD", "Pacific/Auckland", "2026-11-20T07:00:00", "2026-11-20"),
        ("USD/SAR", "Asia/Riyadh", "2026-11-19T11:59:59", "2026-11-19"),
        ("USD/SAR", "Asia/Riyadh", "2026-11-19T12:00:00", "2026-11-20"),
    ],
)
def test_a_trading_day_ends_where_the_pair_ends_it(
    pair: str, zone: str, instant: str, traded: str
) -> None:
    assert trade_date(parse_pair(pair), at(zone, instant)) == day(traded)


def test_the_trading_day_follows_the_clocks_of_new_york() -> None:
    """17:00 is 22:00 UTC in winter and 21:00 UTC in summer, also on the days of the change."""
    pair = parse_pair("EUR/USD")
    for first in (day("2026-03-05"), day("2026-10-29")):
        for offset in range(8):
            local = datetime.combine(
                first + timedelta(days=offset), time(17), ZoneInfo("America/New_York")
            )
            before = trade_date(pair, (local - timedelta(seconds=1)).astimezone(UTC))
            after = trade_date(pair, local.astimezone(UTC))
            assert before <= after
            if local.weekday() < 4:
                assert (before, after) == (local.date(), local.date() + timedelta(days=1))


@pytest.mark.parametrize(
    ("spot", "tenor", "expected"),
    [
        ("2026-02-27", "1M", "2026-03-31"),  # end-end; without it the 27th
        ("2026-04-30", "1M", "2026-05-29"),
        ("2026-01-30", "1M", "2026-02-27"),
        ("2026-02-25", "1M", "2026-03-25"),
        ("2026-01-29", "1M", "2026-02-27"),  # no 29th, and the 28th is a Saturday
        ("2026-11-20", "1W", "2026-11-27"),
        ("2026-11-19", "1W", "2026-11-27"),  # Thanksgiving
        ("2026-03-31", "1Y", "2027-03-31"),
    ],
)
def test_forwards_count_from_spot(spot: str, tenor: str, expected: str) -> None:
    found = forward_date(centres("EUR/USD"), day(spot), parse_tenor(tenor))
    assert found == day(expected)


def test_forwards_are_found_from_the_trade_date() -> None:
    house = centres("EUR/USD")
    assert value_date(house, day("2026-02-25"), "1M") == day("2026-03-31")
    assert [value_date(house, day("2026-11-24"), one) for one in ("CASH", "TOM", "SPOT")] == [
        day("2026-11-24"),
        day("2026-11-25"),
        day("2026-11-27"),
    ]


@pytest.mark.parametrize("text", ["", "0M", "1X", "M1", "1m", "121M", "11Y", "\u0661M", "1M "])
def test_what_is_no_tenor_is_refused(text: str) -> None:
    with pytest.raises(TenorUnknown):
        value_date(centres("EUR/USD"), day("2026-11-24"), text)


def test_short_dates() -> None:
    house, traded = centres("GBP/USD"), day("2026-11-16")
    found = {name: short_period(house, traded, name) for name in ("ON", "TN", "SN")}
    assert [(one.near.day, one.far.day) for one in found.values()] == [(16, 17), (17, 18), (18, 19)]
    assert found["ON"].far == found["TN"].near
    assert found["TN"].far == found["SN"].near == spot_date(house, traded)


def test_a_pair_that_settles_tomorrow_has_no_tom_next() -> None:
    with pytest.raises(TenorEmpty, match="USD/CAD has no TN"):
        short_period(centres("USD/CAD"), day("2026-11-16"), "TN")


def test_a_broken_date_is_any_good_day() -> None:
    house, traded = centres("EUR/USD"), day("2026-11-16")
    assert require_value_date(house, traded, day("2026-12-09")) == day("2026-12-09")
    with pytest.raises(ValueDateRefused, match=r"Thanksgiving.*next good day is 2026-11-27"):
        require_value_date(house, traded, day("2026-11-26"))
    with pytest.raises(ValueDateRefused, match="Weekend"):
        require_value_date(house, traded, day("2026-11-21"))
    with pytest.raises(ValueDateRefused, match="before the trade date"):
        require_value_date(house, traded, day("2026-11-13"))


def test_a_cross_is_refused_on_a_holiday_of_new_york() -> None:
    with pytest.raises(ValueDateRefused, match="Thanksgiving"):
        require_value_date(centres("EUR/GBP"), day("2026-11-16"), day("2026-11-26"))


def test_beyond_the_calendars_everything_is_an_error() -> None:
    house = centres("EUR/USD")
    with pytest.raises(CalendarCoverageError):
        value_date(house, day("2028-06-01"), "1Y")
    with pytest.raises(CalendarCoverageError):
        spot_date(house, day("2028-12-29"))


def test_names_of_periods() -> None:
    house, traded = centres("EUR/USD"), day("2026-11-16")
    names = [period_name(house, traded, traded + timedelta(days=days)) for days in range(4)]
    assert names == ["CASH", "TOM", "SPOT", "FORWARD"]


def test_a_rupee_forward_is_fixed_two_mumbai_days_before() -> None:
    mumbai = calendars()["INR"]
    assert fixing_date(mumbai, day("2026-11-27")) == day("2026-11-25")
    # Guru Nanak's birthday on the 24th is no day of Mumbai.
    assert fixing_date(mumbai, day("2026-11-25")) == day("2026-11-20")


def test_a_holiday_declared_later_moves_the_fixing() -> None:
    declared = {**calendars()["INR"].holidays, day("2026-11-25"): HolidayFact(name="Polling")}
    mumbai = calendars()["INR"]
    moved = CalendarData(
        code=mumbai.code,
        tz=mumbai.tz,
        weekend_rules=mumbai.weekend_rules,
        holidays=declared,
        coverage_start=mumbai.coverage_start,
        coverage_end=mumbai.coverage_end,
    )
    assert fixing_date(moved, day("2026-11-27")) == day("2026-11-23")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("USD", "EUR", "EUR/USD"), ("INR", "USD", "USD/INR"), ("USD", "AED", "USD/AED"),
        ("JPY", "USD", "USD/JPY"), ("GBP", "EUR", "EUR/GBP"), ("USD", "GBP", "GBP/USD"),
        ("CAD", "USD", "USD/CAD"), ("INR", "AED", "AED/INR"), ("ZAR", "BRL", "BRL/ZAR"),
    ],
)  # fmt: skip
def test_the_market_says_which_currency_is_the_base(one: str, other: str, expected: str) -> None:
    assert str(pair_of(one, other)) == expected
    assert pair_of(one, other).is_conventional


@pytest.mark.parametrize(
    ("pair", "digits", "pip", "lag"),
    [
        ("EUR/USD", 4, "0.0001", 2), ("EUR/GBP", 5, "0.0001", 2), ("USD/JPY", 2, "0.01", 2),
        ("GBP/JPY", 3, "0.01", 2), ("USD/CAD", 4, "0.0001", 1), ("GBP/CAD", 4, "0.0001", 2),
        ("USD/INR", 4, "0.0001", 2), ("USD/TRY", 4, "0.0001", 1), ("EUR/TRY", 4, "0.0001", 2),
    ],
)  # fmt: skip
def test_conventions_of_pairs(pair: str, digits: int, pip: str, lag: int) -> None:
    found = parse_pair(pair)
    assert (found.digits, str(found.pip), found.spot_lag_days) == (digits, pip, lag)


@pytest.mark.parametrize(
    "text", ["EURUS", "EUR/EUR", "eurusd", "EUR//USD", "EUR-USD", "", "ÉURUSD"]
)
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(PairUnknown):
        parse_pair(text)


def every_weekday() -> list[date]:
    first = date(YEARS[0], 1, 2)
    span = (date(YEARS[1], 1, 1) - first).days
    days = (first + timedelta(days=offset) for offset in range(span))
    return [one for one in days if one.weekday() < 5]


@pytest.mark.parametrize("pair", PAIRS)
def test_twenty_years_of_spot(pair: str) -> None:
    """Spot is good in every centre, never before the lag, and never runs backwards."""
    house = centres(pair, YEARS[0], YEARS[1] + 1)
    before = date.min
    for traded in every_weekday():
        spot = spot_date(house, traded)
        assert all(house.calendars[one].is_open(spot) for one in (*house.pair.currencies, "USD"))
        assert spot >= before
        assert spot >= add_business_days(WEEKDAYS, traded, house.pair.spot_lag_days)
        before = spot


WEEKDAYS = CalendarData(
    code="WEEKDAYS",
    tz="UTC",
    weekend_rules=(WeekendRule(closed_weekdays=0b1100000, effective_from=date(2000, 1, 1)),),
    coverage_start=date(2000, 1, 1),
    coverage_end=date(2100, 1, 1),
)
TENORS = ("1D", "1W", "2W", "3W", "1M", "2M", "3M", "6M", "9M", "1Y")


@pytest.mark.parametrize("pair", PAIRS)
def test_twenty_years_of_tenors_keep_their_order(pair: str) -> None:
    """Cash, tom, spot and ten tenors: each good, none before the one that is shorter."""
    house = centres(pair, YEARS[0], YEARS[1] + 1)
    for traded in every_weekday()[::7]:
        spot = spot_date(house, traded)
        ladder = [cash_date(house, traded), tom_date(house, traded), spot]
        ladder += [forward_date(house, spot, parse_tenor(one)) for one in TENORS]
        assert ladder == sorted(ladder)
        assert all(house.settlement.is_open(one) for one in ladder)
        assert ladder[0] >= traded


@pytest.mark.parametrize("pair", ["EUR/USD", "USD/INR", "GBP/AED"])
def test_twenty_years_of_month_ends_lead_to_month_ends(pair: str) -> None:
    house = centres(pair, YEARS[0], YEARS[1] + 1)
    ends = [
        one
        for one in every_weekday()
        if house.settlement.is_open(one) and is_month_end(house.settlement, one)
    ]
    for spot in ends:
        assert is_month_end(house.settlement, forward_date(house, spot, parse_tenor("1M")))
    assert len(ends) == (YEARS[1] - YEARS[0]) * 12


def test_without_calendars_of_its_own_a_pair_has_no_dates() -> None:
    """A currency whose calendar is missing is an error, not a currency without holidays."""
    house = Centres(pair=Pair("USD", "JPY"), calendars=calendars())
    with pytest.raises(KeyError):
        spot_date(house, day("2026-11-16"))


def test_joint_calendars_ask_every_member() -> None:
    assert not JointCalendar((made_up("2026-11-26"), made_up())).is_open(day("2026-11-26"))
