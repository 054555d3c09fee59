"""What open deals are worth: plain reference, deal by deal, in exact decimals.

Buying N of the base at K, with the market at F for the same date:

    deliverable   N · (F − K) · DF       in the quote currency, then at spot into dollars
    NDF           N · (F − K) / F        in the base, as the fixing will pay it

Selling negates. F is the forward to the value date: spot itself once the value date has come, the
fixing once an NDF is fixed. Rounded once, half up to the minor unit, never before. The database
computes the same for all deals at once (`fx.valuation_guards`); the two must agree to the cent.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from typing import Final, NamedTuple

from core.money import smallest_unit
from fx.engine.curves import PRECISION
from fx.engine.pairs import USD
from fx.engine.quotes import Side

ZERO: Final = Decimal(0)


class Gap(StrEnum):
    """Why a deal has no value; never zero instead."""

    NO_SPOT = "NO_SPOT"
    NO_CURVE = "NO_CURVE"
    CURVE_ENDS = "CURVE_ENDS"
    NO_INTEREST = "NO_INTEREST"
    NO_FIXING = "NO_FIXING"
    NO_CALENDAR = "NO_CALENDAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An open deal as far as its value asks: we buy or sell `amount` of the base at `strike`."""

    side: Side
    is_ndf: bool
    amount: Decimal
    strike: Decimal
    quote: str


class Priced(NamedTuple):
    """The market of a deal: spot, forward, discount, and the dollars for a unit.

    `usd_rate` is for a unit of the quote currency, for an NDF for one of the base.
    """

    spot: Decimal
    forward: Decimal
    discount: Decimal
    usd_rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Unrealised profit (positive) or loss, in the quote currency and in dollars."""

    quote: Decimal
    usd: Decimal


def worth_of(deal: Open, market: Priced) -> Worth:
    """Return what a deal is worth at a market, rounded half up to the minor units."""
    with localcontext(PRECISION):
        sign = 1 if deal.side is Side.BUY else -1
        gained = sign * deal.amount * (market.forward - deal.strike)
        if deal.is_ndf:
            usd = gained * market.usd_rate / market.forward
        else:
            gained *= market.discount
            usd = gained * market.usd_rate
        return Worth(
            quote=gained.quantize(smallest_unit(deal.quote), ROUND_HALF_UP),
            usd=usd.quantize(smallest_unit(USD), ROUND_HALF_UP),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Why the value of a deal changed, in dollars: what spot did, and what time and points did."""

    rate: Decimal
    carry: Decimal


def moved_by(deal: Open, before: Priced, after: Priced) -> Moved:
    """Return the two steps from one day's value to the next one's; they add up to the change.

    First spot (of the pair, and of the dollar) goes to where it is now, points and discount left
    as they were; then points, discount and date follow.
    """
    halfway = Priced(
        spot=after.spot,
        forward=after.spot + (before.forward - before.spot),
        discount=before.discount,
        usd_rate=after.usd_rate,
    )
    start, between, end = (worth_of(deal, one).usd for one in (before, halfway, after))
    return Moved(rate=between - start, carry=end - between)
