"""When foreign exchange settles: trade dates, spot, short dates, forwards, fixings.

Pure over calendars that say whether a day is open. Beyond a calendar's coverage every question is
an error of the calendars room: nobody guesses that a day is open.

The rule of spot: count the lag over the days that are good for the currencies of the pair, where
a holiday of New York does not count on the days between; the last one must be good in every
centre and in New York, also for a cross. Forwards count from spot, not from the trade date.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from calendars.engine.days import (
    BusinessCalendar,
    JointCalendar,
    Remembering,
    Roll,
    add_business_days,
    adjust,
    next_business_day,
)
from fx.engine.pairs import USD, USD_COUNTS_BETWEEN, Pair
from fx.errors import TenorEmpty, TenorUnknown, ValueDateRefused

SATURDAY: Final = 5
ONE_DAY: Final = timedelta(days=1)
DAYS_PER_WEEK: Final = 7
MONTHS_PER_YEAR: Final = 12
NDF_FIXING_LAG_DAYS: Final = 2
# Deals further out are no business of a payments company; the calendars end before ten years.
MONTHS_MAX: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRoll:
    """When a trading day ends and begins: `at` local time in `zone`.

    From that time on the trade date is the local date plus `days_after`, before it one less.
    """

    zone: str
    at: time
    days_after: int


NEW_YORK: Final = DayRoll(zone="America/New_York", at=time(17), days_after=1)
_ROLLS: Final[Mapping[str, DayRoll]] = {
    "NZD/USD": DayRoll(zone="Pacific/Auckland", at=time(7), days_after=0),
    "USD/SAR": DayRoll(zone="Asia/Riyadh", at=time(12), days_after=1),
}


class Short(StrEnum):
    """Dates on and before spot."""

    CASH = "CASH"
    TOM = "TOM"
    SPOT = "SPOT"


@dataclass(frozen=True, kw_only=True)
class Centres:
    """A pair together with the calendars of its currencies and of New York."""

    pair: Pair
    calendars: Mapping[str, BusinessCalendar]

    @cached_property
    def own(self) -> BusinessCalendar:
        """Return the days that are good for both currencies."""
        return self._joint(*self.pair.currencies)

    @cached_property
    def between(self) -> BusinessCalendar:
        """Return the days that count between trade and spot."""
        foreign = [one for one in self.pair.currencies if one != USD]
        if USD_COUNTS_BETWEEN.intersection(self.pair.currencies):
            foreign.append(USD)
        return self._joint(*foreign)

    @cached_property
    def settlement(self) -> BusinessCalendar:
        """Return the days on which the pair can settle: good everywhere and in New York."""
        if not self.pair.waits_for_new_york:
            return self.own
        return self._joint(*dict.fromkeys((*self.pair.currencies, USD)))

    def _joint(self, *currencies: str) -> BusinessCalendar:
        return Remembering(JointCalendar(tuple(self.calendars[one] for one in currencies)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A swap's two dates; `near` is before `far`."""

    near: date
    far: date


def trade_date(pair: Pair, at: datetime) -> date:
    """Return the day that a deal of instant `at` belongs to: it ends at 17:00 in New York.

    Nobody deals on a weekend: its hours belong to Monday.
    """
    roll = _ROLLS.get(str(pair), NEW_YORK)
    local = at.astimezone(ZoneInfo(roll.zone))
    days = roll.days_after if local.time() >= roll.at else roll.days_after - 1
    day = local.date() + timedelta(days=days)
    while day.weekday() >= SATURDAY:
        day += ONE_DAY
    return day


def cash_date(centres: Centres, trade: date) -> date:
    """Return the first date on which both legs can still be paid: the trade date if it is good."""
    return min(adjust(centres.settlement, trade, Roll.FOLLOWING), spot_date(centres, trade))


def tom_date(centres: Centres, trade: date) -> date:
    """Return the good day after the cash date, spot at the latest."""
    tom = next_business_day(centres.settlement, cash_date(centres, trade))
    return min(tom, spot_date(centres, trade))


def spot_date(centres: Centres, trade: date) -> date:
    """Return the spot date of a trade date.

    Raises:
        CalendarCoverageError: a calendar does not reach so far.
    """
    day = adjust(centres.own, trade, Roll.FOLLOWING)
    day = add_business_days(centres.between, day, centres.pair.spot_lag_days - 1)
    return next_business_day(centres.settlement, day)


