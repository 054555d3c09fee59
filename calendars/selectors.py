"""Reads: rows become the engine's records, then the engine answers. Nothing is cached."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Prefetch, QuerySet

from calendars.constants import SEARCH_DAYS_MAX
from calendars.engine import days, rails
from calendars.engine.days import (
    BusinessCalendar,
    CalendarData,
    HolidayFact,
    HolidayKind,
    HolidayStatus,
    JointCalendar,
)
from calendars.engine.rails import RailData, RailStatus, SlaPolicy, Terms, WindowKind
from calendars.errors import CalendarUnknown, RailAmbiguous, RailUnknown
from calendars.models import (
    Calendar,
    Holiday,
    HolidayQuerySet,
    Rail,
    RailWindowOverride,
)

NO_LEAD = timedelta(0)
AROUND = timedelta(days=SEARCH_DAYS_MAX + 5)


def _fact(name: str, kind: str, status: str, half_day_close: time | None) -> HolidayFact:
    return HolidayFact(
        name=name,
        kind=HolidayKind(kind),
        status=HolidayStatus(status),
        half_day_close=half_day_close,
    )


def _facts(rows: Iterable[Holiday]) -> dict[date, HolidayFact]:
    return {
        row.date: _fact(row.name, row.kind, row.status, row.half_day_close_local) for row in rows
    }


def _calendar_record(row: Calendar, holidays: dict[date, HolidayFact]) -> CalendarData:
    return CalendarData(
        code=row.code,
        tz=row.tz,
        currency=row.currency,
        weekend_rules=tuple(
            days.WeekendRule(
                closed_weekdays=rule.closed_weekdays,
                effective_from=rule.effective_from,
                effective_to=rule.effective_to,
                alternate_weekday=rule.alternate_weekday,
                alternate_ordinals=rule.alternate_ordinals,
            )
            for rule in row.weekend_rules.all()
        ),
        holidays=holidays,
        coverage_start=row.coverage_start,
        coverage_end=row.coverage_end,
    )


def calendars_around(day: date) -> dict[str, CalendarData]:
    """Return every calendar, cut down to the weeks around `day` for fast reading.

    The coverage is cut down with it: a question about another season is an error, never "open".
    """
    start, end = day - AROUND, day + AROUND
    near = Prefetch("holidays", queryset=HolidayQuerySet(Holiday).between(start, end))
    rows = Calendar.objects.prefetch_related("weekend_rules", near)
    full = (_calendar_record(row, _facts(row.holidays.all())) for row in rows)
    return {
        calendar.code: replace(
            calendar,
            coverage_start=max(start, calendar.coverage_start),
            coverage_end=min(end, calendar.coverage_end),
        )
        for calendar in full
    }


# Each calendar is one row, with its weekends and years of holidays beside it.
_CALENDARS: Final = """
SELECT c.code, c.tz, c.currency, c.coverage_start, c.coverage_end, w.*, h.*
  FROM calendars_calendar c CROSS JOIN LATERAL (
       SELECT array_agg(r.closed_weekdays ORDER BY r.effective_from),
              array_agg(r.effective_from ORDER BY r.effective_from),
              array_agg(r.effective_to ORDER BY r.effective_from),
              array_agg(r.alternate_weekday ORDER BY r.effective_from),
              array_agg(r.alternate_ordinals ORDER BY r.effective_from)
         FROM calendars_weekendrule r WHERE r.calendar_id = c.id) w CROSS JOIN LATERAL (
       SELECT array_agg(d.date), array_agg(d.name), array_agg(d.kind), array_agg(d.status),
              array_agg(d.half_day_close_local)
         FROM calendars_holiday d WHERE d.calendar_id = c.id) h
