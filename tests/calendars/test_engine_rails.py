"""Rails: value dates, status, bank cut-offs, overrides, landing times."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from calendars.engine.days import CalendarData, HolidayFact, JointCalendar
from calendars.engine.rails import (
    BankCutoffRule,
    ClosedReason,
    RailData,
    Terms,
    WindowKind,
    WindowOverride,
    WindowRule,
    business_calendar,
    closing_window,
    effective_cutoff,
    instant,
    latest_landing,
    rail_status,
    value_date_for,
    window_at,
)
from calendars.errors import CalendarCoverageError
from calendars.library import SPECS, reference_calendar
from calendars.rail_book import (
    CHAPS,
    FEDWIRE,
    INR_DESK,
    RAILS,
    RTGS_IN,
    SEPA_INST,
    SEPA_SCT,
    T2,
)
from calendars.rail_book import UAEFTS as UAE_RAIL

CALENDARS = {code: reference_calendar(code, range(2024, 2029)) for code in SPECS}
HALF_HOUR = timedelta(minutes=30)


def days_of(rail: RailData) -> CalendarData | None:
    return CALENDARS[rail.calendar] if rail.calendar else None


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("rail", "now", "expected"),
    [
        (FEDWIRE, "2026-11-25T23:44:59Z", date(2026, 11, 25)),
        (FEDWIRE, "2026-11-25T23:45:00Z", date(2026, 11, 27)),
        (FEDWIRE, "2026-11-23T01:59:00Z", date(2026, 11, 23)),
        (FEDWIRE, "2026-11-23T02:00:00Z", date(2026, 11, 23)),
        (FEDWIRE, "2026-07-02T22:45:00Z", date(2026, 7, 3)),
        (FEDWIRE, "2026-03-16T22:44:00Z", date(2026, 3, 16)),
        (CHAPS, "2026-12-24T17:39:59Z", date(2026, 12, 24)),
        (CHAPS, "2026-12-24T17:40:00Z", date(2026, 12, 29)),
        (T2, "2026-12-24T15:59:00Z", date(2026, 12, 24)),
        (T2, "2026-12-24T16:00:00Z", date(2026, 12, 28)),
        (CHAPS, "2026-07-15T16:39:00Z", date(2026, 7, 15)),
        (CHAPS, "2026-07-15T16:40:00Z", date(2026, 7, 16)),
        (T2, "2026-10-28T16:00:00Z", date(2026, 10, 29)),
        (T2, "2026-04-02T15:00:00Z", date(2026, 4, 7)),
        (CHAPS, "2026-04-02T16:40:00Z", date(2026, 4, 7)),
        (INR_DESK, "2026-11-20T09:59:00Z", date(2026, 11, 20)),
        (INR_DESK, "2026-11-20T10:00:00Z", date(2026, 11, 23)),
        (INR_DESK, "2026-11-23T10:00:00Z", date(2026, 11, 25)),
        (RTGS_IN, "2026-11-24T17:59:59Z", date(2026, 11, 24)),
        (RTGS_IN, "2026-11-24T18:00:00Z", date(2026, 11, 25)),
        (SEPA_INST, "2026-12-25T23:59:59Z", date(2026, 12, 25)),
        (SEPA_SCT, "2026-11-24T12:59:59Z", date(2026, 11, 24)),
        (SEPA_SCT, "2026-11-24T13:00:00Z", date(2026, 11, 25)),
        (UAE_RAIL, "2026-11-27T06:59:59Z", date(2026, 11, 27)),  # Friday, 11:00 in Dubai
        (UAE_RAIL, "2026-11-27T07:00:00Z", date(2026, 11, 30)),
        (UAE_RAIL, "2026-11-26T10:59:59Z", date(2026, 11, 26)),  # Thursday, 15:00
    ],
)
def test_the_value_date_a_payment_still_gets(rail: RailData, now: str, expected: date) -> None:
    assert value_date_for(rail, days_of(rail), at(now)) == expected


DAYS = ("2026-01-15", "2026-03-16", "2026-07-15", "2026-10-28", "2026-11-16")


@pytest.mark.parametrize(
    ("rail", "kind", "utc"),
    [
        (FEDWIRE, WindowKind.CUSTOMER, "23:45 22:45 22:45 22:45 23:45"),
        (FEDWIRE, WindowKind.CLOSE, "00:00 23:00 23:00 23:00 00:00"),
        (CHAPS, WindowKind.CUSTOMER, "17:40 17:40 16:40 17:40 17:40"),
        (T2, WindowKind.CUSTOMER, "16:00 16:00 15:00 16:00 16:00"),
        (T2, WindowKind.INTERBANK, "17:00 17:00 16:00 17:00 17:00"),
    ],
)
def test_local_cutoffs_move_in_utc(rail: RailData, kind: WindowKind, utc: str) -> None:
    instants = [window_at(rail, date.fromisoformat(day), kind) for day in DAYS]
    assert [f"{one:%H:%M}" for one in instants if one] == utc.split()


def test_the_new_york_winter_close_is_midnight_of_the_next_utc_day() -> None:
    close = window_at(FEDWIRE, date(2026, 1, 15), WindowKind.CLOSE)
    assert close == at("2026-01-16T00:00:00Z")


def test_fedwire_opens_for_monday_on_sunday_evening() -> None:
    before = rail_status(FEDWIRE, CALENDARS["FED"], at("2026-11-23T01:59:00Z"))
    after = rail_status(FEDWIRE, CALENDARS["FED"], at("2026-11-23T02:00:00Z"))
    assert (before.is_open, before.business_date) == (False, date(2026, 11, 23))
    assert before.reason_closed is ClosedReason.WEEKEND
    assert (after.is_open, after.business_date) == (True, date(2026, 11, 23))
    assert after.reason_closed is None


def test_after_a_holiday_monday_tuesday_opens_on_monday_evening() -> None:
    closed = rail_status(FEDWIRE, CALENDARS["FED"], at("2027-01-19T01:59:59Z"))
    opened = rail_status(FEDWIRE, CALENDARS["FED"], at("2027-01-19T02:00:00Z"))
    assert closed.reason_closed is ClosedReason.HOLIDAY
    assert closed.reason_detail.startswith("Birthday of Martin Luther King")
    assert opened.is_open
    assert opened.business_date == date(2027, 1, 19)


def test_between_customer_cutoff_and_close_the_rail_is_open_for_banks_only() -> None:
    now = at("2026-11-23T23:50:00Z")
    status = rail_status(FEDWIRE, CALENDARS["FED"], now)
    assert status.is_open
    assert status.business_date == date(2026, 11, 23)
    assert status.seconds_to_cutoff == 0
    assert status.value_date == date(2026, 11, 24)
    assert status.next_cutoff_at == at("2026-11-24T23:45:00Z")
    interbank = Terms(kind=WindowKind.INTERBANK)
    assert value_date_for(FEDWIRE, CALENDARS["FED"], now, interbank) == date(2026, 11, 23)


def test_the_countdown_runs_to_the_effective_cutoff() -> None:
    status = rail_status(CHAPS, CALENDARS["UK_EW"], at("2026-11-24T17:00:00Z"))
    assert status.seconds_to_cutoff == 40 * 60
    assert status.cutoff_at == status.next_cutoff_at == at("2026-11-24T17:40:00Z")
    assert status.opens_at == at("2026-11-24T06:00:00Z")
    assert status.closes_at == at("2026-11-24T18:00:00Z")


def test_a_rail_says_why_it_is_shut() -> None:
    calendar = CALENDARS["UK_EW"]
    early = rail_status(CHAPS, calendar, at("2026-11-24T05:59:59Z"))
    late = rail_status(CHAPS, calendar, at("2026-11-24T18:00:00Z"))
    boxing = rail_status(CHAPS, calendar, at("2026-12-28T12:00:00Z"))
    assert early.reason_closed is ClosedReason.NOT_YET_OPEN
    assert late.reason_closed is ClosedReason.CLOSED_FOR_TODAY
    assert late.business_date == date(2026, 11, 25)
    assert (boxing.reason_closed, boxing.reason_detail) == (
        ClosedReason.HOLIDAY,
        "Boxing Day (observed)",
    )


def test_rtgs_in_india_rests_around_midnight_and_never_on_holidays() -> None:
    assert not rail_status(RTGS_IN, None, at("2026-11-24T18:15:00Z")).is_open  # 23:45
    assert not rail_status(RTGS_IN, None, at("2026-11-24T18:59:59Z")).is_open
    resumed = rail_status(RTGS_IN, None, at("2026-11-24T19:00:00Z"))  # 00:30
    assert (resumed.is_open, resumed.business_date) == (True, date(2026, 11, 25))
    assert rail_status(RTGS_IN, None, at("2026-11-29T06:00:00Z")).is_open  # a Sunday


def test_an_instant_rail_has_no_cutoff_at_all() -> None:
    status = rail_status(SEPA_INST, None, at("2026-12-25T03:00:00Z"))
    assert status.is_open
    assert (status.cutoff_at, status.seconds_to_cutoff, status.next_cutoff_at) == (None,) * 3
    assert closing_window(SEPA_INST, None, at("2026-12-25T03:00:00Z"), within=HALF_HOUR) is None


FRANKFURT_BANK = BankCutoffRule(
    bank="DEUTDEFF",
    kind=WindowKind.CUSTOMER,
    local_time=time(16, 15),
    tz="Europe/Berlin",
    effective_from=date(2026, 1, 1),
)


def test_the_banks_earlier_cutoff_and_the_lead_time_come_off() -> None:
    rail, calendar = replace(T2, bank_cutoffs=(FRANKFURT_BANK,)), CALENDARS["TARGET"]
    day = date(2026, 11, 24)
    assert effective_cutoff(rail, calendar, day) == at("2026-11-24T16:00:00Z")
    bank = Terms(bank="DEUTDEFF", lead=timedelta(minutes=45))
    assert effective_cutoff(rail, calendar, day, bank) == at("2026-11-24T14:30:00Z")
    assert value_date_for(rail, calendar, at("2026-11-24T14:29:59Z"), bank) == day
    assert value_date_for(rail, calendar, at("2026-11-24T14:30:00Z"), bank) == date(2026, 11, 25)
    other = Terms(bank="BARCGB22")
    assert effective_cutoff(rail, calendar, day, other) == at("2026-11-24T16:00:00Z")


def test_a_bank_never_extends_the_rail() -> None:
    late = replace(FRANKFURT_BANK, local_time=time(20, 0))
    rail = replace(T2, bank_cutoffs=(late,))
    bank = Terms(bank="DEUTDEFF")
    assert effective_cutoff(rail, CALENDARS["TARGET"], date(2026, 11, 24), bank) == at(
        "2026-11-24T16:00:00Z"
    )


def test_a_banks_customer_cutoff_counts_on_rails_that_only_close() -> None:
    rule = replace(FRANKFURT_BANK, bank="HDFCINBB", local_time=time(18, 0), tz="Asia/Kolkata")
    rail = replace(RTGS_IN, bank_cutoffs=(rule,))
    now = at("2026-11-24T12:30:00Z")
    assert value_date_for(rail, None, now) == date(2026, 11, 24)
    assert value_date_for(rail, None, now, Terms(bank="HDFCINBB")) == date(2026, 11, 25)


def test_an_override_extends_the_day() -> None:
    extension = WindowOverride(
        business_date=date(2026, 11, 24), kind=WindowKind.CUSTOMER, local_time=time(19, 0)
    )
    rail, calendar = replace(T2, overrides=(extension,)), CALENDARS["TARGET"]
    now = at("2026-11-24T17:59:59Z")
    assert value_date_for(T2, calendar, now) == date(2026, 11, 25)
    assert value_date_for(rail, calendar, now) == date(2026, 11, 24)
    assert rail_status(rail, calendar, now).is_open
    assert value_date_for(rail, calendar, at("2026-11-25T15:59:59Z")) == date(2026, 11, 25)


def test_an_override_without_a_time_strikes_the_day_out() -> None:
    strike = WindowOverride(
        business_date=date(2026, 11, 24), kind=WindowKind.CUSTOMER, local_time=None
    )
    rail, calendar = replace(T2, overrides=(strike,)), CALENDARS["TARGET"]
    status = rail_status(rail, calendar, at("2026-11-24T10:00:00Z"))
    assert (status.is_open, status.business_date) == (False, date(2026, 11, 25))
    assert status.reason_closed is ClosedReason.HOLIDAY


def test_a_half_day_brings_cutoff_and_close_forward() -> None:
    half = {date(2026, 11, 24): HolidayFact(name="Half day", half_day_close=time(12, 0))}
    calendar = replace(CALENDARS["TARGET"], holidays=half)
    status = rail_status(T2, calendar, at("2026-11-24T10:59:59Z"))
    assert status.is_open
    assert status.cutoff_at == status.closes_at == at("2026-11-24T11:00:00Z")
    assert not rail_status(T2, calendar, at("2026-11-24T11:00:00Z")).is_open


def test_a_new_window_takes_over_on_its_first_day() -> None:
    switch = date(2026, 11, 24)
    opening, rest = T2.windows[0], T2.windows[1:]
    early = WindowRule(kind=WindowKind.OPEN, local_time=time(1, 30), effective_from=switch)
    rail = replace(T2, windows=(replace(opening, effective_to=switch), early, *rest))
    assert window_at(rail, date(2026, 11, 23), WindowKind.OPEN) == at("2026-11-23T01:30:00Z")
    assert window_at(rail, switch, WindowKind.OPEN) == at("2026-11-24T00:30:00Z")


def test_a_missing_window_is_an_error_and_not_an_endless_day() -> None:
    rail = replace(T2, windows=tuple(w for w in T2.windows if w.kind is WindowKind.OPEN))
    asked = Terms(kind=WindowKind.CUSTOMER)
    with pytest.raises(CalendarCoverageError):
        effective_cutoff(rail, CALENDARS["TARGET"], date(2026, 11, 24), asked)
    with pytest.raises(CalendarCoverageError):  # TARGET2's hours are not in the book
        effective_cutoff(T2, CALENDARS["TARGET"], date(2023, 3, 17))


def test_a_rail_with_a_calendar_is_never_taken_for_round_the_clock() -> None:
    with pytest.raises(CalendarCoverageError):
        value_date_for(FEDWIRE, None, at("2026-11-24T12:00:00Z"))


def test_beyond_the_calendar_there_is_no_value_date() -> None:
    with pytest.raises(CalendarCoverageError):
        value_date_for(FEDWIRE, CALENDARS["FED"], at("2028-12-29T23:45:00Z"))


def test_a_payment_between_two_centres_needs_both() -> None:
    both = business_calendar(FEDWIRE, CALENDARS["FED"], CALENDARS["UK_EW"])
    assert isinstance(both, JointCalendar)
    now = at("2026-12-24T23:45:00Z")
    assert value_date_for(FEDWIRE, CALENDARS["FED"], now) == date(2026, 12, 28)
    assert value_date_for(FEDWIRE, both, now) == date(2026, 12, 29)


@pytest.mark.parametrize(
    ("now", "minutes"),
    [
        ("2026-11-24T17:09:59Z", None),
        ("2026-11-24T17:10:00Z", 30),
        ("2026-11-24T17:29:30Z", 10),
        ("2026-11-24T17:39:59Z", 0),
        ("2026-11-24T17:40:00Z", None),
        ("2026-12-28T17:20:00Z", None),  # a holiday
        ("2026-11-28T17:20:00Z", None),  # a Saturday
    ],
)
def test_the_warning_interval_is_half_open(now: str, minutes: int | None) -> None:
    window = closing_window(CHAPS, CALENDARS["UK_EW"], at(now), within=HALF_HOUR)
    assert (window.minutes_left if window else None) == minutes


@pytest.mark.parametrize(
    ("rail", "need", "expected"),
    [
        (FEDWIRE, date(2026, 11, 27), "2026-11-27T23:45:00Z"),
        (FEDWIRE, date(2026, 11, 26), "2026-11-25T23:45:00Z"),  # Thanksgiving
        (FEDWIRE, date(2026, 11, 29), "2026-11-27T23:45:00Z"),  # a Sunday
        (CHAPS, date(2026, 12, 28), "2026-12-24T17:40:00Z"),
        (INR_DESK, date(2026, 11, 24), "2026-11-23T10:00:00Z"),
        (SEPA_SCT, date(2026, 12, 28), "2026-12-24T13:00:00Z"),  # lands a day later
        (SEPA_SCT, date(2026, 11, 25), "2026-11-24T13:00:00Z"),
    ],
)
def test_the_last_submission_that_still_carries_the_date(
    rail: RailData, need: date, expected: str
) -> None:
    assert latest_landing(rail, days_of(rail), need) == at(expected)


@pytest.mark.parametrize(
    ("rail", "need", "expected"),
    [
        (FEDWIRE, "2026-11-24T15:00:00Z", "2026-11-24T14:30:00Z"),
        (FEDWIRE, "2026-11-24T02:20:00Z", "2026-11-23T23:45:00Z"),  # opened 20 minutes ago
        (FEDWIRE, "2026-11-24T02:40:00Z", "2026-11-24T02:10:00Z"),
        (FEDWIRE, "2026-11-26T12:00:00Z", "2026-11-25T23:45:00Z"),
        (CHAPS, "2026-11-24T19:00:00Z", "2026-11-24T17:00:00Z"),
        (CHAPS, "2026-11-24T22:00:00Z", "2026-11-24T17:40:00Z"),
        (INR_DESK, "2026-11-25T11:30:00Z", "2026-11-25T10:00:00Z"),  # at the desk's close
        (INR_DESK, "2026-11-25T11:29:00Z", "2026-11-23T10:00:00Z"),
        (SEPA_INST, "2026-12-25T12:00:00Z", "2026-12-25T08:00:00Z"),
    ],
)
def test_the_last_submission_that_is_confirmed_in_time(
    rail: RailData, need: str, expected: str
) -> None:
    assert latest_landing(rail, days_of(rail), at(need)) == at(expected)


def test_lead_time_comes_off_the_last_submission() -> None:
    lead = Terms(lead=timedelta(minutes=20))
    by_date = latest_landing(FEDWIRE, CALENDARS["FED"], date(2026, 11, 24), lead)
    by_instant = latest_landing(FEDWIRE, CALENDARS["FED"], at("2026-11-24T15:00:00Z"), lead)
    assert by_date == at("2026-11-24T23:25:00Z")
    assert by_instant == at("2026-11-24T14:10:00Z")


def test_a_round_the_clock_rail_sets_no_bound_for_a_date() -> None:
    assert latest_landing(SEPA_INST, None, date(2026, 12, 27)) is None


def test_skipped_and_repeated_wall_times_have_one_instant_each() -> None:
    assert instant(date(2027, 3, 28), time(2, 30), "Europe/Berlin") == at("2027-03-28T01:30:00Z")
    assert instant(date(2026, 10, 25), time(2, 30), "Europe/Berlin") == at("2026-10-25T00:30:00Z")
    assert instant(date(2026, 11, 24), time(9, 0), "Asia/Kolkata") == at("2026-11-24T03:30:00Z")


def test_the_book_holds_every_rail_of_the_house_with_its_confirmation_time() -> None:
    book = {(rail.code, rail.currency): rail.sla_minutes for rail in RAILS}
    assert book == {
        ("FEDWIRE", "USD"): 30,
        ("CHAPS", "GBP"): 120,
        ("T2", "EUR"): 240,
        ("SEPA_SCT", "EUR"): 240,
        ("SEPA_INST", "EUR"): 240,
        ("SWIFT_GPI", "USD"): 480,
        ("SWIFT_GPI", "GBP"): 480,
        ("SWIFT_GPI", "AED"): 480,
        ("UAEFTS", "AED"): 480,
        ("RTGS_IN", "INR"): None,
        ("INR_DESK", "INR"): None,
    }
