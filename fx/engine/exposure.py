"""What of a currency's need is neither there nor bought, and when that is too much.

open = max(0, required − prefunded − hedged), percent = open / (required − prefunded). The cap arms
at 14:00 in the currency's own centre and is strict: exactly the limit is still allowed. For the
rupee that is 14:00 in Mumbai, ninety minutes before its market shuts; by New York's clock the rule
would speak when nobody can act on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from calendars.engine.days import (
    BusinessCalendar,
    days_until_next_funding_day,
    previous_business_day,
)

ZERO: Final = Decimal(0)
_SHARE: Final = Decimal("0.000001")
CAP_AT: Final = time(14)
# Where a currency is dealt when it is dealt last.
ZONES: Final[Mapping[str, str]] = {
    "INR": "Asia/Kolkata",
    "AED": "Asia/Dubai",
    "GBP": "Europe/London",
    "EUR": "Europe/London",
}
ZONE_DEFAULT: Final = "Europe/London"


class Denominator(StrEnum):
    """What the open amount is a share of."""

    NET_REQUIRED = "net_required"
    GROSS_REQUIRED = "gross_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One currency: what is needed, what is there, what was bought, and what is left open.

    `balance` is what is left before it is cut at zero: negative is bought too much. `share` is
    the open amount as a share of the need, `over` how much too much was bought, likewise.
    """

    required: Decimal
    prefunded: Decimal
    hedged: Decimal
    open: Decimal
    share: Decimal
    over: Decimal


def exposure_of(
    *,
    required: Decimal,
    prefunded: Decimal,
    hedged: Decimal,
    denominator: Denominator = Denominator.NET_REQUIRED,
) -> Exposure:
    """Return the exposure of a currency; without a need beyond what is there, the share is zero."""
    net = required - prefunded
    balance = net - hedged
    base = net if denominator is Denominator.NET_REQUIRED else required
    has_need = net > 0 and base > 0
    return Exposure(
        required=required,
        prefunded=prefunded,
        hedged=hedged,
        open=max(ZERO, balance),
        share=_share(max(ZERO, balance), base) if has_need else ZERO,
        over=_share(max(ZERO, -balance), base) if has_need else ZERO,
    )


def _share(amount: Decimal, base: Decimal) -> Decimal:
    return (amount / base).quantize(_SHARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The day that is looked at, the last day it covers, and since when the cap is armed."""

    day: date
    until: date
    at: datetime
    is_armed: bool


def cap_of(currency: str, calendar: BusinessCalendar, now: datetime) -> Cap:
    """Return the cap of a currency at an instant; 14:00:00 counts as after.

    On a day on which its market is shut, the cap of the open day before stands: that day had to
    cover the holiday too.

    Raises:
        CalendarCoverageError: the calendar does not reach far enough.
    """
    zone = ZoneInfo(ZONES.get(currency, ZONE_DEFAULT))
    today = now.astimezone(zone).date()
    day = today if calendar.is_open(today) else previous_business_day(calendar, today)
    days = days_until_next_funding_day(calendar, day)
    at = datetime.combine(day, CAP_AT, zone)
    return Cap(day=day, until=day + timedelta(days=days - 1), at=at, is_armed=now >= at)


def is_breach(exposure: Exposure, cap: Cap, *, limit: Decimal) -> bool:
    """Tell whether too much is open: strictly above the limit, once the cap is armed."""
    return cap.is_armed and exposure.share > limit


def is_overhedged(exposure: Exposure, *, limit: Decimal) -> bool:
    """Tell whether more than needed was bought, by more than `limit` of the need."""
    return exposure.over > limit
