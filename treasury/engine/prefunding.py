"""How much to move, from where, and until when it still lands. Pure.

Source of the rules: requirements S0-27 and S0-31 in the readings of the house: the buffer
multiplies the shortfall, the amount is rounded up to the minor unit, a source keeps its own floor
and its own need, and the day of a shortfall is the local day of the currency's centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.money import smallest_unit

CENTRES: Final = {
    "USD": "America/New_York",
    "GBP": "Europe/London",
    "EUR": "Europe/Berlin",
    "AED": "Asia/Dubai",
    "INR": "Asia/Kolkata",
}
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What an account must hold until its next funding day, and what it has; one currency."""

    currency: str
    required: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The policy values that size a transfer."""

    buffer: Decimal
    minimum: Decimal = ZERO
    multiple: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An account that might pay: `surplus` is above its own floor, holds and need."""

    account: str
    bank: str
    surplus: Decimal
    lands_until: datetime | None
    rail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen source and what it keeps above its own floor and need afterwards."""

    source: Source
    left: Decimal


def shortfall_of(need: Need) -> Decimal:
    """Return max(0, required − available); an overdrawn account adds its overdraft."""
    return max(ZERO, need.required - need.available)


def transfer_amount(*, shortfall: Decimal, currency: str, terms: Terms) -> Decimal:
    """Return shortfall × (1 + buffer), rounded up to the minor unit (or to a multiple of it).

    Zero stays zero; a positive amount below the minimum is raised to it.

    Raises:
        Invalid: the shortfall is negative or not a finite number.
    """
    if not shortfall.is_finite() or shortfall < ZERO:
        raise Invalid("A shortfall is a finite amount of at least zero.", field="shortfall")
    if shortfall == ZERO:
        return ZERO
    wanted = max(shortfall * (1 + terms.buffer), terms.minimum)
    unit = max(smallest_unit(currency), terms.multiple)
    steps = (wanted / unit).to_integral_value(rounding=ROUND_CEILING)
    return (steps * unit).quantize(smallest_unit(currency))


def choose_source(
    sources: Sequence[Source], *, amount: Decimal, bank: str, now: datetime
) -> Choice | None:
    """Return the source that pays, or None when no account can without running short itself.

    Same bank first (a book transfer has no cut-off), then the highest surplus; a source whose
    rail cannot land the money any more does not count. Equal surpluses are decided by account,
    so that the same facts always choose the same source.
    """
    able = [
        source
        for source in sources
        if source.surplus >= amount and (source.lands_until is None or now < source.lands_until)
    ]
    if not able:
        return None
    best = min(able, key=lambda source: (source.bank != bank, -source.surplus, source.account))
    return Choice(source=best, left=best.surplus - amount)


def local_day(*, currency: str, occurred_at: datetime, by: str = "currency") -> date:
    """Return the calendar day that counts for one prefunding per currency and day.

    Raises:
        Invalid: a currency without a centre.
    """
    if by == "UTC":
        return occurred_at.astimezone(UTC).date()
    centre = CENTRES.get(currency)
    if centre is None:
        raise Invalid(f"{currency} is not one of our currencies.", field="currency")
    return occurred_at.astimezone(ZoneInfo(centre)).date()


def top_up_is_advised(
    *, first: Decimal, later: Decimal, threshold: Decimal, minimum: Decimal
) -> bool:
    """Return whether a later transfer of the day exceeds the first by more than the threshold."""
    extra = later - first
    return extra > first * threshold and extra > minimum
