"""What the calendars room tells the house."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowClosing(Event):
    """A rail's cut-off comes within the warning time."""

    topic: ClassVar[str] = "ops.window.closing"
    rail: str
    currency: str
    kind: str
    business_date: date
    cutoff_utc: datetime
    cutoff_local: str
    minutes_left: int
    pending_count: int
    pending_usd: Decimal
    revision: int
    priority: str

    def aggregate(self) -> str:
        """Order alerts per rail."""
        return f"rail:{self.rail}:{self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidayLookahead(Event):
    """The weekday closures of the next days, and how long money cannot move."""

    topic: ClassVar[str] = "ops.holiday.lookahead"
    generated_for: date
    days: list[dict[str, str]]
    next_open: dict[str, date]
    funding_gap_days: dict[str, int]

    def aggregate(self) -> str:
        """Order lookaheads one after another."""
        return "holiday-lookahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidayChanged(Event):
    """A holiday row was declared, confirmed or cancelled: dates need a second look."""

    topic: ClassVar[str] = "calendars.holiday.changed"
    calendar: str
    currency: str
    date: date
    name: str
    change: str
    status: str
    is_business_day: bool

    def aggregate(self) -> str:
        """Order changes per calendar."""
        return f"calendar:{self.calendar}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChanged(Event):
    """An approved override moved a rail's window on one business date."""

    topic: ClassVar[str] = "calendars.window.changed"
    rail: str
    currency: str
    business_date: date
    kind: str
    local_time: str | None

    def aggregate(self) -> str:
        """Order changes per rail, together with its alerts."""
        return f"rail:{self.rail}:{self.currency}"
