"""Install the reference calendars and rails for a tenant; running again changes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from calendars import library, rail_book
from calendars.constants import EVERY_WEEKDAY, REFERENCE_YEARS
from calendars.engine.days import HolidayFact
from calendars.engine.rails import RailData, WindowKind
from calendars.errors import CalendarUnknown
from calendars.library import CalendarSpec
from calendars.models import BankCutoff, Calendar, Holiday, Rail, RailWindow, WeekendRule
from calendars.selectors import require_rail
from calendars.services.authority import require_static_data
from core.errors import Invalid
from core.identity.models import User

SOURCE = "public-holiday library"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallReport:
    """What an installation added and what it found in place."""

    calendars: int
    holidays_added: int
    holidays_kept: int


def install_reference_calendars(*, years: Iterable[int] = REFERENCE_YEARS) -> InstallReport:
    """Install every reference calendar with provisional holidays for `years`.

    Rows that exist are left as people have decided them. Coverage grows to the years installed.

    Raises:
        Invalid: the years have gaps, among themselves or towards what is installed.
        LibraryCoverageError: the library's data is incomplete for one of the years.
    """
    span = _without_gaps(years)
    added = kept = 0
    for spec in library.SPECS.values():
        facts = library.provisional_holidays(spec.code, span)
        calendar = _calendar(spec, span)
        known = set(calendar.holidays.values_list("date", flat=True))
        new = {day: fact for day, fact in facts.items() if day not in known}
        Holiday.objects.bulk_create(_holiday(calendar, day, fact) for day, fact in new.items())
        added += len(new)
        kept += len(facts) - len(new)
    return InstallReport(calendars=len(library.SPECS), holidays_added=added, holidays_kept=kept)


def _calendar(spec: CalendarSpec, span: list[int]) -> Calendar:
    first, last = date(span[0], 1, 1), date(span[-1], 12, 31)
    calendar, created = Calendar.objects.select_for_update().get_or_create(
        code=spec.code,
        defaults={
            "name": spec.name,
            "tz": spec.tz,
            "currency": spec.currency,
            "is_settlement": spec.is_settlement,
            "coverage_start": first,
            "coverage_end": last,
        },
    )
    if created:
        for rule in spec.weekend_rules:
            WeekendRule.objects.create(
                calendar=calendar,
                closed_weekdays=rule.closed_weekdays,
                alternate_weekday=rule.alternate_weekday,
                alternate_ordinals=rule.alternate_ordinals,
                effective_from=rule.effective_from,
                effective_to=rule.effective_to,
            )
    else:
        _widen(calendar, first, last)
    return calendar


def _without_gaps(years: Iterable[int]) -> list[int]:
    span = sorted(set(years))
    if not span or span != list(range(span[0], span[-1] + 1)):
        raise Invalid("Install consecutive years.", field="years")
    return span


def _widen(calendar: Calendar, first: date, last: date) -> None:
    start, end = calendar.coverage_start, calendar.coverage_end
    if last.year + 1 < start.year or first.year > end.year + 1:
        # A hole in the coverage would read as a year without holidays.
        raise Invalid(
            f"Calendar {calendar.code} covers {start.year} to {end.year}: install years that"
            " touch these.",
            field="years",
        )
    if first < start or last > end:
        calendar.coverage_start, calendar.coverage_end = min(first, start), max(last, end)
        calendar.save()


def _holiday(calendar: Calendar, day: date, fact: HolidayFact) -> Holiday:
    return Holiday(
        calendar=calendar,
        date=day,
        name=fact.name,
        kind=fact.kind,
        status=fact.status,
        source=SOURCE,
    )


def install_rails() -> int:
    """Install every rail of the book with its windows and return how many were new.

    Raises:
        CalendarUnknown: a rail's calendar is not installed yet.
    """
    calendars = {row.code: row for row in Calendar.objects.all()}
    return sum(_install_rail(rail, calendars) for rail in rail_book.RAILS)


def _install_rail(rail: RailData, calendars: dict[str, Calendar]) -> bool:
    if rail.calendar is not None and rail.calendar not in calendars:
        raise CalendarUnknown(
            f"Install the calendars first: {rail.code} needs {rail.calendar}.",
            calendar=rail.calendar,
        )
    row, created = Rail.objects.get_or_create(
        code=rail.code,
        currency=rail.currency,
        defaults={
            "name": rail.name,
            "tz": rail.tz,
            "calendar": calendars[rail.calendar] if rail.calendar else None,
            "settlement_days": rail.settlement_days,
            "sla_minutes": rail.sla_minutes,
            "sla_policy": rail.sla_policy,
        },
    )
    if created:
        RailWindow.objects.bulk_create(
            RailWindow(
                rail=row,
                kind=window.kind,
                local_time=window.local_time,
                day_offset=window.day_offset,
                weekday_mask=window.weekday_mask,
                effective_from=window.effective_from,
                effective_to=window.effective_to,
            )
            for window in rail.windows
        )
    return created


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCutoffIn:
    """A bank's own cut-off as somebody enters it."""

    rail: str
    bank: str
    local_time: time
    tz: str
    effective_from: date
    currency: str | None = None
    weekday_mask: int = EVERY_WEEKDAY
    kind: WindowKind = WindowKind.CUSTOMER


