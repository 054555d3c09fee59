"""Business days: effective-dated weekends, holidays, joint calendars, rolling conventions.

Pure functions over immutable records. A day outside a calendar's coverage is an error, never
silently "open".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from calendars.constants import SEARCH_DAYS_MAX
from calendars.errors import CalendarCoverageError

ONE_DAY = timedelta(days=1)


class HolidayKind(StrEnum):
    """Why a day is closed."""

    REGULAR = "REGULAR"
    SUBSTITUTE = "SUBSTITUTE"
    ADHOC = "ADHOC"
    TENTATIVE = "TENTATIVE"


class HolidayStatus(StrEnum):
    """How far a holiday is trusted; a cancelled one no longer closes its day."""

    PROVISIONAL = "PROVISIONAL"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class Roll(StrEnum):
    """Conventions for a date that falls on a closed day."""

    FOLLOWING = "FOLLOWING"
    MODIFIED_FOLLOWING = "MODIFIED_FOLLOWING"
    PRECEDING = "PRECEDING"
    MODIFIED_PRECEDING = "MODIFIED_PRECEDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekendRule:
    """Weekly closed days between two dates.

    `closed_weekdays` is a bit mask (bit 0 = Monday). `alternate_weekday` is closed only on its
    n-th occurrences in the month named by the bits of `alternate_ordinals` (bit 0 = first), so
    that "second and fourth Saturday" can be said. `effective_to` is exclusive.
    """

    closed_weekdays: int
    effective_from: date
    effective_to: date | None = None
    alternate_weekday: int | None = None
    alternate_ordinals: int = 0

    def in_force(self, day: date) -> bool:
        """Tell whether the rule governs `day`."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)

    def closes(self, day: date) -> bool:
        """Tell whether the rule makes `day` part of a weekend."""
        if self.closed_weekdays >> day.weekday() & 1:
            return True
        if day.weekday() != self.alternate_weekday:
            return False
        occurrence = (day.day - 1) // 7
        return bool(self.alternate_ordinals >> occurrence & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidayFact:
    """One named day; `half_day_close` means open until that local time, not closed."""

    name: str
    kind: HolidayKind = HolidayKind.REGULAR
    status: HolidayStatus = HolidayStatus.PROVISIONAL
    half_day_close: time | None = None

    @property
    def closes(self) -> bool:
        """Tell whether the whole day is closed."""
        return self.status is not HolidayStatus.CANCELLED and self.half_day_close is None


class BusinessCalendar(Protocol):
    """What the rail engine asks of one calendar or of several taken together."""

    def is_open(self, day: date) -> bool:
        """Tell whether `day` is a business day."""
        ...

    def closure(self, day: date) -> str | None:
        """Name the reason why `day` is closed, or None when it is open."""
        ...

    def early_close(self, day: date) -> datetime | None:
        """Return the aware local instant at which a half day ends, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarData:
    """Everything that decides whether a day is open in one centre."""

    code: str
    tz: str
    weekend_rules: tuple[WeekendRule, ...]
    holidays: Mapping[date, HolidayFact] = field(default_factory=dict)
    coverage_start: date
    coverage_end: date
    currency: str = ""

    def require_covered(self, day: date) -> None:
        """Refuse a day of which the calendar knows nothing.

        Raises:
            CalendarCoverageError: `day` lies outside the coverage.
        """
        if not self.coverage_start <= day <= self.coverage_end:
            raise CalendarCoverageError(
                f"Calendar {self.code} covers {self.coverage_start} to {self.coverage_end}.",
                calendar=self.code,
                date=day.isoformat(),
            )

    def is_weekend(self, day: date) -> bool:
        """Tell whether the rule in force closes `day` every such week.

        Raises:
            CalendarCoverageError: no weekend rule is in force on `day`.
        """
        for rule in self.weekend_rules:
            if rule.in_force(day):
                return rule.closes(day)
        raise CalendarCoverageError(
            f"Calendar {self.code} has no weekend rule for {day}.",
            calendar=self.code,
            date=day.isoformat(),
        )

    def closure(self, day: date) -> str | None:
        """Name the reason why `day` is closed, or None when it is open.

        Raises:
            CalendarCoverageError: `day` lies outside the coverage.
        """
        self.require_covered(day)
        fact = self.holidays.get(day)
        if fact is not None and fact.closes:
            return fact.name
        return "Weekend" if self.is_weekend(day) else None

    def is_open(self, day: date) -> bool:
        """Tell whether `day` is a business day."""
        return self.closure(day) is None

    def early_close(self, day: date) -> datetime | None:
        """Return the aware local instant at which a half day ends, or None."""
        fact = self.holidays.get(day)
        if fact is None or fact.status is HolidayStatus.CANCELLED or not fact.half_day_close:
            return None
        return datetime.combine(day, fact.half_day_close, ZoneInfo(self.tz))

    def is_tentative(self, day: date) -> bool:
        """Tell whether what the calendar says about `day` still awaits confirmation."""
        fact = self.holidays.get(day)
        return fact is not None and fact.status is HolidayStatus.PROVISIONAL


@dataclass(frozen=True, slots=True)
class JointCalendar:
    """Open only where every member is open; without members every day is open (24x7)."""

    members: tuple[BusinessCalendar, ...] = ()

    def closure(self, day: date) -> str | None:
        """Name the first member's reason for being closed on `day`, or None."""
        # Every member is asked, so that a gap in one calendar's coverage is never masked by
        # a holiday of another.
        reasons = [member.closure(day) for member in self.members]
        for reason in reasons:
            if reason is not None:
                return reason
        return None

    def is_open(self, day: date) -> bool:
        """Tell whether `day` is a business day for every member."""
        return self.closure(day) is None

    def early_close(self, day: date) -> datetime | None:
        """Return the earliest half-day end among the members, or None."""
        closes = [close for member in self.members if (close := member.early_close(day))]
        return min(closes, default=None)


@dataclass(frozen=True, slots=True)
class Remembering:
    """A calendar that asks another one about each day once: the dates of a curve lie together."""

    asked: BusinessCalendar
    _answers: dict[date, str | None] = field(default_factory=dict, compare=False, repr=False)

    def closure(self, day: date) -> str | None:
        """Name the reason why `day` is closed, or None when it is open."""
        if day not in self._answers:
            self._answers[day] = self.asked.closure(day)
        return self._answers[day]

    def is_open(self, day: date) -> bool:
        """Tell whether `day` is a business day."""
        return self.closure(day) is None

    def early_close(self, day: date) -> datetime | None:
        """Return the aware local instant at which a half day ends, or None."""
        return self.asked.early_close(day)


EVERY_DAY = JointCalendar()


def is_business_day(calendar: BusinessCalendar, day: date) -> bool:
    """Tell whether `day` is open in `calendar`.

    Raises:
        CalendarCoverageError: `day` lies outside the coverage.
    """
    return calendar.is_open(day)


def is_joint(calendars: tuple[BusinessCalendar, ...], day: date) -> bool:
    """Tell whether `day` is open in every one of `calendars`.

    Raises:
        CalendarCoverageError: `day` lies outside the coverage of one of them.
    """
    return JointCalendar(calendars).is_open(day)


def _walk(start: date, step: timedelta) -> Iterator[date]:
    return (start + step * count for count in range(SEARCH_DAYS_MAX))


def _first_open(calendar: BusinessCalendar, start: date, step: timedelta) -> date:
    for day in _walk(start, step):
        if calendar.is_open(day):
            return day
    raise CalendarCoverageError(
        f"No business day within {SEARCH_DAYS_MAX} days of {start}.", date=start.isoformat()
    )


def next_business_day(calendar: BusinessCalendar, day: date) -> date:
    """Return the first business day strictly after `day`."""
    return _first_open(calendar, day + ONE_DAY, ONE_DAY)


def previous_business_day(calendar: BusinessCalendar, day: date) -> date:
    """Return the last business day strictly before `day`."""
    return _first_open(calendar, day - ONE_DAY, -ONE_DAY)


def add_business_days(calendar: BusinessCalendar, day: date, count: int) -> date:
    """Move `count` business days from `day`, backwards when negative.

    A closed `day` is no step of its own: one business day after a Saturday is Monday. With a
    count of zero `day` comes back unchanged; use `adjust` to roll it.
    """
    for _ in range(count):
        day = next_business_day(calendar, day)
    for _ in range(-count):
        day = previous_business_day(calendar, day)
    return day


def adjust(calendar: BusinessCalendar, day: date, roll: Roll) -> date:
    """Roll a closed `day` to a business day; the modified forms never leave its month."""
    forward = roll in {Roll.FOLLOWING, Roll.MODIFIED_FOLLOWING}
    step = ONE_DAY if forward else -ONE_DAY
    rolled = _first_open(calendar, day, step)
    modified = roll in {Roll.MODIFIED_FOLLOWING, Roll.MODIFIED_PRECEDING}
    if modified and rolled.month != day.month:
        return _first_open(calendar, day, -step)
    return rolled


def days_until_next_funding_day(calendar: BusinessCalendar, day: date) -> int:
    """Count the calendar days from `day` to the next business day after it.

    This is how many days of round-the-clock payouts the money moved on `day` must cover.
    """
    return (next_business_day(calendar, day) - day).days
