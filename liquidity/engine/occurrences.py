"""When a recurring flow falls due. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from calendars.engine.days import BusinessCalendar, Roll, adjust

# A due day is moved by no more than a holiday cluster.
ROLL_DAYS_MAX = 15
ONE_DAY = timedelta(days=1)


class RuleKind(StrEnum):
    """How often a pattern repeats."""

    DAILY = "DAILY"
    WEEKDAYS = "WEEKDAYS"
    MONTH_DAY = "MONTH_DAY"
    MONTH_END = "MONTH_END"


class Adjust(StrEnum):
    """Where an occurrence goes whose day is closed."""

    NONE = "NONE"
    FOLLOWING = "FOLLOWING"
    PRECEDING = "PRECEDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A repetition; `weekday_mask` has bit 0 for Monday, `valid_to` is inclusive."""

    kind: RuleKind
    adjust: Adjust
    valid_from: date
    valid_to: date | None = None
    weekday_mask: int = 0
    month_day: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One due day: `nominal` names it for good, `on` is where it falls on the calendar."""

    nominal: date
    on: date


def _is_month_end(day: date) -> bool:
    return (day + ONE_DAY).month != day.month


def _falls_on(rule: Rule, day: date) -> bool:
    match rule.kind:
        case RuleKind.DAILY:
            return True
        case RuleKind.WEEKDAYS:
            return bool(rule.weekday_mask >> day.weekday() & 1)
        case RuleKind.MONTH_END:
            return _is_month_end(day)
        case RuleKind.MONTH_DAY:
            # The 31st of a short month is its last day.
            return day.day == rule.month_day or (day.day < rule.month_day and _is_month_end(day))


def _nominal_days(rule: Rule, start: date, end: date) -> Iterator[date]:
    first = max(start, rule.valid_from)
    last = min(end, rule.valid_to) if rule.valid_to else end
    for step in range((last - first).days + 1):
        day = first + step * ONE_DAY
        if _falls_on(rule, day):
            yield day


def occurrences(
    rule: Rule, *, calendar: BusinessCalendar, start: date, end: date
) -> list[Occurrence]:
    """Return what falls due from `start` to `end`, both included, after moving closed days.

    Validity counts for the nominal day. Several nominal days may meet on one open day: a daily
    flow rolled forward brings Saturday's, Sunday's and Monday's on Monday.

    Raises:
        CalendarCoverageError: the calendar does not reach far enough.
    """
    margin = timedelta(days=ROLL_DAYS_MAX if rule.adjust is not Adjust.NONE else 0)
    found = [
        Occurrence(nominal=day, on=_moved(rule, calendar, day))
        for day in _nominal_days(rule, start - margin, end + margin)
    ]
    return sorted(
        (one for one in found if start <= one.on <= end), key=lambda one: (one.on, one.nominal)
    )


def _moved(rule: Rule, calendar: BusinessCalendar, day: date) -> date:
    if rule.adjust is Adjust.NONE:
        return day
    return adjust(calendar, day, Roll(rule.adjust.value))
