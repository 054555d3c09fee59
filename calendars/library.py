"""Provisional holidays from the public-holiday library, corrected by documented rows.

What comes out is requirement data, not truth: every row is PROVISIONAL until a person of this
house confirms it. The codes below were chosen against the usual traps: the Federal Reserve's
own list (a Saturday holiday leaves Friday open), six TARGET days without substitutes, England
and Wales without Scotland, Maharashtra for Mumbai.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

import holidays as public_holidays

from calendars.constants import SATURDAY
from calendars.engine.days import (
    CalendarData,
    HolidayFact,
    HolidayKind,
    WeekendRule,
)
from calendars.errors import LibraryCoverageError

SUNDAY_ONLY = 0b1000000
SATURDAY_SUNDAY = 0b1100000
FRIDAY_SATURDAY = 0b0110000
SECOND_AND_FOURTH = 0b01010
BEGINNING = date(2000, 1, 1)
UAE_CHANGE = date(2022, 1, 1)
MUMBAI_SATURDAYS = date(2015, 9, 1)


class Source(StrEnum):
    """Which list of the library holds a calendar's days."""

    FINANCIAL = "financial"
    COUNTRY = "country"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSpec:
    """One reference calendar: where its days come from and what proves a year complete.

    A year counts as covered only if every name in `anchors` occurs in it: past the end of its
    tables of movable feasts the library goes on answering, with those feasts missing.
    """

    code: str
    name: str
    tz: str
    currency: str
    is_settlement: bool
    weekend_rules: tuple[WeekendRule, ...]
    source: Source
    library_code: str
    subdivision: str | None = None
    anchors: tuple[str, ...]


def _weekly(mask: int) -> tuple[WeekendRule, ...]:
    return (WeekendRule(closed_weekdays=mask, effective_from=BEGINNING),)