"""
_WEEKEND_COLUMNS: Final = slice(5, 10)
_HOLIDAY_COLUMNS: Final = slice(10, 15)


def _calendars(which: str, facts: Sequence[Any] = ()) -> dict[str, CalendarData]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_CALENDARS} WHERE {which} ORDER BY c.code", facts)
        return {row[0]: _read(row) for row in cursor.fetchall()}


def _read(row: Sequence[Any]) -> CalendarData:
    code, tz, currency, start, end = row[:5]
    rules = zip(*(column or () for column in row[_WEEKEND_COLUMNS]), strict=True)
    return CalendarData(
        code=code,
        tz=tz,
        currency=currency,
        weekend_rules=tuple(
            days.WeekendRule(
                closed_weekdays=closed,
                effective_from=since,
                effective_to=until,
                alternate_weekday=weekday,
                alternate_ordinals=ordinals,
            )
            for closed, since, until, weekday, ordinals in rules
        ),
        holidays=_named(*(column or () for column in row[_HOLIDAY_COLUMNS])),
        coverage_start=start,
        coverage_end=end,
    )


def _named(dates: Iterable[date], *facts: Iterable[Any]) -> dict[date, HolidayFact]:
    """Return holidays by date; years repeat each other, so few facts are made."""
    made: dict[tuple[Any, ...], HolidayFact] = {}
    found: dict[date, HolidayFact] = {}
    for day, key in zip(dates, zip(*facts, strict=True), strict=True):
        if key not in made:
            made[key] = _fact(*key)
        found[day] = made[key]
    return found


def calendar_data(code: str) -> CalendarData:
    """Return one calendar with its weekends and holidays.

    Raises:
        CalendarUnknown: no such calendar is installed.
    """
    return _require([code])[code]


def settlement_calendar(currency: str) -> CalendarData:
    """Return the calendar that decides when `currency` settles.

    Raises:
        CalendarUnknown: the currency has none.
    """
    found = _calendars("c.is_settlement AND c.currency = %s", [currency])
    for calendar in found.values():
        return calendar
    raise CalendarUnknown(f"No calendar settles {currency}.", currency=currency)


def settlement_calendars() -> dict[str, CalendarData]:
    """Return the settlement calendars by code."""
    return _calendars("c.is_settlement")


def _require(codes: Iterable[str]) -> dict[str, CalendarData]:
    wanted = set(codes)
    found = _calendars("c.code = ANY(%s)", [list(wanted)])
    missing = sorted(wanted - set(found))
    if missing:
        raise CalendarUnknown(f"Calendar {missing[0]} is not installed.", calendar=missing[0])
    return found


def is_joint_business_day(codes: Sequence[str], day: date) -> bool:
    """Tell whether `day` is open in every calendar of `codes`.

    Raises:
        CalendarUnknown: one of them is not installed.
        CalendarCoverageError: one of them does not reach `day`.
    """
    found = _require(codes)
    return days.is_joint(tuple(found[code] for code in codes), day)


def holidays_between(
    *, start: date, end: date, calendar: str | None = None, status: str | None = None
) -> QuerySet[Holiday]:
    """Return holiday rows from `start` to `end`, both included, in order of date."""
    rows = HolidayQuerySet(Holiday).between(start, end).select_related("calendar")
    if calendar is not None:
        rows = rows.of(calendar)
    if status is not None:
        rows = rows.filter(status=status)
    return rows.order_by("date", "calendar__code")


def _rails() -> QuerySet[Rail]:
    approved = RailWindowOverride.objects.filter(approved_by__isnull=False).order_by("-revision")
    return Rail.objects.select_related("calendar").prefetch_related(
        "windows", "bank_cutoffs", Prefetch("overrides", queryset=approved, to_attr="approved")
    )


def _overrides(rows: Iterable[RailWindowOverride]) -> tuple[rails.WindowOverride, ...]:
    latest: dict[tuple[date, str], RailWindowOverride] = {}
    for row in rows:  # highest revision first
        latest.setdefault((row.business_date, row.kind), row)
    return tuple(
        rails.WindowOverride(
            business_date=row.business_date,
            kind=WindowKind(row.kind),
            local_time=row.local_time,
        )
        for row in latest.values()
    )


def _rail_record(row: Rail) -> RailData:
    windows = tuple(
        rails.WindowRule(
            kind=WindowKind(window.kind),
            local_time=window.local_time,
            effective_from=window.effective_from,
            effective_to=window.effective_to,
            day_offset=window.day_offset,
            weekday_mask=window.weekday_mask,
        )
        for window in row.windows.all()
    )
    cutoffs = tuple(
        rails.BankCutoffRule(
            bank=cutoff.bank,
            kind=WindowKind(cutoff.kind),
            local_time=cutoff.local_time,
            tz=cutoff.tz,
            effective_from=cutoff.effective_from,
            effective_to=cutoff.effective_to,
            weekday_mask=cutoff.weekday_mask,
        )
        for cutoff in row.bank_cutoffs.all()
    )
    return RailData(
        code=row.code,
        currency=row.currency,
        name=row.name,
        tz=row.tz,
        calendar=row.calendar.code if row.calendar else None,
        windows=windows,
        overrides=_overrides(getattr(row, "approved", ())),
        bank_cutoffs=cutoffs,
        settlement_days=row.settlement_days,
        sla_minutes=row.sla_minutes,
        sla_policy=SlaPolicy(row.sla_policy),
    )


def require_rail(code: str, currency: str | None = None) -> Rail:
    """Return the rail's row; the currency is needed only where a code has several.

    Raises:
        RailUnknown: no such rail is installed.
        RailAmbiguous: the code carries several currencies and none was named.
    """
    rows = _rails().filter(code=code)
    found = list(rows.filter(currency=currency) if currency else rows)
    if not found:
        raise RailUnknown(f"Rail {code} is not installed.", rail=code, currency=currency)
    if len(found) > 1:
        raise RailAmbiguous(
            f"Rail {code} carries several currencies: name one.",
            field="currency",
            currencies=sorted(row.currency for row in found),
        )
    return found[0]


def rail_data(code: str, currency: str | None = None) -> RailData:
    """Return one rail with its windows, approved overrides and bank cut-offs.

    Raises:
        RailUnknown: no such rail is installed.
        RailAmbiguous: the code carries several currencies and none was named.
    """
    return _rail_record(require_rail(code, currency))


def all_rails() -> list[tuple[Rail, RailData]]:
    """Return every rail of the bound tenant, as a row and as the engine's record."""
    return [(row, _rail_record(row)) for row in _rails()]


