"""Calendars for the tests of dates: our reference calendars, and Canada's from the library."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from types import MappingProxyType

import holidays as public_holidays

from calendars.engine.days import CalendarData, HolidayFact, WeekendRule
from calendars.library import reference_calendar
from fx.engine.dates import Centres
from fx.engine.pairs import parse_pair

CODES = {"USD": "FED", "EUR": "TARGET", "GBP": "UK_EW", "INR": "MUMBAI_FX", "AED": "UAE"}


@cache
def calendars(first: int = 2022, last: int = 2028) -> Mapping[str, CalendarData]:
    """Return the calendar of each currency for these years; read once, changed never."""
    years = range(first, last + 1)
    found = {currency: reference_calendar(code, years) for currency, code in CODES.items()}
    ontario = public_holidays.country_holidays("CA", subdiv="ON", years=years, language="en_CA")
    found["CAD"] = CalendarData(
        code="TORONTO",
        tz="America/Toronto",
        currency="CAD",
        weekend_rules=(WeekendRule(closed_weekdays=0b1100000, effective_from=date(2000, 1, 1)),),
        holidays={day: HolidayFact(name=name) for day, name in ontario.items()},
        coverage_start=date(first, 1, 1),
        coverage_end=date(last, 12, 31),
    )
    return MappingProxyType(found)


def centres(pair: str, first: int = 2022, last: int = 2028) -> Centres:
    """Return a pair with its calendars."""
    return Centres(pair=parse_pair(pair), calendars=calendars(first, last))
