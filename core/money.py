"""Money: an exact amount and its ISO 4217 currency. Free of Django, so that engines may use it."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from core.errors import CurrencyMismatch, Invalid

# ISO 4217 list one: currencies whose minor unit is not 2; every other active code has 2.
_MINOR_UNITS: Final[dict[str, int]] = {
    **dict.fromkeys(
        (
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,4})?", re.ASCII)


def minor_units(currency: str) -> int:
    """Return the number of decimals of `currency` (ISO 4217).

    Raises:
        Invalid: not three capital letters.
    """
    if not _CURRENCY.fullmatch(currency):
        raise Invalid(f"{currency!r} is not an ISO 4217 currency code.", field="currency")
    return _MINOR_UNITS.get(currency, 2)


def smallest_unit(currency: str) -> Decimal:
    """Return the smallest amount of `currency`, e.g. 0.01 USD, 1 JPY, 0.001 KWD."""
    return Decimal(1).scaleb(-minor_units(currency))


def parse_amount(text: str, currency: str, *, field: str = "amount") -> Decimal:
    """Read a decimal string strictly: ASCII digits, at most 16 before and 4 after the point.

    Raises:
        Invalid: another form, or more decimals than the currency has; names `field`.
    """
    if not _AMOUNT.fullmatch(text):
        raise Invalid(
            f"{field}: write an amount as digits with a point, like 1250.00.", field=field
        )
    amount = Decimal(text)
    if amount != amount.quantize(smallest_unit(currency)):
        decimals = minor_units(currency)
        raise Invalid(f"{field}: {currency} has {decimals} decimals, {text} has more.", field=field)
    return amount


@dataclass(frozen=True, slots=True)
class Money:
    """An exact, finite amount of one currency; never built from a float."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError(f"Money takes a Decimal, not {type(self.amount).__name__}.")
        if not self.amount.is_finite():
            raise ValueError("Money takes a finite amount.")
        minor_units(self.currency)

    def quantized(self, rounding: str = ROUND_HALF_EVEN) -> "Money":
        """Return this amount rounded to the currency's minor unit."""
        return Money(self.amount.quantize(smallest_unit(self.currency), rounding), self.currency)

    def _of(self, other: "Money") -> Decimal:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix.")
        return other.amount

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._of(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._of(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._of(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._of(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._of(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._of(other)

    def __str__(self) -> str:
        return f"{self.quantized().amount:,f} {self.currency}"
