"""The rules of a deal, as one list of what breaks them: the same at capture, submission, execution.

Numbers in, findings out. Amounts are in dollars where the name says so, shares are 0.01 for one
percent. Exactly at a limit is allowed. What is not known breaks the rule it is needed for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_UP, Decimal
from enum import StrEnum
from typing import Final

from core.money import Money
from fx.engine.pairs import USD, Pair
from fx.engine.quotes import ONE, PERCENT, Quote, Side, apart

_WORTH: Final = Decimal("0.0001")
YEAR_DAYS: Final = 365


class Rule(StrEnum):
    """What a deal can break."""

    PAIR = "PAIR"
    RATE_MISSING = "RATE_MISSING"
    LIMIT_DEAL = "LIMIT_DEAL"
    LIMIT_DAY = "LIMIT_DAY"
    LIMIT_SETTLEMENT = "LIMIT_SETTLEMENT"
    LIMIT_TENOR = "LIMIT_TENOR"
    OFF_MARKET = "OFF_MARKET"
    COUNTERPARTY = "COUNTERPARTY"
    SSI = "SSI"
    VALUE_DATE = "VALUE_DATE"
    SLIPPAGE = "SLIPPAGE"
    UNHEDGING = "UNHEDGING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A rule that a deal breaks, in words."""

    rule: Rule
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A deal as far as the rules ask: we buy or sell `base` against `quote` at `rate`."""

    pair: Pair
    side: Side
    base: Money
    quote: Money
    rate: Decimal
    trade: date
    spot: date
    value: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the market says: the pair's quote, and what a unit of base is worth in dollars.

    None where nobody has a fresh rate. An outright is the price for the deal's own value date, not
    for spot: it has the interest in it.
    """

    quote: Quote | None
    usd_per_base: Decimal | None
    is_outright: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What else is dealt with the counterparty, in dollars, this deal left out."""

    day_usd: Decimal
    settlement_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The limits in force; `currencies` may be dealt. None is no limit."""

    currencies: tuple[str, ...]
    deal_usd: Decimal
    day_usd: Decimal | None
    settlement_usd: Decimal | None
    tenor_days: int
    off_market: Decimal
    forward_a_year: Decimal


def worth_in_usd(base: Money, quote: Money, usd_per_base: Decimal | None) -> Decimal | None:
    """Return what a deal is worth in dollars: its dollar leg exactly, else base × rate, rounded up.

    None where the rate is missing: nothing is assumed.
    """
    for leg in (base, quote):
        if leg.currency == USD:
            return leg.amount
    if usd_per_base is None:
        return None
    return (base.amount * usd_per_base).quantize(_WORTH, ROUND_UP)


def breaches(terms: Terms, market: Market, standing: Standing, allowed: Allowed) -> list[Breach]:
    """Return every rule that the deal breaks; an empty list lets it through."""
    return [
        *_pair(terms, allowed),
        *_amounts(terms, market, standing, allowed),
        *_tenor(terms, allowed),
        *_off_market(terms, market, allowed),
    ]


def _pair(terms: Terms, allowed: Allowed) -> Iterator[Breach]:
    for currency in terms.pair.currencies:
        if currency not in allowed.currencies:
            yield Breach(rule=Rule.PAIR, words=f"{currency} is not dealt here.")


def _amounts(
    terms: Terms, market: Market, standing: Standing, allowed: Allowed
) -> Iterator[Breach]:
    worth = worth_in_usd(terms.base, terms.quote, market.usd_per_base)
    if worth is None:
        words = f"There is no fresh rate for {terms.pair.base}/USD: no limit can be checked."
        yield Breach(rule=Rule.RATE_MISSING, words=words)
        return
    if worth > allowed.deal_usd:
        yield _over(Rule.LIMIT_DEAL, "One deal", worth, allowed.deal_usd)
    day, settlement = standing.day_usd + worth, standing.settlement_usd + worth
    if allowed.day_usd is not None and day > allowed.day_usd:
        yield _over(Rule.LIMIT_DAY, "Today's deals with the counterparty", day, allowed.day_usd)
    if allowed.settlement_usd is not None and settlement > allowed.settlement_usd:
        what = f"What settles with the counterparty on {terms.value}"
        yield _over(Rule.LIMIT_SETTLEMENT, what, settlement, allowed.settlement_usd)


def _over(rule: Rule, what: str, worth: Decimal, limit: Decimal) -> Breach:
    words = (
        f"{what} would be {_usd(worth)}: the limit is {_usd(limit)}, {_usd(worth - limit)} less."
    )
    return Breach(rule=rule, words=words)


def _usd(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01'), ROUND_UP):,f} USD"


def _tenor(terms: Terms, allowed: Allowed) -> Iterator[Breach]:
    days = (terms.value - terms.trade).days
    if days > allowed.tenor_days:
        words = f"It settles in {days} days: at most {allowed.tenor_days} are allowed."
        yield Breach(rule=Rule.LIMIT_TENOR, words=words)


def tolerance_of(terms: Terms, allowed: Allowed, *, is_outright: bool = False) -> Decimal:
    """Return how far the rate may lie from the market; further for forwards held against spot."""
    if is_outright:
        return allowed.off_market
    beyond_spot = max(0, (terms.value - terms.spot).days)
    return allowed.off_market + allowed.forward_a_year * beyond_spot / YEAR_DAYS


def _off_market(terms: Terms, market: Market, allowed: Allowed) -> Iterator[Breach]:
    if market.quote is None:
        words = f"There is no fresh rate for {terms.pair} to hold the deal against."
        yield Breach(rule=Rule.RATE_MISSING, words=words)
        return
    off = apart(terms.rate, market.quote.mid)
    tolerance = tolerance_of(terms, allowed, is_outright=market.is_outright)
    if off > tolerance:
        words = (
            f"{terms.rate.normalize():f} lies {off * PERCENT:.2f} % off the market"
            f" ({market.quote.mid.quantize(terms.pair.pip):f}):"
            f" at most {tolerance * PERCENT:.2f} % is allowed."
        )
        yield Breach(rule=Rule.OFF_MARKET, words=words)


def slipped(
    side: Side, *, approved: Decimal, executed: Decimal, tolerance: Decimal
) -> Breach | None:
    """Return a breach if a deal is executed worse than approved by more than `tolerance`.

    A better rate is always welcome.
    """
    worst = approved * (ONE + tolerance if side is Side.BUY else ONE - tolerance)
    is_worse = executed > worst if side is Side.BUY else executed < worst
    if not is_worse:
        return None
    words = (
        f"{executed.normalize():f} is worse than the approved {approved.normalize():f} by more than"
        f" {tolerance * PERCENT:.2f} %."
    )
    return Breach(rule=Rule.SLIPPAGE, words=words)


def looks_split(
    worth: Decimal, others: Sequence[Decimal], *, limit: Decimal, within: Decimal
) -> bool:
    """Tell whether this deal and another of `others` lie just below the largest one allowed."""
    floor = limit * (ONE - within)
    return floor <= worth <= limit and any(floor <= other <= limit for other in others)
