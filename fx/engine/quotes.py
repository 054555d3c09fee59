"""Quotes and what is computed from them: crosses, inverses, forwards, amounts, and what is wrong.

All numbers are exact decimals of 28 digits. A quote has two sides: the market buys the base
currency at `bid` and sells it at `ask`. Every quote says where it comes from and how old its
oldest part is; what cannot be found is an error, never one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from enum import StrEnum
from typing import Final

from core.money import Money, smallest_unit
from fx.engine.pairs import EUR, USD, Pair
from fx.errors import QuoteRefused, RateMissing

_CONTEXT: Final = Context(prec=28)
ONE: Final = Decimal(1)
TWO: Final = Decimal(2)
PERCENT: Final = Decimal(100)
# Money markets that count 365 days a year; the others count 360.
_YEAR_OF_365: Final = frozenset(
    {"GBP", "INR", "AUD", "NZD", "CAD", "SGD", "HKD", "ZAR", "THB", "PLN", "KWD"}
)
# The dirham's peg as the Central Bank of the UAE buys and sells dollars.
PEGS: Final[Mapping[Pair, tuple[Decimal, Decimal]]] = {
    Pair("USD", "AED"): (Decimal("3.6720"), Decimal("3.6730"))
}
PEG_TOLERANCE: Final = Decimal("0.001")
_EXTRA_DIGITS: Final = 1  # feeds send tenths of a pip


class Side(StrEnum):
    """What we do with the base currency."""

    BUY = "BUY"
    SELL = "SELL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A two-sided price of `pair`; `at` is the instant of its oldest part."""

    pair: Pair
    bid: Decimal
    ask: Decimal
    at: datetime
    sources: tuple[str, ...] = ()

    @property
    def mid(self) -> Decimal:
        """Return the middle of the two sides."""
        return _CONTEXT.divide(_CONTEXT.add(self.bid, self.ask), TWO)

    @property
    def spread_pips(self) -> Decimal:
        """Return how far the sides lie apart."""
        return _CONTEXT.divide(self.ask - self.bid, self.pair.pip)

    def taken(self, side: Side) -> Decimal:
        """Return the side at which we deal: we buy at the ask and sell at the bid."""
        return self.ask if side is Side.BUY else self.bid


class Fault(StrEnum):
    """What can be wrong with a quote."""

    NOT_POSITIVE = "NOT_POSITIVE"
    CROSSED = "CROSSED"
    DIGITS = "DIGITS"
    STALE = "STALE"
    FUTURE = "FUTURE"
    MOVED = "MOVED"
    OFF_PEG = "OFF_PEG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a quote, with words for people."""

    fault: Fault
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How old a quote may be, how far ahead its clock, and how far it may move from the last one.

    `move_max` is a share: 0.05 is five percent.
    """

    age_max: timedelta
    ahead_max: timedelta
    move_max: Decimal


def inverted(quote: Quote) -> Quote:
    """Return the price the other way round; the sides change places: bid(1/x) = 1/ask."""
    return replace(
        quote,
        pair=quote.pair.inverse,
        bid=_CONTEXT.divide(ONE, quote.ask),
        ask=_CONTEXT.divide(ONE, quote.bid),
    )


def crossed(first: Quote, second: Quote) -> Quote:
    """Return the price of A in C from A/B and B/C: bid × bid, ask × ask.

    Raises:
        QuoteRefused: the quotes have no currency between them.
    """
    if first.pair.quote != second.pair.base:
        raise QuoteRefused(f"{first.pair} and {second.pair} make no cross.", field="pair")
    return Quote(
        pair=Pair(first.pair.base, second.pair.quote),
        bid=_CONTEXT.multiply(first.bid, second.bid),
        ask=_CONTEXT.multiply(first.ask, second.ask),
        at=min(first.at, second.at),
        sources=tuple(dict.fromkeys((*first.sources, *second.sources))),
    )


def _one_way(base: str, quote: str, book: Mapping[Pair, Quote]) -> Quote | None:
    wanted = Pair(base, quote)
    if wanted in book:
        return book[wanted]
    other = book.get(wanted.inverse)
    return None if other is None else inverted(other)


def find_quote(pair: Pair, book: Mapping[Pair, Quote]) -> Quote | None:
    """Return the price of `pair`: as quoted, inverted, or through the dollar, or the euro."""
    direct = _one_way(pair.base, pair.quote, book)
    if direct is not None:
        return direct
    for middle in (USD, EUR):
        if middle in pair.currencies:
            continue
        first = _one_way(pair.base, middle, book)
        second = _one_way(middle, pair.quote, book)
        if first is not None and second is not None:
            return crossed(first, second)
    return None


def require_quote(pair: Pair, book: Mapping[Pair, Quote]) -> Quote:
    """Return the price of `pair`.

    Raises:
        RateMissing: neither the pair nor a way through the dollar or the euro is quoted.
    """
    found = find_quote(pair, book)
    if found is None:
        raise RateMissing(
            f"There is no fresh rate for {pair}, nor a way to it through USD or EUR.",
            pair=str(pair),
        )
    return found


def faults(quote: Quote, *, now: datetime, limits: Limits, last: Quote | None) -> list[Finding]:
    """Return what is wrong with a quote that came in; nothing means it can be used."""
    if not all(side.is_finite() and side > 0 for side in (quote.bid, quote.ask)):
        return [Finding(fault=Fault.NOT_POSITIVE, words="A rate is a positive number.")]
    found = [_sides(quote), _digits(quote), _age(quote, now, limits), _peg(quote)]
    if last is not None:
        found.append(moved(quote, last, limits))
    return [one for one in found if one is not None]


def _sides(quote: Quote) -> Finding | None:
    if quote.bid <= quote.ask:
        return None
    words = f"The bid {quote.bid} is above the ask {quote.ask}."
    return Finding(fault=Fault.CROSSED, words=words)


def _digits(quote: Quote) -> Finding | None:
    """Only pairs written as the market does have digits; others are somebody's arithmetic."""
    allowed = quote.pair.digits + _EXTRA_DIGITS
    step = ONE.scaleb(-allowed)
    if not quote.pair.is_conventional or all(
        side == side.quantize(step) for side in (quote.bid, quote.ask)
    ):
        return None
    return Finding(fault=Fault.DIGITS, words=f"{quote.pair} has at most {allowed} decimals.")