def set_bank_cutoff(*, cutoff: BankCutoffIn, actor: User | None = None) -> BankCutoff:
    """Put a bank's cut-off in force; the row it replaces ends on the day before.

    `actor` is None only for the system's own set-up.

    Raises:
        Forbidden: the actor does not look after static data.
        RailUnknown: no such rail is installed.
        RailAmbiguous: the rail carries several currencies and none was named.
    """
    if actor is not None:
        require_static_data(actor)
    rail = require_rail(cutoff.rail, cutoff.currency)
    same: dict[str, Any] = {
        "rail": rail,
        "bank": cutoff.bank.upper(),
        "kind": cutoff.kind,
        "weekday_mask": cutoff.weekday_mask,
    }
    current = (
        BankCutoff.objects.select_for_update()
        .filter(**same, effective_to__isnull=True, effective_from__lt=cutoff.effective_from)
        .first()
    )
    if current is not None:
        current.effective_to = cutoff.effective_from
        current.save()
    row, _ = BankCutoff.objects.update_or_create(
        **same,
        effective_from=cutoff.effective_from,
        defaults={"local_time": cutoff.local_time, "tz": cutoff.tz},
    )
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekendIn:
    """The weekly closed days of a calendar from a date on."""

    calendar: str
    closed_weekdays: int
    effective_from: date
    alternate_weekday: int | None = None
    alternate_ordinals: int = 0


def change_weekend(*, weekend: WeekendIn, actor: User) -> WeekendRule:
    """Give a calendar another weekend; the rule in force ends on the day before.

    Raises:
        Forbidden: the actor does not look after static data.
        CalendarUnknown: no such calendar is installed.
        Invalid: the new rule does not start after the one in force.
    """
    require_static_data(actor)
    calendar = Calendar.objects.select_for_update().filter(code=weekend.calendar).first()
    if calendar is None:
        raise CalendarUnknown(
            f"Calendar {weekend.calendar} is not installed.", calendar=weekend.calendar
        )
    current = calendar.weekend_rules.filter(effective_to__isnull=True).first()
    if current is not None:
        if weekend.effective_from <= current.effective_from:
            raise Invalid("Start after the rule in force.", field="effective_from")
        current.effective_to = weekend.effective_from
        current.save()
    return WeekendRule.objects.create(
        calendar=calendar,
        closed_weekdays=weekend.closed_weekdays,
        alternate_weekday=weekend.alternate_weekday,
        alternate_ordinals=weekend.alternate_ordinals,
        effective_from=weekend.effective_from,
    )
