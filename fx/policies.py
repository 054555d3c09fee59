"""The knobs of foreign exchange."""

from decimal import Decimal
from typing import Final

from core import policies
from core.errors import Invalid
from core.money import minor_units
from fx.engine.pairs import USD


def _currencies(text: str) -> None:
    codes = text.split(",")
    for code in codes:
        minor_units(code)
    if USD not in codes or len(set(codes)) < len(codes):
        raise Invalid("Name each currency once, the dollar among them.", field="value")


FX_CURRENCIES: Final = policies.define(
    "FX_CURRENCIES",
    "USD,EUR,GBP,AED,INR",
    check=_currencies,
    help="The currencies that rates are kept for, and that may be dealt in.",
)
FX_MOVE_PCT_MAX: Final = policies.define(
    "FX_MOVE_PCT_MAX",
    Decimal("0.05"),
    minimum=Decimal("0.001"),
    maximum=Decimal(1),
    help="A rate that lies further than this share from the last one of its source is refused.",
)
FX_DISAGREEMENT_PCT: Final = policies.define(
    "FX_DISAGREEMENT_PCT",
    Decimal("0.01"),
    minimum=Decimal("0.0001"),
    maximum=Decimal(1),
    help="Fresh sources whose middle rates lie further apart than this share raise an alarm.",
)


def dealt_currencies(value: str) -> tuple[str, ...]:
    """Return the currencies that a value of FX_CURRENCIES names."""
    return tuple(value.split(","))