SPECS: Mapping[str, CalendarSpec] = {
    spec.code: spec
    for spec in (
        CalendarSpec(
            code="FED",
            name="Federal Reserve",
            tz="America/New_York",
            currency="USD",
            is_settlement=True,
            weekend_rules=_weekly(SATURDAY_SUNDAY),
            source=Source.FINANCIAL,
            library_code="FED",
            anchors=("Thanksgiving", "Labor Day", "Memorial Day"),
        ),
        CalendarSpec(
            code="UK_EW",
            name="England and Wales bank holidays (Bank of England, CHAPS)",
            tz="Europe/London",
            currency="GBP",
            is_settlement=True,
            weekend_rules=_weekly(SATURDAY_SUNDAY),
            source=Source.COUNTRY,
            library_code="GB",
            subdivision="ENG",
            anchors=("Good Friday", "Easter Monday", "Late Summer Bank Holiday"),
        ),
        CalendarSpec(
            code="TARGET",
            name="TARGET closing days (Eurosystem, T2)",
            tz="Europe/Berlin",
            currency="EUR",
            is_settlement=True,
            weekend_rules=_weekly(SATURDAY_SUNDAY),
            source=Source.FINANCIAL,
            library_code="ECB",
            anchors=("Good Friday", "Easter Monday"),
        ),
        CalendarSpec(
            code="MUMBAI_BANK",
            name="Mumbai banks: desks and branches",
            tz="Asia/Kolkata",
            currency="INR",
            is_settlement=False,
            weekend_rules=(
                WeekendRule(
                    closed_weekdays=SUNDAY_ONLY,
                    effective_from=BEGINNING,
                    effective_to=MUMBAI_SATURDAYS,
                ),
                WeekendRule(
                    closed_weekdays=SUNDAY_ONLY,
                    effective_from=MUMBAI_SATURDAYS,
                    alternate_weekday=SATURDAY,
                    alternate_ordinals=SECOND_AND_FOURTH,
                ),
            ),
            source=Source.COUNTRY,
            library_code="IN",
            subdivision="MH",
            anchors=("Diwali", "Holi", "Eid al-Fitr"),
        ),
        CalendarSpec(
            code="MUMBAI_FX",
            name="Mumbai foreign exchange and rupee settlement (Reserve Bank of India)",
            tz="Asia/Kolkata",
            currency="INR",
            is_settlement=True,
            weekend_rules=_weekly(SATURDAY_SUNDAY),
            source=Source.COUNTRY,
            library_code="IN",
            subdivision="MH",
            anchors=("Diwali", "Holi", "Eid al-Fitr"),
        ),
        CalendarSpec(
            code="UAE",
            name="United Arab Emirates (Central Bank)",
            tz="Asia/Dubai",
            currency="AED",
            is_settlement=True,
            weekend_rules=(
                WeekendRule(
                    closed_weekdays=FRIDAY_SATURDAY,
                    effective_from=BEGINNING,
                    effective_to=UAE_CHANGE,
                ),
                WeekendRule(closed_weekdays=SATURDAY_SUNDAY, effective_from=UAE_CHANGE),
            ),
            source=Source.COUNTRY,
            library_code="AE",
            anchors=("Eid al-Fitr", "Eid al-Adha", "National Day"),
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedDay:
    """A closed day that the library does not carry, with the reason why we do."""

    calendars: tuple[str, ...]
    day: date
    name: str
    kind: HolidayKind = HolidayKind.ADHOC


_MUMBAI = ("MUMBAI_BANK", "MUMBAI_FX")

# Polling days and state holidays are notified weeks ahead under the Negotiable Instruments Act.
DOCUMENTED_DAYS: tuple[DocumentedDay, ...] = (
    DocumentedDay(calendars=_MUMBAI, day=date(2024, 1, 22), name="State holiday (Maharashtra)"),
    DocumentedDay(
        calendars=_MUMBAI, day=date(2024, 5, 20), name="General election: polling in Mumbai"
    ),
    DocumentedDay(
        calendars=_MUMBAI, day=date(2024, 11, 20), name="State election: polling in Mumbai"
    ),
    DocumentedDay(
        calendars=_MUMBAI, day=date(2026, 1, 15), name="Municipal election: polling in Mumbai"
    ),
)


def _annual_closing(year: int) -> DocumentedDay:
    # Third head of the Reserve Bank's holiday list: banks are shut to the public that day.
    return DocumentedDay(
        calendars=("MUMBAI_BANK",),
        day=date(year, 4, 1),
        name="Closing of bank accounts",
        kind=HolidayKind.REGULAR,
    )


@lru_cache(maxsize=256)
def _library_year(spec: CalendarSpec, year: int) -> Mapping[date, str]:
    if spec.source is Source.FINANCIAL:
        found = public_holidays.financial_holidays(spec.library_code, years=year, language="en_US")
    else:
        found = public_holidays.country_holidays(
            spec.library_code, subdiv=spec.subdivision, years=year, language="en_US"
        )
    return {day: name for day, name in found.items() if day.year == year}


def _kind(name: str) -> HolidayKind:
    if "(estimated)" in name:
        return HolidayKind.TENTATIVE
    return HolidayKind.SUBSTITUTE if "(observed)" in name else HolidayKind.REGULAR


def _year(spec: CalendarSpec, year: int) -> dict[date, HolidayFact]:
    names = _library_year(spec, year)
    missing = [a for a in spec.anchors if not any(a in name for name in names.values())]
    if missing:
        raise LibraryCoverageError(
            f"The library has no {', '.join(missing)} for {spec.code} in {year}.",
            calendar=spec.code,
            year=year,
        )
    facts = {day: HolidayFact(name=name, kind=_kind(name)) for day, name in names.items()}
    for extra in (*DOCUMENTED_DAYS, _annual_closing(year)):
        if spec.code in extra.calendars and extra.day.year == year:
            facts.setdefault(extra.day, HolidayFact(name=extra.name, kind=extra.kind))
    return facts


def provisional_holidays(code: str, years: Iterable[int]) -> dict[date, HolidayFact]:
    """Return the provisional closed days of one reference calendar, in order of date.

    Raises:
        LibraryCoverageError: the library's data is incomplete for one of the years.
    """
    spec = SPECS[code]
    facts = {day: fact for year in years for day, fact in _year(spec, year).items()}
    return dict(sorted(facts.items()))


def reference_calendar(code: str, years: Iterable[int]) -> CalendarData:
    """Return a calendar built from the library alone, for engines and tests.

    Raises:
        LibraryCoverageError: the library's data is incomplete for one of the years.
    """
    spec, span = SPECS[code], sorted(years)
    return CalendarData(
        code=code,
        tz=spec.tz,
        currency=spec.currency,
        weekend_rules=spec.weekend_rules,
        holidays=provisional_holidays(code, span),
        coverage_start=date(span[0], 1, 1),
        coverage_end=date(span[-1], 12, 31),
    )
