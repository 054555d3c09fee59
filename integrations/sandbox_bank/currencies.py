"""Amounts in the book are whole minor units; text exists only at the edges."""

import re
from decimal import Decimal

AMOUNT_DIGITS_MAX = 18
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,5})?", re.ASCII)
_NO_DECIMALS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
_THREE_DECIMALS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])


def exponent(currency: str) -> int:
    """Return how many decimal places the currency has."""
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def to_minor(text: str, currency: str) -> int:
    """Turn decimal text without a sign into minor units.

    Raises:
        ValueError: not plain decimal text, or finer than the currency's minor unit.
    """
    if not _AMOUNT.fullmatch(text) or len(text.replace(".", "")) > AMOUNT_DIGITS_MAX:
        raise ValueError("not a plain decimal amount")
    scaled = Decimal(text).scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"finer than the minor unit of {currency}")
    return int(scaled)


def signed_to_minor(text: str, currency: str) -> int:
    """Turn decimal text that may start with a minus sign into minor units.

    Raises:
        ValueError: as `to_minor`.
    """
    if text.startswith("-"):
        return -to_minor(text[1:], currency)
    return to_minor(text, currency)


def to_text(minor: int, currency: str) -> str:
    """Write minor units as decimal text with all places of the currency."""
    places = exponent(currency)
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"
