"""When sweeps are decided, and on which days their money moves. Pure.

A window is one of the tenant's cut-offs, given as times of day in UTC (requirement S1-20). It
belongs to the New York date on which it falls: 00:30 UTC is the evening of the day before. Money
moves by the product's own cut-off, time zone and calendar, never by the window: at 00:30 UTC no
dollar leaves a bank, at 15:30 UTC the overnight market has not opened yet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from calendars.engine.days import BusinessCalendar, add_business_days, next_business_day
from core.errors import Invalid

ZONE: Final = ZoneInfo("America/New_York")
SAFETY: Final = timedelta(minutes=5)
CUTOFFS_MAX: Final = 24
WEEK_DAYS: Final = 7
TUESDAY: Final = 1
_CUTOFF: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


class ProductKind(StrEnum):
    """How a product takes money and gives it back."""

    OVERNIGHT = "OVERNIGHT"
    BILL = "BILL"
    NOTE = "NOTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One cut-off: the instant, the New York day that it belongs to, and why that day is closed."""

    cutoff: datetime
    day: date
    closure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedDays:
    """A calendar cut down to the days that matter, so that a record of it stays small.

    It knows `start` to `end`, both included; the days between that are not `closed` are open.
    """

    code: str
    start: date
    end: date
    closed: tuple[date, ...]

    def closure(self, day: date) -> str | None:
        """Say why a day is closed, or None.

        Raises:
            Invalid: the record does not reach that day.
        """
        if not self.start <= day <= self.end:
            raise Invalid(f"Calendar {self.code} is not known on {day}.", field="calendar")
        return "closed" if day in self.closed else None

    def is_open(self, day: date) -> bool:
        """Tell whether a day is open."""
        return self.closure(day) is None

    def early_close(self, day: date) -> datetime | None:
        """Return None: half days of a product are cut-offs of their own."""
        del day
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductTerms:
    """When a product deals, settles and pays back; `cutoff` is local time in `timezone`."""

    kind: ProductKind
    cutoff: time
    timezone: str
    lag_days: int
    tenor_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """When the money leaves, when it comes back, and the calendar days between."""

    settles_on: date
    matures_on: date

    @property
    def count(self) -> int:
        """Return the days of interest."""
        return (self.matures_on - self.settles_on).days


def parse_cutoffs(text: str) -> tuple[time, ...]:
    """Read times of day like `00:30,15:30`, in order.

    Raises:
        Invalid: none, too many, twice the same, or not hours and minutes.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not 0 < len(parts) <= CUTOFFS_MAX or len(set(parts)) != len(parts):
        raise Invalid(f"Write 1 to {CUTOFFS_MAX} different times like 00:30,15:30.", field="value")
    for part in parts:
        if not _CUTOFF.fullmatch(part):
            raise Invalid(f"{part} is not a time like 15:30.", field="value")
    return tuple(sorted(time.fromisoformat(part) for part in parts))


def next_cutoff(now: datetime, cutoffs: Sequence[time]) -> datetime:
    """Return the first cut-off strictly after `now` and the safety margin, in UTC."""
    earliest = now.astimezone(UTC) + SAFETY
    days = (earliest.date(), earliest.date() + timedelta(days=1))
    instants = (datetime.combine(day, one, UTC) for day in days for one in sorted(cutoffs))
    return next(instant for instant in instants if instant > earliest)


def window_at(cutoff: datetime, calendar: BusinessCalendar) -> Window:
    """Return the window of a cut-off; `calendar` decides whether its New York day is open."""
    day = cutoff.astimezone(ZONE).date()
    return Window(cutoff=cutoff, day=day, closure=calendar.closure(day) or "")


def windows_of(
    day: date, cutoffs: Sequence[time], calendar: BusinessCalendar
) -> tuple[Window, ...]:
    """Return the windows that belong to a New York day, in order."""
    near = (day, day + timedelta(days=1))
    instants = (datetime.combine(one, at, UTC) for one in near for at in sorted(cutoffs))
    found = (window_at(instant, calendar) for instant in instants)
    return tuple(window for window in found if window.day == day)


def dealing_day(at: datetime, terms: ProductTerms, calendar: BusinessCalendar) -> date:
    """Return the day on which an order that is there at `at` is dealt.

    The cut-off itself counts as missed.
    """
    local = at.astimezone(ZoneInfo(terms.timezone))
    day = local.date()
    if calendar.is_open(day) and local.time() < terms.cutoff:
        return day
    return next_business_day(calendar, day)


def days_of(
    at: datetime, terms: ProductTerms, calendar: BusinessCalendar, *, matures_on: date | None = None
) -> Days:
    """Return when the money of an order that is there at `at` leaves and comes back.

    Overnight money comes back on the next business day, whatever lies between. A bill matures on
    the day of its rung (`matures_on`), a note after its tenor; a closed day moves to the next one.
    """
    settles_on = add_business_days(calendar, dealing_day(at, terms, calendar), terms.lag_days)
    if terms.kind is ProductKind.OVERNIGHT:
        return Days(settles_on=settles_on, matures_on=next_business_day(calendar, settles_on))
    wanted = matures_on or settles_on + timedelta(days=terms.tenor_days)
    if not calendar.is_open(wanted):
        wanted = next_business_day(calendar, wanted)
    return Days(settles_on=settles_on, matures_on=wanted)


def rungs(settles_on: date, ladder_days: int, calendar: BusinessCalendar) -> tuple[date, ...]:
    """Return the maturities of a bill ladder: one each week, `ladder_days` / 7 of them.

    Four-week bills are issued and repaid on Tuesdays, or the next business day: the first rung is
    the first such day after settlement, the last one at most `ladder_days` away.
    """
    ahead = (TUESDAY - settles_on.weekday() - 1) % WEEK_DAYS + 1
    first = settles_on + timedelta(days=ahead)
    tuesdays = (
        first + timedelta(days=WEEK_DAYS * step) for step in range(ladder_days // WEEK_DAYS)
    )
    return tuple(
        day if calendar.is_open(day) else next_business_day(calendar, day) for day in tuesdays
    )
