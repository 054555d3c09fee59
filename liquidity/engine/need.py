"""What an account must hold until money can be moved to it again, and what it lacks. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from calendars.engine.days import BusinessCalendar, days_until_next_funding_day
from core.errors import Invalid
from liquidity.engine.forecast import ZERO, Line, Outcome


class NeedBasis(StrEnum):
    """Whether the need is the expected outflow or its upper bound."""

    POINT = "point"
    UPPER = "p90"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The outflow of `days` days up to `until`, included; `available` is above floor and holds.

    `is_upper` says whether the upper bound was asked for and the past was long enough for one.
    """

    days: int
    until: date
    required: Decimal
    available: Decimal
    is_upper: bool

    @property
    def shortfall(self) -> Decimal:
        """Return what is missing: never negative; being overdrawn adds to it."""
        return max(ZERO, self.required - self.available)


def days_to_cover(calendar: BusinessCalendar, today: date) -> int:
    """Return how many days the money of `today` must last: a Friday covers its weekend.

    Payouts run around the clock, funding does not: the days from today up to, not including, the
    next day on which money settles. Holiday clusters count in full.

    Raises:
        CalendarCoverageError: the calendar does not reach far enough.
    """
    return days_until_next_funding_day(calendar, today)


def need_of(outcome: Outcome, *, days: int, available: Decimal, basis: NeedBasis) -> Need:
    """Sum the outflows of the first `days` days; inflows that are not agreed do not count.

    Raises:
        Invalid: the forecast is shorter than the days to cover.
    """
    lines: Sequence[Line] = outcome.lines[:days]
    if len(lines) < days or days < 1:
        raise Invalid(f"The forecast has no {days} days.", field="horizon_days")
    point = sum((line.outflow for line in lines), ZERO)
    upper = outcome.outflow_upper[days - 1] if basis is NeedBasis.UPPER else None
    return Need(
        days=days,
        until=lines[0].day + timedelta(days=days - 1),
        required=point if upper is None else upper,
        available=available,
        is_upper=upper is not None,
    )
