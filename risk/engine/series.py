"""A series of business days from flows by date: what VaR and its backtest are computed from. Pure.

A day without flows is a zero, a closed day is no observation. What was booked on closed days
counts with the next business day, so that a series adds up to the flows it came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Protocol

ZERO: Final = Decimal(0)
ONE_DAY: Final = timedelta(days=1)


class OpenDays(Protocol):
    """What a series asks of a calendar."""

    def is_open(self, day: date) -> bool:
        """Tell whether `day` is a business day."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One business day and its net flow, signed, with that of the closed days before it."""

    day: date
    amount: Decimal


def business_days(
    by_day: Mapping[date, Decimal], *, calendar: OpenDays, first: date, last: date
) -> list[Observation]:
    """Return one observation for each business day from `first` to `last`, oldest first.

    Raises:
        CalendarCoverageError: the calendar does not know one of the days.
    """
    found: list[Observation] = []
    carried = ZERO
    day = first
    while day <= last:
        carried += by_day.get(day, ZERO)
        if calendar.is_open(day):
            found.append(Observation(day=day, amount=carried))
            carried = ZERO
        day += ONE_DAY
    return found


def before(observations: list[Observation], day: date) -> list[Observation]:
    """Return the observations that were complete when `day` began: those of earlier days."""
    return [one for one in observations if one.day < day]
