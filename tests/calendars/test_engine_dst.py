"""Every daylight-saving change from 2024 to 2035: one cut-off per business day, one alert."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars.engine.days import EVERY_DAY, BusinessCalendar
from calendars.engine.rails import (
    RailData,
    closing_window,
    effective_cutoff,
    rail_status,
    value_date_for,
)
from calendars.library import SPECS, reference_calendar
from calendars.rail_book import FEDWIRE, RAILS

YEARS = range(2024, 2036)
CALENDARS = {code: reference_calendar(code, YEARS) for code in SPECS}
WITH_CUTOFF = [rail for rail in RAILS if rail.cutoff_kind]
IDS = [f"{rail.code}-{rail.currency}" for rail in WITH_CUTOFF]
ZONES = sorted({rail.tz for rail in RAILS})
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def days_of(rail: RailData) -> BusinessCalendar:
    return CALENDARS[rail.calendar] if rail.calendar else EVERY_DAY


def changes_in(zone: str) -> list[datetime]:
    """Return the UTC instants at which the zone's offset changes."""
    tz, found = ZoneInfo(zone), []
    hour = datetime(2024, 1, 2, tzinfo=UTC)
    while hour.year < 2036 and hour < datetime(2035, 12, 20, tzinfo=UTC):
        before, after = hour.astimezone(tz).utcoffset(), (hour + DAY).astimezone(tz).utcoffset()
        if before != after:
            step = hour
            while step.astimezone(tz).utcoffset() == before:
                step += timedelta(minutes=30)
            found.append(step)
        hour += DAY
    return found


CHANGES = sorted({change for zone in ZONES for change in changes_in(zone)})


def test_the_zones_change_as_often_as_the_law_says() -> None:
    counts = {zone: len(changes_in(zone)) for zone in ZONES}
    assert counts == {
        "America/New_York": 24,
        "Europe/Berlin": 24,
        "Europe/London": 24,
        "Asia/Dubai": 0,
        "Asia/Kolkata": 0,
        "UTC": 0,
    }
    assert len(CHANGES) == 48  # London and Berlin change together


@pytest.mark.parametrize("rail", WITH_CUTOFF, ids=IDS)
def test_each_business_day_has_exactly_one_cutoff_at_its_own_wall_time(rail: RailData) -> None:
    calendar, tz = days_of(rail), ZoneInfo(rail.tz)
    day, seen = date(2024, 1, 1), []
    while day.year < 2036:
        if calendar.is_open(day):
            cutoff = effective_cutoff(rail, calendar, day)
            assert cutoff is not None
            assert cutoff.astimezone(tz).date() == day
            seen.append(cutoff)
        day += DAY
    assert all(one < two for one, two in pairwise(seen))
    walls = {cutoff.astimezone(tz).time() for cutoff in seen}
    assert walls == {
        window.local_time for window in rail.windows if window.kind is rail.cutoff_kind
    }


@pytest.mark.parametrize("rail", WITH_CUTOFF, ids=IDS)
def test_around_each_change_the_value_date_turns_once_at_each_cutoff(rail: RailData) -> None:
    calendar = days_of(rail)
    for change in CHANGES:
        now = change - DAY
        dates = []
        while now <= change + 2 * DAY:
            dates.append(value_date_for(rail, calendar, now))
            now += timedelta(minutes=15)
        assert dates == sorted(dates)
        for turned in sorted(set(dates))[:-1]:
            cutoff = effective_cutoff(rail, calendar, turned)
            assert cutoff is not None
            assert value_date_for(rail, calendar, cutoff - timedelta(seconds=1)) == turned
            assert value_date_for(rail, calendar, cutoff) > turned


@pytest.mark.parametrize("rail", WITH_CUTOFF, ids=IDS)
def test_around_each_change_every_cutoff_is_announced_for_thirty_minutes(
    rail: RailData,
) -> None:
    calendar = days_of(rail)
    for change in CHANGES:
        start = (change - 2 * timedelta(hours=1)).replace(minute=0)
        day = start.astimezone(ZoneInfo(rail.tz)).date()
        minutes: Counter[date] = Counter()
        for business_date in (day - DAY, day, day + DAY):
            if not calendar.is_open(business_date):
                continue
            cutoff = effective_cutoff(rail, calendar, business_date)
            assert cutoff is not None
            for back in range(-2, 33):
                window = closing_window(rail, calendar, cutoff - back * MINUTE, within=30 * MINUTE)
                if window is not None:
                    assert window.cutoff_at == cutoff
                    minutes[window.business_date] += 1
        assert set(minutes.values()) <= {30}


@settings(max_examples=400)
@given(
    st.sampled_from(WITH_CUTOFF),
    st.sampled_from(CHANGES),
    st.integers(-2 * 3600, 2 * 3600),
)
def test_within_two_hours_of_a_change_the_status_agrees_with_itself(
    rail: RailData, change: datetime, seconds: int
) -> None:
    now, calendar = change + timedelta(seconds=seconds), days_of(rail)
    status = rail_status(rail, calendar, now)
    assert status.next_cutoff_at is not None
    assert status.next_cutoff_at > now
    assert status.value_date >= status.business_date
    assert (status.reason_closed is None) is status.is_open
    assert status.opens_at is not None
    assert status.is_open == (status.opens_at <= now)


def test_a_cutoff_kept_in_utc_would_be_an_hour_off_for_half_the_year() -> None:
    # Negative control: with the winter offset frozen, summer payments are judged wrongly.
    frozen = FEDWIRE.windows[1].local_time
    assert frozen == time(18, 45)
    winter = datetime(2026, 7, 15, 23, 45, tzinfo=UTC)
    true = effective_cutoff(FEDWIRE, CALENDARS["FED"], date(2026, 7, 15))
    assert true is not None
    assert winter - true == timedelta(hours=1)