def _age(quote: Quote, now: datetime, limits: Limits) -> Finding | None:
    if quote.at > now + limits.ahead_max:
        return Finding(fault=Fault.FUTURE, words=f"Its time {quote.at:%Y-%m-%d %H:%M} is to come.")
    if is_stale(quote.at, now=now, age_max=limits.age_max):
        return Finding(fault=Fault.STALE, words=f"It is of {quote.at:%Y-%m-%d %H:%M}: too old.")
    return None


def _peg(quote: Quote) -> Finding | None:
    band = PEGS.get(quote.pair)
    if band is None:
        return None
    low, high = band[0] * (ONE - PEG_TOLERANCE), band[1] * (ONE + PEG_TOLERANCE)
    if low <= quote.bid and quote.ask <= high:
        return None
    words = f"{quote.pair} is pegged between {band[0]} and {band[1]}."
    return Finding(fault=Fault.OFF_PEG, words=words)


def moved(quote: Quote, last: Quote, limits: Limits) -> Finding | None:
    """Return a finding if a quote lies further from an earlier one than it may move."""
    share = apart(quote.mid, last.mid)
    if share <= limits.move_max:
        return None
    words = f"It moved {share * PERCENT:.2f} % from {last.mid.normalize():f}."
    return Finding(fault=Fault.MOVED, words=words)


def apart(one: Decimal, other: Decimal) -> Decimal:
    """Return how far `one` lies from `other`, as a share of `other`."""
    return _CONTEXT.divide(abs(one - other), other)


def is_stale(at: datetime, *, now: datetime, age_max: timedelta) -> bool:
    """Tell whether something of instant `at` is older than allowed; exactly as old is not."""
    return now - at > age_max


def disagreements(quotes: Iterable[Quote], *, tolerance: Decimal) -> list[tuple[Quote, Quote]]:
    """Return each later quote that lies further than `tolerance` (a share) from the first one.

    The quotes are of one pair, the most trusted source first.
    """
    found = [*quotes]
    return [(found[0], other) for other in found[1:] if apart(other.mid, found[0].mid) > tolerance]


