"""The bank's own small table of days on which its currencies do business."""

import functools
from datetime import date, timedelta

DAYS_SEARCHED_MAX = 30
MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 3, 4, 5, 6


def easter(year: int) -> date:
    """Return Easter Sunday of the western churches (the anonymous Gregorian computation)."""
    golden, century = year % 19, year // 100
    leap_skips = century // 4
    moon = (century - leap_skips - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon -= (moon // 28) * (1 - (moon // 28) * (29 // (moon + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + leap_skips) % 7
    days = moon - weekday
    month = 3 + (days + 40) // 44
    return date(year, month, days + 28 - 31 * (month // 4))


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last(year: int, month: int, weekday: int) -> date:
    end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return end - timedelta(days=(end.weekday() - weekday) % 7)


def _united_states(year: int) -> set[date]:
    fixed = [
        date(year, 1, 1),
        date(year, 6, 19),
        date(year, 7, 4),
        date(year, 11, 11),
        date(year, 12, 25),
    ]
    # A Sunday holiday moves to Monday; the Friday before a Saturday one stays open.
    observed = {day + timedelta(days=1) if day.weekday() == SUNDAY else day for day in fixed}
    return observed | {
        _nth(year, 1, MONDAY, 3), _nth(year, 2, MONDAY, 3), _last(year, 5, MONDAY), _nth(year,
        9, MONDAY, 1),
        _nth(year, 10, MONDAY, 2), _nth(year, 11, THURSDAY, 4),
    }  # fmt: skip


def _england(year: int) -> set[date]:
    days = {easter(year) - timedelta(days=2), easter(year) + timedelta(days=1)}
    days |= {_nth(year, 5, MONDAY, 1), _last(year, 5, MONDAY), _last(year, 8, MONDAY)}
    for fixed in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        substitute = fixed
        while substitute.weekday() >= SATURDAY or substitute in days:
            substitute += timedelta(days=1)
        days.add(substitute)
    return days


def _euro(year: int) -> set[date]:
    moving = {easter(year) - timedelta(days=2), easter(year) + timedelta(days=1)}
    return moving | {date(year, 1, 1), date(year, 5, 1), date(year, 12, 25), date(year, 12, 26)}


def _emirates(year: int) -> set[date]:
    return {date(year, 1, 1), date(year, 12, 2), date(year, 12, 3)}


_HOLIDAYS = {"USD": _united_states, "GBP": _england, "EUR": _euro, "AED": _emirates}


@functools.cache
def _holidays(currency: str, year: int) -> frozenset[date]:
    rule = _HOLIDAYS.get(currency)
    return frozenset(rule(year)) if rule else frozenset()


def is_bank_day(currency: str, day: date) -> bool:
    """Tell whether accounts in the currency are open; rupee accounts are open every day."""
    if currency == "INR":
        return True
    return day.weekday() < SATURDAY and day not in _holidays(currency, day.year)


def bank_day_from(currency: str, day: date) -> date:
    """Return the day itself or the first bank day after it."""
    for ahead in range(DAYS_SEARCHED_MAX):
        candidate = day + timedelta(days=ahead)
        if is_bank_day(currency, candidate):
            return candidate
    raise LookupError(f"no bank day for {currency} within {DAYS_SEARCHED_MAX} days of {day}")


def bank_day_after(currency: str, day: date) -> date:
    return bank_day_from(currency, day + timedelta(days=1))
