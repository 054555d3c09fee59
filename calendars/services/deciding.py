"""Decide about holidays: confirm, cancel, declare. Every change is announced."""

from dataclasses import dataclass
from datetime import date, time

from calendars.engine.days import HolidayKind, HolidayStatus
from calendars.errors import CalendarUnknown, HolidayStateRefused, HolidayUnknown
from calendars.events import HolidayChanged
from calendars.models import Calendar, Holiday
from calendars.selectors import calendar_data
from calendars.services.authority import require_other_person, require_static_data
from core import clock
from core.errors import Invalid
from core.events import publish
from core.identity.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """A day that closes unexpectedly, or early when `half_day_close` names a local time."""

    calendar: str
    day: date
    name: str
    source: str = ""
    half_day_close: time | None = None


def confirm_holiday(*, calendar: str, day: date, actor: User) -> Holiday:
    """Confirm a provisional holiday.

    Raises:
        Forbidden: the actor does not look after static data.
        HolidayUnknown: the calendar has no row on that day.
        HolidayStateRefused: the row is not provisional.
        SameHandRefused: the actor declared it.
    """
    require_static_data(actor)
    holiday = _locked(calendar, day)
    if holiday.status != HolidayStatus.PROVISIONAL:
        raise HolidayStateRefused(
            f"{holiday.name} is {holiday.status.lower()} already.", status=holiday.status
        )
    require_other_person(actor, holiday.declared_by)
    _decide(holiday, HolidayStatus.CONFIRMED, actor)
    _announce(holiday, "confirmed")
    return holiday


def cancel_holiday(*, calendar: str, day: date, actor: User, reason: str) -> Holiday:
    """Cancel a holiday, which opens its day again; the row stays.

    Raises:
        Forbidden: the actor does not look after static data.
        Invalid: no reason is given.
        HolidayUnknown: the calendar has no row on that day.
        HolidayStateRefused: the row is cancelled already.
        SameHandRefused: the actor declared or confirmed it.
    """
    require_static_data(actor)
    if not reason.strip():
        raise Invalid("Say why the holiday is cancelled.", field="reason")
    holiday = _locked(calendar, day)
    if holiday.status == HolidayStatus.CANCELLED:
        raise HolidayStateRefused(f"{holiday.name} is cancelled already.", status=holiday.status)
    require_other_person(actor, holiday.declared_by)
    require_other_person(actor, holiday.decided_by)
    _decide(holiday, HolidayStatus.CANCELLED, actor, reason)
    _announce(holiday, "cancelled")
    return holiday


def declare_closure(*, closure: Closure, actor: User) -> Holiday:
    """Close a day at short notice. It counts at once and waits for a second person to confirm.

    Raises:
        Forbidden: the actor does not look after static data.
        Invalid: the closure has no name.
        CalendarUnknown: no such calendar is installed.
        CalendarCoverageError: the day lies outside the calendar's coverage.
        HolidayStateRefused: the day is closed already.
    """
    require_static_data(actor)
    if not closure.name.strip():
        raise Invalid("Name the closure.", field="name")
    calendar = Calendar.objects.filter(code=closure.calendar).select_for_update().first()
    if calendar is None:
        raise CalendarUnknown(
            f"Calendar {closure.calendar} is not installed.", calendar=closure.calendar
        )
    calendar_data(closure.calendar).require_covered(closure.day)
    holiday = calendar.holidays.filter(date=closure.day).first()
    if holiday is not None and holiday.status != HolidayStatus.CANCELLED:
        raise HolidayStateRefused(
            f"{closure.day} is {holiday.name} already.", status=holiday.status
        )
    holiday = holiday or Holiday(calendar=calendar, date=closure.day)
    holiday.name, holiday.kind = closure.name.strip(), HolidayKind.ADHOC
    holiday.status, holiday.declared_by = HolidayStatus.PROVISIONAL, actor
    holiday.source = closure.source or "declared by hand"
    holiday.half_day_close_local = closure.half_day_close
    holiday.decided_by = holiday.decided_at = None
    holiday.decision_reason = ""
    holiday.save()
    _announce(holiday, "declared")
    return holiday


def announce_holiday(*, holiday: Holiday) -> None:
    """Announce a holiday that a change put in force; what the library brings stays quiet."""
    if holiday.status != HolidayStatus.PROVISIONAL:
        _announce(holiday, holiday.status.lower())
    elif holiday.kind == HolidayKind.ADHOC:
        _announce(holiday, "declared")


def _locked(calendar: str, day: date) -> Holiday:
    found = (
        Holiday.objects.select_for_update(of=("self",))
        .select_related("calendar", "declared_by", "decided_by")
        .filter(calendar__code=calendar, date=day)
        .first()
    )
    if found is None:
        raise HolidayUnknown(
            f"Calendar {calendar} has no holiday on {day}.",
            calendar=calendar,
            date=day.isoformat(),
        )
    return found


def _decide(holiday: Holiday, status: HolidayStatus, actor: User, reason: str = "") -> None:
    holiday.status, holiday.decision_reason = status, reason.strip()
    holiday.decided_by, holiday.decided_at = actor, clock.now()
    holiday.save()


def _announce(holiday: Holiday, change: str) -> None:
    calendar = holiday.calendar
    publish(
        HolidayChanged(
            calendar=calendar.code,
            currency=calendar.currency,
            date=holiday.date,
            name=holiday.name,
            change=change,
            status=holiday.status,
            is_business_day=calendar_data(calendar.code).is_open(holiday.date),
        )
    )
