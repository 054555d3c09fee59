"""How a need is split, dated and met: pure numbers and calendars."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.money import Money
from fx.engine.dates import Centres
from fx.engine.pairs import parse_pair
from fx.engine.pictures import WIDTH, clock_arc, ladder, stacked
from fx.engine.quotes import contra
from fx.engine.suggesting import (
    PARTS_MAX,
    Part,
    Room,
    Way,
    choose_way,
    cutoff_at,
    dates_of,
    dollars_first,
    needed_on,
    parse_cutoffs,
    parts_of,
    rounded_up,
)
from tests.fx.centres import calendars

D = Decimal
CENT = D("0.01")
FIVE_MILLION = D(5_000_000)
MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("open_amount", "rate", "dollars"),
    [
        ("85000000.00", "85", "1000000.00"),
        ("85000000.01", "85", "1000000.01"),
        ("2750000.00", "85", "32352.95"),  # 32,352.941… rounded up
        ("0.01", "85", "0.01"),
    ],
)
def test_what_is_open_is_rounded_up_in_dollars(open_amount: str, rate: str, dollars: str) -> None:
    assert dollars_first(D(open_amount), D(rate), CENT) == D(dollars)


@given(st.decimals("0.01", "99999999999.99", places=2), st.decimals("0.5", "200", places=4))
def test_what_is_suggested_always_brings_enough(open_amount: Decimal, rate: Decimal) -> None:
    pair = parse_pair("USD/INR")
    sold = dollars_first(open_amount, rate, CENT)
    assert contra(Money(sold, "USD"), pair, rate).amount >= open_amount
    assert (sold - CENT) * rate < open_amount  # a cent less would not


def test_yen_have_no_cents() -> None:
    assert rounded_up(D("2.01"), "JPY") == D(3)
    assert rounded_up(D("2.001"), "KWD") == D("2.001")


def split(total: str, *rooms: tuple[str, str | None], worth: str = "1") -> list[Part]:
    return list(
        parts_of(
            D(total),
            unit=CENT,
            usd_per_unit=D(worth),
            deal_usd_max=FIVE_MILLION,
            rooms=[Room(counterparty=name, left_usd=D(left) if left else None)
                   for name, left in rooms],
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("total", "sizes"),
    [
        ("5000000.00", ["5000000.00"]),
        ("5000000.01", ["5000000.00", "0.01"]),
        ("12000000.00", ["5000000.00", "5000000.00", "2000000.00"]),
        ("0.01", ["0.01"]),
    ],
)
def test_no_deal_is_larger_than_five_million(total: str, sizes: list[str]) -> None:
    assert [one.amount for one in split(total, ("BANK", None))] == [D(size) for size in sizes]


def test_the_roomiest_is_taken_first_and_what_nobody_has_room_for_is_named() -> None:
    found = split("9000000.00", ("A", "1000000"), ("B", "6000000"), ("C", "0"))
    assert [(one.amount, one.counterparty, one.left_usd) for one in found] == [
        (D(5_000_000), "B", D(6_000_000)),
        (D(1_000_000), "B", D(1_000_000)),
        (D(1_000_000), "A", D(1_000_000)),
        (D(2_000_000), "", None),
    ]
    assert [one.counterparty for one in split("9000000", ("A", "1"), ("NO LIMIT", None))] == [
        "NO LIMIT", "NO LIMIT",
    ]  # fmt: skip


@given(
    st.decimals("0.01", "150000000", places=2),
    st.lists(st.decimals("0", "9000000", places=2), max_size=4),
    st.decimals("0.2", "2", places=4),
)
def test_parts_add_up_and_keep_every_limit(
    total: Decimal, left: list[Decimal], worth: Decimal
) -> None:
    rooms = [Room(counterparty=f"B{n}", left_usd=room) for n, room in enumerate(left)]
    found = parts_of(total, unit=CENT, usd_per_unit=worth, deal_usd_max=FIVE_MILLION, rooms=rooms)
    assert len(found) <= PARTS_MAX
    if len(found) < PARTS_MAX:
        assert sum(one.amount for one in found) == total
    assert all(0 < one.amount * worth <= FIVE_MILLION for one in found)
    for room in rooms:
        used = sum(one.amount * worth for one in found if one.counterparty == room.counterparty)
        assert used <= (room.left_usd or 0)


def test_a_limit_that_allows_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="allows nothing at all"):
        parts_of(D(1), unit=D(1), usd_per_unit=D(10), deal_usd_max=D(9), rooms=[])


# --- dates ---------------------------------------------------------------------------------------


def centres(pair: str = "USD/INR") -> Centres:
    return Centres(pair=parse_pair(pair), calendars=calendars())


def test_the_dates_of_a_monday_before_a_holiday() -> None:
    """24 November is Guru Nanak's birthday in Mumbai, 26 Thanksgiving in New York."""
    found = dates_of(centres(), MONDAY, MONDAY)
    assert found == {
        MONDAY: "CASH", date(2026, 11, 25): "TOM", date(2026, 11, 27): "SPOT",
    }  # fmt: skip
    behind = dates_of(centres(), MONDAY, date(2026, 12, 6))  # a Sunday
    assert behind[date(2026, 12, 4)] == "FORWARD"
    assert "FORWARD" not in dates_of(centres(), MONDAY, date(2026, 11, 29)).values()


