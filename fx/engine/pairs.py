"""Pairs of currencies and their conventions, as data.

Which currency is the base, how many digits a rate has, what a pip is, and how many days after the
trade date spot lies. The rate digits are those of the market data of OpenGamma Strata
(`CurrencyPair.ini`); the spot lags are the market's: two days, one for what is dealt beside New
York's own day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from core.money import minor_units
from fx.errors import PairUnknown

USD: Final = "USD"
EUR: Final = "EUR"
# The one that stands first is the base of a pair; what is not named here comes after these,
# in the order of the alphabet.
_BASE_ORDER: Final = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF", "AED", "INR", "JPY")
_DIGITS: Final[Mapping[str, int]] = {
    "EUR/USD": 4, "GBP/USD": 4, "EUR/GBP": 5, "USD/CAD": 4, "USD/JPY": 2, "EUR/JPY": 2,
    "GBP/JPY": 3, "USD/INR": 4, "EUR/INR": 4, "USD/AED": 4,
}  # fmt: skip
_DIGITS_DEFAULT: Final = 4
_PIP: Final = Decimal("0.0001")
_PIP_OF_YEN: Final = Decimal("0.01")
_SPOT_LAG_DAYS: Final = 2
_NEXT_DAY: Final = frozenset({"CAD", "TRY", "PHP", "RUB"})  # spot against the dollar is T+1
# A US holiday between trade and spot counts for these, as if it were their own.
USD_COUNTS_BETWEEN: Final = frozenset({"MXN", "ARS", "CLP"})
# Against the euro these settle on US holidays too.
_WITHOUT_NEW_YORK: Final = frozenset({"RON", "BGN", "RSD"})
_CODE_LETTERS: Final = 3


def _rank(currency: str) -> tuple[int, str]:
    known = currency in _BASE_ORDER
    return (_BASE_ORDER.index(currency) if known else len(_BASE_ORDER), currency)


def lag_against_dollar(currency: str) -> int:
    """Return the days from trade to spot of a currency against the dollar."""
    return 1 if currency in _NEXT_DAY else _SPOT_LAG_DAYS


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A pair as the market writes it: the price of one unit of `base` in `quote`."""

    base: str
    quote: str

    def __post_init__(self) -> None:
        for currency in (self.base, self.quote):
            minor_units(currency)
        if self.base == self.quote:
            raise PairUnknown(f"{self.base} against itself is no pair.", field="pair")

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"

    @property
    def currencies(self) -> tuple[str, str]:
        """Return base and quote."""
        return (self.base, self.quote)

    @property
    def inverse(self) -> "Pair":
        """Return the pair the other way round."""
        return Pair(self.quote, self.base)

    @property
    def is_conventional(self) -> bool:
        """Tell whether the market writes the pair this way round."""
        return _rank(self.base) < _rank(self.quote)

    @property
    def digits(self) -> int:
        """Return the decimals of a rate; feeds may send one more."""
        return _DIGITS.get(str(self), 2 if self.quote == "JPY" else _DIGITS_DEFAULT)

    @property
    def pip(self) -> Decimal:
        """Return the unit that forward points are counted in."""
        return _PIP_OF_YEN if self.quote == "JPY" else _PIP

    @property
    def spot_lag_days(self) -> int:
        """Return the days from trade to spot; a cross waits for the later of its dollar legs."""
        foreign = [currency for currency in self.currencies if currency != USD]
        return max(lag_against_dollar(currency) for currency in foreign)

    @property
    def waits_for_new_york(self) -> bool:
        """Tell whether spot needs New York to be open, which crosses do as well."""
        others = {self.base, self.quote} - {EUR}
        return not (EUR in self.currencies and others <= _WITHOUT_NEW_YORK)


def pair_of(one: str, other: str) -> Pair:
    """Return the pair of two currencies the way round the market writes it.

    Raises:
        PairUnknown: they are the same.
        Invalid: one is not a currency.
    """
    pair = Pair(one, other)
    return pair if pair.is_conventional else pair.inverse


def parse_pair(text: str) -> Pair:
    """Read `EUR/USD` or `EURUSD`, in either order; the order is kept.

    Raises:
        PairUnknown: another form, or a currency against itself.
    """
    letters = text.replace("/", "", 1)
    if len(letters) != 2 * _CODE_LETTERS or not (letters.isascii() and letters.isupper()):
        raise PairUnknown(f"Write a pair like EUR/USD, not {text[:20]!r}.", field="pair")
    return Pair(letters[:_CODE_LETTERS], letters[_CODE_LETTERS:])