def _calendar_of(rail: RailData, also: Sequence[str] = ()) -> BusinessCalendar | None:
    codes = [code for code in (rail.calendar, *also) if code]
    if not codes:
        return None
    found = _require(codes)
    if len(codes) == 1:
        return found[codes[0]]
    return JointCalendar(tuple(found[code] for code in codes))


def rail_status(
    *, rail: str, now: datetime, bank: str | None = None, currency: str | None = None
) -> RailStatus:
    """Describe a rail at `now`, as seen through `bank` where one is named.

    Raises:
        RailUnknown: no such rail is installed.
        RailAmbiguous: the code carries several currencies and none was named.
        CalendarCoverageError: the calendar does not reach far enough.
    """
    record = rail_data(rail, currency)
    return rails.rail_status(record, _calendar_of(record), now, Terms(bank=bank))


def value_date_for(
    *,
    rail: str,
    now: datetime,
    bank: str | None = None,
    currency: str | None = None,
    lead: timedelta = NO_LEAD,
    also: Sequence[str] = (),
) -> date:
    """Return the value date a payment still gets; `also` adds calendars that must be open.

    Raises:
        RailUnknown: no such rail is installed.
        RailAmbiguous: the code carries several currencies and none was named.
        CalendarCoverageError: a calendar does not reach far enough.
    """
    record = rail_data(rail, currency)
    terms = Terms(bank=bank, lead=lead)
    return rails.value_date_for(record, _calendar_of(record, also), now, terms)


def cutoff_for(
    *,
    rail: str,
    day: date,
    bank: str | None = None,
    currency: str | None = None,
    lead: timedelta = NO_LEAD,
) -> datetime | None:
    """Return the effective cut-off of a business date in UTC, or None around the clock.

    Raises:
        RailUnknown: no such rail is installed.
        RailAmbiguous: the code carries several currencies and none was named.
        CalendarCoverageError: no window is in force on that day.
    """
    record = rail_data(rail, currency)
    calendar = _calendar_of(record) or days.EVERY_DAY
    return rails.effective_cutoff(record, calendar, day, Terms(bank=bank, lead=lead))


def latest_landing(
    *,
    rail: str,
    need_by: date | datetime,
    bank: str | None = None,
    currency: str | None = None,
    lead: timedelta = NO_LEAD,
) -> datetime | None:
    """Return the instant before which a payment must be submitted to be there in time.

    Raises:
        RailUnknown: no such rail is installed.
        RailAmbiguous: the code carries several currencies and none was named.
        CalendarCoverageError: the calendar does not reach far enough.
    """
    record = rail_data(rail, currency)
    terms = Terms(bank=bank, lead=lead)
    return rails.latest_landing(record, _calendar_of(record), need_by, terms)


def all_rail_statuses(now: datetime, *, bank: str | None = None) -> list[RailStatus]:
    """Describe every rail at `now`, as seen through `bank` where one is named.

    Raises:
        CalendarCoverageError: a calendar does not reach far enough.
    """
    calendars = calendars_around(now.date())
    return [
        rails.rail_status(record, calendars.get(record.calendar or ""), now, Terms(bank=bank))
        for _, record in all_rails()
    ]
