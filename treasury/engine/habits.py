"""When a bank's statements usually come, learned from when they came."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

# The custom of a weekday is what most of its last arrivals kept to, and some patience.
ARRIVALS_MAX: Final = 12
ARRIVALS_MIN: Final = 3
SHARE_USUAL: Final = 0.9
PATIENCE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A statement of a day, and the instant it came."""

    day: date
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How long after the local midnight of its day a weekday's statement usually is here."""

    weekday: int
    delay: timedelta
    arrivals_count: int

    def due(self, day: date, *, timezone: str) -> datetime:
        """Return the instant from which a statement of `day` is late by the bank's own custom."""
        midnight = datetime.combine(day, time.min, tzinfo=ZoneInfo(timezone))
        # Wall time, so that an hour more or less in a night moves nothing.
        days, rest = divmod(self.delay + PATIENCE, timedelta(days=1))
        start = midnight.date() + timedelta(days=days)
        return datetime.combine(start, time.min, tzinfo=ZoneInfo(timezone)) + rest


def learn(arrivals: Iterable[Arrival], *, timezone: str) -> dict[int, Habit]:
    """Return the habit of each weekday that has shown one; newest arrivals count, old ones not."""
    zone = ZoneInfo(timezone)
    delays: dict[int, list[timedelta]] = defaultdict(list)
    for one in sorted(arrivals, key=lambda arrival: arrival.day, reverse=True):
        kept = delays[one.day.weekday()]
        if len(kept) < ARRIVALS_MAX:
            local = one.at.astimezone(zone).replace(tzinfo=None)
            kept.append(local - datetime.combine(one.day, time.min))
    return {
        weekday: Habit(weekday=weekday, delay=_usual(kept), arrivals_count=len(kept))
        for weekday, kept in sorted(delays.items())
        if len(kept) >= ARRIVALS_MIN
    }


def _usual(delays: list[timedelta]) -> timedelta:
    ordered = sorted(delays)
    return ordered[min(len(ordered) - 1, int(SHARE_USUAL * len(ordered)))]


def overdue(
    habits: Mapping[int, Habit], *, last: date, now: datetime, timezone: str
) -> tuple[date, datetime] | None:
    """Return the first day after `last` whose statement is late, and since when; else None."""
    today = now.astimezone(ZoneInfo(timezone)).date()
    day = last + timedelta(days=1)
    while day <= today:
        habit = habits.get(day.weekday())
        if habit is not None:
            due = habit.due(day, timezone=timezone)
            return (day, due) if due < now else None
        day += timedelta(days=1)
    return None