def year_days(currency: str) -> int:
    """Return how many days a year of the currency's money market has: 360 or 365."""
    return 365 if currency in _YEAR_OF_365 else 360


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Forward points in pips, signed: positive where the base trades at a premium."""

    bid: Decimal
    ask: Decimal


def after_spot(spot: Quote, points: Points) -> Quote:
    """Return the outright forward: spot plus points, side by side."""
    pip = spot.pair.pip
    return replace(
        spot,
        bid=_CONTEXT.add(spot.bid, points.bid * pip),
        ask=_CONTEXT.add(spot.ask, points.ask * pip),
    )


def before_spot(spot: Quote, *periods: Points) -> Quote:
    """Return the outright before spot: TN alone for tom, TN and ON for cash.

    The trap of short dates: moving a date forward to spot costs what the period is quoted at, so
    the points are taken off, and their sides change places.
    """
    pip, found = spot.pair.pip, spot
    for points in periods:
        found = replace(
            found,
            bid=_CONTEXT.subtract(found.bid, points.ask * pip),
            ask=_CONTEXT.subtract(found.ask, points.bid * pip),
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposits:
    """Simple yearly interest of both currencies as shares: 0.04 is four percent."""

    base: Decimal
    quote: Decimal


def forward_rate(
    spot: Decimal, pair: Pair, deposits: Deposits, *, near: date, far: date
) -> Decimal:
    """Return F = S · (1 + r_q·t_q) / (1 + r_b·t_b), covered interest parity; not rounded.

    The times are actual days over 360 or 365, each currency's own.
    """
    with localcontext(_CONTEXT):
        days = Decimal((far - near).days)
        grown_quote = ONE + deposits.quote * days / year_days(pair.quote)
        grown_base = ONE + deposits.base * days / year_days(pair.base)
        return spot * grown_quote / grown_base


def forward_points(spot: Decimal, forward: Decimal, pair: Pair) -> Decimal:
    """Return the points in pips between spot and an outright forward."""
    return _CONTEXT.divide(_CONTEXT.subtract(forward, spot), pair.pip)


def rounded_rate(rate: Decimal, pair: Pair) -> Decimal:
    """Return a rate with the digits of its pair and one more, half up."""
    return rate.quantize(ONE.scaleb(-(pair.digits + _EXTRA_DIGITS)), ROUND_HALF_UP)


def contra(dealt: Money, pair: Pair, rate: Decimal) -> Money:
    """Return the other amount of a deal; the dealt one stays exact.

    Base dealt: dealt × rate. Quote dealt: dealt / rate. Rounded half up to the minor unit. The
    rate is never worked back from the rounded amounts.

    Raises:
        QuoteRefused: the amount's currency is not of the pair, or the rate is not positive.
    """
    if dealt.currency not in pair.currencies:
        raise QuoteRefused(f"{dealt.currency} is not in {pair}.", field="dealt_currency")
    if not rate.is_finite() or rate <= 0:
        raise QuoteRefused("A rate is a positive number.", field="rate")
    if dealt.currency == pair.base:
        amount, currency = _CONTEXT.multiply(dealt.amount, rate), pair.quote
    else:
        amount, currency = _CONTEXT.divide(dealt.amount, rate), pair.base
    return Money(amount.quantize(smallest_unit(currency), ROUND_HALF_UP), currency)


def converted(
    money: Money, currency: str, book: Mapping[Pair, Quote]
) -> tuple[Money, Quote | None]:
    """Return `money` in `currency` at mid, and the quote that was used (None for its own currency).

    Raises:
        RateMissing: no way from one currency to the other is quoted.
    """
    if money.currency == currency:
        return money, None
    quote = require_quote(Pair(money.currency, currency), book)
    amount = _CONTEXT.multiply(money.amount, quote.mid)
    return Money(amount.quantize(smallest_unit(currency), ROUND_HALF_UP), currency), quote


def ndf_settlement(notional: Money, *, strike: Decimal, fixing: Decimal) -> Money:
    """Return what the buyer of a non-deliverable forward receives; negative: pays.

    notional · (fixing − strike) / fixing, in the notional's currency: the gain is earned in the
    currency that is not delivered and paid at the fixing. Half up to the minor unit.

    Raises:
        QuoteRefused: strike or fixing is not positive.
    """
    if not (strike > 0 and fixing > 0):
        raise QuoteRefused("Strike and fixing are positive rates.", field="fixing")
    with localcontext(_CONTEXT):
        amount = notional.amount * (fixing - strike) / fixing
    unit = smallest_unit(notional.currency)
    return Money(amount.quantize(unit, ROUND_HALF_UP), notional.currency)