_TENOR: Final = re.compile(r"([1-9][0-9]{0,2})([DWMY])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tenor:
    """So many days, weeks, months or years after spot."""

    count: int
    unit: str

    @property
    def months(self) -> int:
        """Return the months, 0 for days and weeks."""
        return {"M": 1, "Y": MONTHS_PER_YEAR}.get(self.unit, 0) * self.count

    @property
    def days(self) -> int:
        """Return the days, 0 for months and years."""
        return {"D": 1, "W": DAYS_PER_WEEK}.get(self.unit, 0) * self.count


def parse_tenor(text: str) -> Tenor:
    """Read a tenor after spot: 10D, 1W, 3M, 1Y.

    Raises:
        TenorUnknown: another form, or beyond ten years.
    """
    found = _TENOR.fullmatch(text)
    if found:
        tenor = Tenor(int(found[1]), found[2])
        if tenor.months <= MONTHS_MAX:
            return tenor
    raise TenorUnknown(
        f"Write a tenor like CASH, TOM, SPOT, 1W, 3M or 1Y, not {text[:12]!r}.", field="tenor"
    )


def value_date(centres: Centres, trade: date, tenor: str) -> date:
    """Return when a deal of that tenor settles.

    Raises:
        TenorUnknown: not a tenor.
        CalendarCoverageError: a calendar does not reach so far.
    """
    match tenor:
        case Short.CASH:
            return cash_date(centres, trade)
        case Short.TOM:
            return tom_date(centres, trade)
        case Short.SPOT:
            return spot_date(centres, trade)
        case _:
            return forward_date(centres, spot_date(centres, trade), parse_tenor(tenor))


def forward_date(centres: Centres, spot: date, tenor: Tenor) -> date:
    """Return the date of a tenor counted from spot.

    Days and weeks roll forward. Months stay in their month (modified following), and from the
    last good day of a month they lead to the last good day of the other one (end-end).
    """
    calendar = centres.settlement
    if not tenor.months:
        return adjust(calendar, spot + timedelta(days=tenor.days), Roll.FOLLOWING)
    target = _months_after(spot, tenor.months)
    if is_month_end(calendar, spot):
        last = target.replace(day=monthrange(target.year, target.month)[1])
        return adjust(calendar, last, Roll.PRECEDING)
    return adjust(calendar, target, Roll.MODIFIED_FOLLOWING)


def is_month_end(calendar: BusinessCalendar, day: date) -> bool:
    """Tell whether the next good day lies in another month."""
    return next_business_day(calendar, day).month != day.month


def _months_after(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, MONTHS_PER_YEAR)
    year, month = day.year + year, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def short_period(centres: Centres, trade: date, name: str) -> Period:
    """Return the dates of ON (cash to tom), TN (tom to spot) or SN (spot to the day after).

    Raises:
        TenorUnknown: another name.
        TenorEmpty: the pair has no such period on this day, as USD/CAD never has TN.
    """
    match name:
        case "ON":
            period = Period(near=cash_date(centres, trade), far=tom_date(centres, trade))
        case "TN":
            period = Period(near=tom_date(centres, trade), far=spot_date(centres, trade))
        case "SN":
            spot = spot_date(centres, trade)
            period = Period(near=spot, far=next_business_day(centres.settlement, spot))
        case _:
            raise TenorUnknown("Short dates are ON, TN and SN.", field="tenor")
    if period.near >= period.far:
        raise TenorEmpty(
            f"{centres.pair} has no {name} on {trade}: tom is spot already.", tenor=name
        )
    return period


def require_value_date(centres: Centres, trade: date, day: date) -> date:
    """Return a broken date as it is, if both legs can be paid then.

    Raises:
        ValueDateRefused: it lies before the trade date, or a centre is closed; names it.
        CalendarCoverageError: a calendar does not reach so far.
    """
    if day < trade:
        raise ValueDateRefused(f"{day} lies before the trade date {trade}.", field="value_date")
    if (reason := centres.settlement.closure(day)) is not None:
        better = next_business_day(centres.settlement, day)
        raise ValueDateRefused(
            f"{centres.pair} cannot settle on {day} ({reason}); the next good day is {better}.",
            field="value_date",
            next_good=better.isoformat(),
        )
    return day


def period_name(centres: Centres, trade: date, day: date) -> str:
    """Return CASH, TOM, SPOT or FORWARD for a value date; SPOT wins where they coincide."""
    spot = spot_date(centres, trade)
    if day >= spot:
        return Short.SPOT if day == spot else "FORWARD"
    return Short.CASH if day <= cash_date(centres, trade) else Short.TOM


def fixing_date(fixing: BusinessCalendar, settlement: date) -> date:
    """Return when a non-deliverable forward is fixed: two good days of its centre before.

    For the rupee that is the FBIL reference rate of the day in Mumbai. A holiday that is
    declared between trade and fixing moves it: compute it anew until it is fixed.
    """
    return add_business_days(fixing, settlement, -NDF_FIXING_LAG_DAYS)
