"""When a currency is to be forecast anew. Pure; shares are 0.10 for ten percent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)
MINUTES_PER_HOUR: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A currency's day: what was forecast to go out in all, what has, and whether it is over.

    `expected` is what had gone out when it was forecast plus what was still to go.
    """

    expected: Decimal
    actual: Decimal
    is_late: bool


def deviation_of(day: Day) -> Decimal | None:
    """Return |actual − expected| / expected of the whole day; None where nothing can be said.

    A day has no profile: in the morning little has gone out and that means nothing. More than the
    whole day counts at any hour, less only when the day is late. Without a forecast outflow there
    is no share.
    """
    if day.expected <= 0:
        return None
    apart = day.actual - day.expected
    if apart < 0 and not day.is_late:
        return ZERO
    return abs(apart) / day.expected


def moved(*, then: Decimal, now: Decimal) -> Decimal:
    """Return how far a rate moved from the one of the forecast, as a share of that one."""
    return abs(now - then) / then


def bucket_of(local: datetime, minutes: int) -> int:
    """Return which stretch of so many minutes of the local day an instant lies in."""
    return (local.hour * MINUTES_PER_HOUR + local.minute) // minutes


def due_at(*, now: datetime, last_fired: datetime | None, cool_down: timedelta) -> datetime:
    """Return when a trigger may fire: now, or when the cool-down of the one before is over."""
    return now if last_fired is None else max(now, last_fired + cool_down)
