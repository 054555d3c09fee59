"""Read amounts, dates and references from text: strictly, or not at all."""

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from core.errors import Invalid
from core.money import minor_units
from integrations.codecs.constants import (
    AMOUNT_DECIMALS_MAX,
    AMOUNT_INTEGER_DIGITS_MAX,
    FINDINGS_MAX,
    YEAR_MAX,
    YEAR_MIN,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.records import Finding

_AMOUNT: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{0,20})?", re.ASCII)
_RATE: Final = re.compile(r"[0-9]{1,11}(?:\.[0-9]{0,11})?", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_DATETIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,12})?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{4,30}", re.ASCII)
_ABSENT: Final = frozenset(
    {"", "NONREF", "NOTPROVIDED", "NOT PROVIDED", "NOTAVAILABLE", "NOT AVAILABLE", "NONE"}
)
# A longer reference is none of these fillers.
FILLER_CHARS_MAX: Final = max(map(len, _ABSENT))
_DAY_MAX: Final = 31
_MONTH_MAX: Final = 12


class Findings:
    """Collects findings up to a limit; beyond it one last finding says that there are more."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(self, code: str, message: str, locator: str = "") -> None:
        if len(self._found) < FINDINGS_MAX:
            self._found.append(Finding(code=code, message=message, locator=locator))
        elif len(self._found) == FINDINGS_MAX:
            words = f"There are more than {FINDINGS_MAX} remarks; the rest is not listed."
            self._found.append(Finding(code="more_findings", message=words))

    def all(self) -> tuple[Finding, ...]:
        return tuple(self._found)


def read_amount(text: str | None, *, what: str, locator: str) -> Decimal:
    """Read an unsigned decimal amount written with a point.

    Raises:
        UnreadableMessage: absent, not plain digits, or too large for the ledger.
    """
    if text is None:
        raise UnreadableMessage(f"{what} has no amount.", code="amount_missing", locator=locator)
    if not _AMOUNT.fullmatch(text):
        raise UnreadableMessage(
            f"{what} has the amount {shown(text)}, which is not a plain decimal number.",
            code="amount_unreadable",
            locator=locator,
        )
    whole, _, decimals = text.partition(".")
    whole = whole.lstrip("0") or "0"
    if len(whole) > AMOUNT_INTEGER_DIGITS_MAX:
        raise UnreadableMessage(
            f"{what} has the amount {shown(text)}, which has more than"
            f" {AMOUNT_INTEGER_DIGITS_MAX} digits before the decimal point.",
            code="amount_too_large",
            locator=locator,
        )
    # Zeros beyond the fourth decimal carry nothing; any other digit there has no place to go.
    decimals = decimals[:AMOUNT_DECIMALS_MAX] + decimals[AMOUNT_DECIMALS_MAX:].rstrip("0")
    if len(decimals) > AMOUNT_DECIMALS_MAX:
        raise UnreadableMessage(
            f"{what} has the amount {shown(text)}, which has more than"
            f" {AMOUNT_DECIMALS_MAX} decimals.",
            code="amount_too_precise",
            locator=locator,
        )
    return Decimal(f"{whole}.{decimals}" if decimals else whole)


def fit_amount(amount: Decimal, currency: str, *, note: Callable[[str], None]) -> Decimal:
    """Drop zeros beyond the currency's minor unit; report, but keep, any other excess."""
    exponent = amount.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    try:
        allowed = minor_units(currency)
    except Invalid:
        return amount
    if decimals <= allowed:
        return amount
    shorter = amount.quantize(Decimal(1).scaleb(-allowed))
    if shorter != amount:
        note(f"{amount} {currency} has more decimals than {currency} has ({allowed}).")
        return amount
    return shorter


def read_rate(text: str | None) -> Decimal | None:
    """Read an exchange rate; None if it is absent or not a plain positive number."""
    if text is None or not _RATE.fullmatch(text):
        return None
    rate = Decimal(text)
    return rate if rate > 0 else None


def read_count(text: str | None) -> int | None:
    """Read a counter or sequence number; None if it is absent or not plain digits."""
    return int(text) if text is not None and _COUNT.fullmatch(text) else None


def reference(text: str | None) -> str | None:
    """Return a bank's reference, or None where the bank wrote a filler such as NOTPROVIDED."""
    if text is None:
        return None
    stripped = text.strip()
    if len(stripped) > FILLER_CHARS_MAX:
        return stripped
    return None if stripped.upper() in _ABSENT else stripped


def calendar_date(
    year: int, month: int, day: int, *, note: Callable[[str, str], None]
) -> date | None:
    """Return the date; day 29-31 of a shorter month becomes its last day, and is reported.

    Some banks book interest on 30 February (months of 30 days each).
    """
    if not (YEAR_MIN <= year <= YEAR_MAX and 1 <= month <= _MONTH_MAX and 1 <= day <= _DAY_MAX):
        note("date_unreadable", f"{year:04d}-{month:02d}-{day:02d} is not a date.")
        return None
    last = calendar.monthrange(year, month)[1]
    if day > last:
        note(
            "date_impossible",
            f"{year:04d}-{month:02d}-{day:02d} does not exist;"
            f" the last day of that month was taken instead.",
        )
        day = last
    return date(year, month, day)


def read_date(text: str | None, *, note: Callable[[str, str], None]) -> date | None:
    """Read `2026-11-21` (a zone suffix does not move the day); None if absent or unreadable."""
    if text is None:
        return None
    match = _DATE.fullmatch(text)
    if match is None:
        note("date_unreadable", f"{shown(text)} is not a date.")
        return None
    year, month, day = match.groups()
    return calendar_date(int(year), int(month), int(day), note=note)


def read_datetime(text: str | None, *, note: Callable[[str, str], None]) -> datetime | None:
    """Read an ISO date-time, with its offset if it has one; None if absent or unreadable."""
    if text is None:
        return None
    if _DATETIME.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            if YEAR_MIN <= moment.year <= YEAR_MAX:
                return moment
    note("datetime_unreadable", f"{shown(text)} is not a date and time.")
    return None


def shown(text: str) -> str:
    """Quote text of a bank in a message: one line, at most 40 characters."""
    line = " ".join(text.split())
    return f"“{line[:40]}…”" if len(line) > 40 else f"“{line}”"  # noqa: PLR2004 - a display width


def iban_checksum_holds(text: str) -> bool:
    """Say whether the check digits of an IBAN-shaped text are right (ISO 7064, mod 97-10)."""
    if not _IBAN.fullmatch(text):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
