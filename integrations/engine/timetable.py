"""When a line is asked for messages: hours of the bank's own place, and a pause. Pure functions."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

ALL_WEEKDAYS = "1234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """Weekdays are ISO numbers, Monday is 1; without hours the whole day counts.

    Hours may reach past midnight: 22:00 to 06:00 belongs to the weekday on which it begins.
    """

    zone: str = "UTC"
    weekdays: str = ALL_WEEKDAYS
    opens_at: time | None = None
    closes_at: time | None = None
    poll_seconds: int = 0


def is_open(timetable: Timetable, *, now: datetime) -> bool:
    """Return whether the line is asked at this moment at all."""
    local = now.astimezone(ZoneInfo(timetable.zone))
    opens, closes = timetable.opens_at, timetable.closes_at
    if opens is None or closes is None or opens == closes:
        return _is_day(timetable, local)
    if opens < closes:
        return _is_day(timetable, local) and opens <= local.time() < closes
    if local.time() >= opens:
        return _is_day(timetable, local)
    return local.time() < closes and _is_day(timetable, local - timedelta(days=1))


def is_due(timetable: Timetable, *, asked_at: datetime | None, now: datetime) -> bool:
    """Return whether the line is to be asked now, having been asked at `asked_at`."""
    if not is_open(timetable, now=now):
        return False
    if asked_at is None or asked_at > now:
        return True
    return now - asked_at >= timedelta(seconds=timetable.poll_seconds)


def _is_day(timetable: Timetable, local: datetime) -> bool:
    return str(local.isoweekday()) in timetable.weekdays
