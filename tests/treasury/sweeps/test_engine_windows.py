"""Windows, settlement days and the ladder, on the Federal Reserve's days."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from core.errors import Invalid
from tests.treasury.sweeps.givens import BILL, NOTE, OVERNIGHT, fed
from treasury.engine.sweep_windows import (
    ClosedDays,
    days_of,
    next_cutoff,
    parse_cutoffs,
    rungs,
    window_at,
    windows_of,
)

CUTOFFS: Final = parse_cutoffs("00:30,15:30")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "cutoff"),
    [
        ("2025-06-10T19:42:11.818", "2025-06-11T00:30:00"),
        ("2026-11-17T15:24:59", "2026-11-17T15:30:00"),
        ("2026-11-17T15:25:00", "2026-11-18T00:30:00"),
        ("2026-11-17T15:30:00", "2026-11-18T00:30:00"),
        ("2026-11-18T00:24:59.999", "2026-11-18T00:30:00"),
        ("2026-11-18T23:59:00", "2026-11-19T00:30:00"),
    ],
)
def test_the_next_cutoff_is_strictly_after_the_safety_margin(now: str, cutoff: str) -> None:
    assert next_cutoff(utc(now), CUTOFFS) == utc(cutoff)


@pytest.mark.parametrize(
    ("cutoff", "day", "is_closed"),
    [
        ("2026-11-17T00:30", date(2026, 11, 16), False),
        ("2026-11-17T15:30", date(2026, 11, 17), False),
        ("2026-11-22T00:30", date(2026, 11, 21), True),
        ("2026-11-23T00:30", date(2026, 11, 22), True),
        ("2026-11-24T00:30", date(2026, 11, 23), False),
        ("2026-11-27T00:30", date(2026, 11, 26), True),
        ("2026-11-26T15:30", date(2026, 11, 26), True),
        ("2026-11-27T15:30", date(2026, 11, 27), False),
    ],
)
def test_a_window_belongs_to_its_new_york_day(cutoff: str, day: date, is_closed: bool) -> None:
    window = window_at(utc(cutoff), fed())
    assert (window.day, bool(window.closure)) == (day, is_closed)


def test_half_past_midnight_utc_lies_in_the_shut_hours_of_fedwire_every_day() -> None:
    """19:00 to 21:00 in New York: no dollar leaves a bank (Federal Reserve, Fedwire hours)."""
    for step in range(730):
        instant = utc("2026-01-01T00:30") + timedelta(days=step)
        local = instant.astimezone(ZoneInfo("America/New_York")).time()
        assert time(19, 0) <= local < time(21, 0)


def test_a_day_has_its_windows_in_order() -> None:
    found = windows_of(date(2026, 11, 17), CUTOFFS, fed())
    assert [one.cutoff for one in found] == [utc("2026-11-17T15:30"), utc("2026-11-18T00:30")]


@pytest.mark.parametrize(
    ("at", "settles", "matures"),
    [
        ("2026-11-17T15:30", date(2026, 11, 17), date(2026, 11, 18)),
        ("2026-11-18T00:30", date(2026, 11, 18), date(2026, 11, 19)),
        ("2026-11-17T18:14:59", date(2026, 11, 17), date(2026, 11, 18)),
        ("2026-11-17T18:15:00", date(2026, 11, 18), date(2026, 11, 19)),
        ("2026-11-20T15:30", date(2026, 11, 20), date(2026, 11, 23)),
        ("2026-11-25T15:30", date(2026, 11, 25), date(2026, 11, 27)),
        ("2026-11-26T00:30", date(2026, 11, 27), date(2026, 11, 30)),
    ],
)
def test_overnight_money_follows_the_products_own_cutoff(
    at: str, settles: date, matures: date
) -> None:
    days = days_of(utc(at), OVERNIGHT.terms, fed())
    assert (days.settles_on, days.matures_on) == (settles, matures)


def test_the_summer_moves_the_cutoff_in_utc_and_not_in_new_york() -> None:
    start, end = date(2026, 7, 1), date(2026, 7, 31)
    days = [start + timedelta(days=step) for step in range(31)]
    july = ClosedDays(
        code="FED", start=start, end=end, closed=tuple(d for d in days if d.weekday() > 4)
    )
    before = days_of(utc("2026-07-15T17:14:59"), OVERNIGHT.terms, july)
    after = days_of(utc("2026-07-15T17:15:00"), OVERNIGHT.terms, july)
    assert (before.settles_on.day, after.settles_on.day) == (15, 16)


def test_a_ladder_has_four_tuesdays_and_a_holiday_moves_to_the_next_day() -> None:
    assert rungs(date(2026, 11, 18), 28, fed()) == (
        date(2026, 11, 24), date(2026, 12, 1), date(2026, 12, 8), date(2026, 12, 15),
    )  # fmt: skip
    on_issue = rungs(date(2026, 11, 17), 28, fed())
    assert (on_issue[0] - date(2026, 11, 17)).days == 7
    assert (on_issue[3] - date(2026, 11, 17)).days == 28
    shut = ClosedDays(
        code="FED", start=date(2026, 11, 1), end=date(2027, 1, 31), closed=(date(2026, 11, 24),)
    )
    assert rungs(date(2026, 11, 18), 7, shut) == (date(2026, 11, 25),)


def test_a_note_matures_after_its_tenor_on_an_open_day() -> None:
    days = days_of(utc("2026-11-24T15:30"), NOTE.terms, fed())
    assert (days.settles_on, days.matures_on) == (date(2026, 11, 27), date(2026, 12, 28))
    rung = days_of(utc("2026-11-17T15:30"), BILL.terms, fed(), matures_on=date(2026, 12, 15))
    assert (rung.settles_on, rung.count) == (date(2026, 11, 18), 27)


@pytest.mark.parametrize("text", ["", "24:00", "0:30", "00:30,00:30", "noon", "00:30;15:30"])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_cutoffs(text)


def test_a_day_beyond_the_record_is_unknown_and_not_open() -> None:
    with pytest.raises(Invalid):
        fed().is_open(date(2027, 2, 1))
    assert fed().early_close(date(2026, 11, 17)) is None