def test_where_periods_coincide_spot_wins() -> None:
    """USD/CAD settles the day after the trade: tom is spot already."""
    assert list(dates_of(centres("USD/CAD"), MONDAY, MONDAY).values()) == ["CASH", "SPOT"]


def way(period: str, day: int, until: int) -> Way:
    return Way(
        period=period,
        value_date=date(2026, 11, day),
        until=datetime(2026, 11, 23, until, tzinfo=UTC),
        shut_by="the desk's cut-off",
    )


WAYS = (way("CASH", 23, 6), way("TOM", 25, 9), way("SPOT", 27, 22))


@pytest.mark.parametrize(
    ("need", "hour", "period", "late"),
    [
        (23, 5, "CASH", False),
        (23, 6, "TOM", True),  # at its cut-off cash is shut: spot never meets a need of today
        (23, 9, "SPOT", True),
        (24, 5, "CASH", False),  # a holiday's need is paid the day before
        (25, 5, "TOM", False),
        (26, 8, "TOM", False),
        (27, 5, "SPOT", False),
        (30, 5, "SPOT", False),
    ],
)
def test_the_latest_way_that_still_comes_in_time(
    need: int, hour: int, period: str, late: bool
) -> None:
    now = datetime(2026, 11, 23, hour, tzinfo=UTC)
    found = choose_way(WAYS, need=date(2026, 11, need), now=now)
    assert found is not None
    assert (found.way.period, found.is_late) == (period, late)
    assert {one.period for one in found.rejected} == {"CASH", "TOM", "SPOT"} - {period}
    assert all(one.why for one in found.rejected)


def test_when_everything_is_shut_there_is_no_way() -> None:
    now = datetime(2026, 11, 23, 22, tzinfo=UTC)
    assert choose_way(WAYS, need=MONDAY, now=now) is None


def test_the_first_day_on_which_money_is_missing() -> None:
    outflows = [(date(2026, 11, 22), D(50)), (date(2026, 11, 20), D(60)), (MONDAY, D(10))]
    last = date(2026, 11, 24)
    assert needed_on(outflows, covered=D(59), last=last) == date(2026, 11, 20)
    assert needed_on(outflows, covered=D(60), last=last) == date(2026, 11, 22)
    assert needed_on(outflows, covered=D(120), last=last) == last


def test_cut_offs_are_read_strictly_and_by_the_currencys_own_clock() -> None:
    found = parse_cutoffs("INR=11:30,*=11:00")
    assert found == {"INR": time(11, 30), "*": time(11, 0)}
    assert cutoff_at(found, "INR", MONDAY).astimezone(UTC).time() == time(6, 0)
    assert cutoff_at(found, "AED", MONDAY).astimezone(UTC).time() == time(7, 0)
    for text in ("", "INR=11:30", "INR=24:00,*=11:00", "*=11:00,*=12:00", "XX=1:00,*=11:00"):
        with pytest.raises(Invalid):
            parse_cutoffs(text)


# --- pictures ------------------------------------------------------------------------------------


def test_stretches_fill_the_bar_and_the_cap_is_marked_on_it() -> None:
    bar = stacked((("there", D(20)), ("bought", D(56)), ("open", D(24))), limit=D(76))
    assert [(one.label, one.x, one.width) for one in bar.segments] == [
        ("there", 0, 64), ("bought", 64, 179), ("open", 243, 77),
    ]  # fmt: skip
    assert bar.limit_x == 243
    overdrawn = stacked((("there", D(-5)), ("open", D(10))), limit=None)
    assert [(one.number, one.width) for one in overdrawn.segments] == [(1, WIDTH)]
    assert stacked((("there", D(0)),), limit=None).segments == ()


def test_a_ladder_has_one_scale_and_a_clock_a_face_of_a_hundred() -> None:
    found = ladder((("Mon", D(100), D(0)), ("Tue", D(0), D(50))))
    assert [(one.in_width, one.out_x, one.out_width) for one in found.steps] == [
        (160, 160, 0), (0, 80, 80),
    ]  # fmt: skip
    day = int(timedelta(hours=14).total_seconds())
    assert [clock_arc(elapsed=part, whole=day) for part in (-1, 0, day // 2, day, 2 * day)] == [
        0, 0, 50, 100, 100,
    ]  # fmt: skip
    assert clock_arc(elapsed=1, whole=0) == 100
