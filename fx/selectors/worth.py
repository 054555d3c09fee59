"""What all open deals are worth now, by pair: one statement, the market as its dates' stretches.

`fx.selectors.valuation` marks every way to settle by itself and says why something has no price; a
day's run is made of that. Here only sums are asked for, so the curves go to the database as the few
straight lines that they are (`fx.engine.stretches`), and it marks the dates of its open deals. Both
find the same cents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Q

from core import policies
from fx import valuation_guards as formula
from fx.engine.curves import PRECISION, Interest, MidLine, middle
from fx.engine.pairs import Pair
from fx.engine.quotes import ONE
from fx.engine.stretches import Stretch, flat, stretches
from fx.engine.valuation import ZERO
from fx.policies import FX_DISCOUNTING
from fx.selectors.curves import Market
from fx.selectors.valuation import BY_INTEREST, REFUSALS, day_of, marks, open_deals

_ONE_DAY: Final = timedelta(days=1)

# Deals `d` that stand open, as the index `deal_open` has them, and those settled since an instant.
_STANDING: Final = (
    "d.state IN ('EXECUTED', 'CONFIRMED', 'FAILED') AND d.executed_at <= %(at)s::timestamptz"
)
_SETTLED_SINCE: Final = (
    "d.state = 'SETTLED' AND d.closed_at > %(at)s::timestamptz"
    " AND d.executed_at <= %(at)s::timestamptz"
)
# From one pair to the next through the index, however many deals a pair has.
_DEALT: Final = f"""
WITH RECURSIVE dealt (base, quote) AS (
    (SELECT d.base, d.quote FROM fx_deal d WHERE {_STANDING} ORDER BY 1, 2 LIMIT 1)
     UNION ALL
    SELECT next.base, next.quote FROM dealt CROSS JOIN LATERAL (
           SELECT d.base, d.quote FROM fx_deal d
            WHERE {_STANDING} AND (d.base, d.quote) > (dealt.base, dealt.quote)
            ORDER BY 1, 2 LIMIT 1) next
)
SELECT p.base, p.quote, n.fixing_date, coalesce(n.fixing_date <= %(day)s::date, false), false
  FROM dealt p LEFT JOIN LATERAL (
       SELECT min(d.fixing_date) AS fixing_date FROM fx_deal d
        WHERE {_STANDING} AND d.base = p.base AND d.quote = p.quote
          AND d.fixing_date IS NOT NULL) n ON true
 UNION ALL
SELECT d.base, d.quote, min(d.fixing_date), true, true FROM fx_deal d
 WHERE {_SETTLED_SINCE} GROUP BY 1, 2
"""  # noqa: S608 - our own texts
_COLUMNS: Final = {
    "base": "text", "quote": "text", "is_ndf": "boolean", "fixed_on": "date",
    "after": "date", "until": "date",
    "near": "numeric", "rise": "numeric", "start": "date", "days": "int",
    "rate": "numeric", "rate_rise": "numeric", "rate_start": "date", "rate_days": "int",
    "spot": "date", "year": "int", "usd": "numeric",
}  # fmt: skip
STRETCHES: Final = (
    f"unnest({', '.join(f'%({name})s::{kind}[]' for name, kind in _COLUMNS.items())})"
    f" AS s ({', '.join(_COLUMNS)})"
)
# The lines of a stretch `s` on a value date of `w`.
FORWARD: Final = "round(s.near + s.rise * (w.value_date - s.start) / s.days, 10)"
DISCOUNT: Final = (
    "round(1 / (1 + (s.rate + s.rate_rise * (w.value_date - s.rate_start) / s.rate_days)"
    " * (w.value_date - s.spot) / s.year), 16)"
)
# The ways to settle come in the order of the index, and meet their deals in it.
_WORTH: Final = f"""
WITH ways AS MATERIALIZED (
    -- Read in the order of the index, equal ones are neighbours: nothing is hashed or sorted.
    SELECT DISTINCT d.base, d.quote, d.settles_on AS value_date, d.fixing_date FROM (
           SELECT d.base, d.quote, d.settles_on, d.fixing_date FROM fx_deal d
            WHERE {{these}} ORDER BY 1, 2, 3, 4 OFFSET 0) d
     ORDER BY 1, 2, 3, 4
), marked AS MATERIALIZED (
    SELECT w.*, {FORWARD} AS forward, s.usd * {DISCOUNT} AS worth,
           CASE WHEN s.is_ndf THEN {FORWARD} END AS by
      FROM ways w LEFT JOIN {STRETCHES}
        ON s.base = w.base AND s.quote = w.quote AND s.is_ndf = (w.fixing_date IS NOT NULL)
       AND w.value_date > s.after AND w.value_date <= s.until
       AND s.fixed_on IS NOT DISTINCT FROM
           CASE WHEN w.fixing_date <= %(day)s::date THEN w.fixing_date END
     ORDER BY 1, 2, 3, 4
)
SELECT v.base, v.quote, count(*), count(*) - count(v.worth),
       coalesce(sum({formula.WORTH_USD}), 0)
  FROM marked v JOIN fx_deal d
    ON d.base = v.base AND d.quote = v.quote AND d.settles_on = v.value_date
   AND d.fixing_date IS NOT DISTINCT FROM v.fixing_date
 WHERE {{these}} GROUP BY 1, 2
"""  # noqa: S608 - our own texts
_WORTH_STANDING: Final = _WORTH.format(these=_STANDING)
_WORTH_SETTLED_SINCE: Final = _WORTH.format(these=_SETTLED_SINCE)


@dataclass(frozen=True, slots=True)
class PairValue:
    """What the open deals of a pair are worth together; deals without a value are in no sum."""

    pair: Pair
    deals: int
    missing: int
    pnl_usd: Decimal


class _Dealt(NamedTuple):
    """A pair with open deals; `fixing_date` is the first one of its NDFs, None without any."""

    base: str
    quote: str
    fixing_date: date | None
    is_fixed: bool
    is_settled: bool

    @property
    def pair(self) -> Pair:
        """Return the pair."""
        return Pair(self.base, self.quote)


class Quoted(NamedTuple):
    """A stretch of a pair's market: for which deals, and the dollars for a unit of its result."""

    pair: Pair
    is_ndf: bool
    fixed_on: date | None
    stretch: Stretch
    usd: Decimal


def values_now(market: Market) -> list[PairValue]:
    """Return what all deals that are open at a market's instant are worth, by pair."""
    facts: dict[str, Any] = {"at": market.at, "day": day_of(market.at)}
    with connection.cursor() as cursor:
        cursor.execute(_DEALT, facts)
        dealt = [_Dealt(*row) for row in cursor.fetchall()]
        if not dealt:
            return []
        facts |= columns_of(_quoted(market, dealt))
        statements = [_WORTH_STANDING]
        if any(one.is_settled for one in dealt):
            statements.append(_WORTH_SETTLED_SINCE)
        found: dict[Pair, PairValue] = {}
        for statement in statements:
            # Not prepared: a plan for arrays of any length takes twice as long as one for these.
            cursor.cursor.execute(statement, facts, prepare=False)
            for base, quote, *sums in cursor.fetchall():
                _add(found, PairValue(Pair(base, quote), *sums))
    return [found[pair] for pair in sorted(found, key=lambda one: one.currencies)]


def _add(found: dict[Pair, PairValue], one: PairValue) -> None:
    so_far = found.get(one.pair, PairValue(one.pair, 0, 0, ZERO))
    found[one.pair] = PairValue(
        one.pair,
        so_far.deals + one.deals,
        so_far.missing + one.missing,
        so_far.pnl_usd + one.pnl_usd,
    )


def _quoted(market: Market, dealt: list[_Dealt]) -> list[Quoted]:
    """Return the stretches that price everything that is dealt; what none holds has no price."""
    day = day_of(market.at)
    pairs = dict.fromkeys(one.pair for one in dealt)
    with_ndfs = {one.pair for one in dealt if one.fixing_date is not None}
    curved = [one for one in pairs if one in market.points]
    found = [one for pair in curved for one in _deliverable(market, day, pair)]
    found += [one for pair in curved if pair in with_ndfs for one in _ndf(market, day, pair)]
    others = [one for one in pairs if one not in market.points]
    if others or any(one.is_fixed for one in dealt):
        found += _by_themselves(market, day, others)
    return found


def _deliverable(market: Market, day: date, pair: Pair) -> Iterator[Quoted]:
    """Yield the stretches of deals that are paid, as far as their market is known."""
    try:
        usd, spot = market.usd_per(pair.quote), market.spot(pair)
        until_today = flat(middle(spot), after=date.min, until=day)
        yield Quoted(pair=pair, is_ndf=False, fixed_on=None, stretch=until_today, usd=usd)
        line = MidLine(market.curve(pair), spot)
    except REFUSALS:
        return
    interest = _interest(market, pair) if policies.get(FX_DISCOUNTING) == BY_INTEREST else None
    for one in stretches(line, interest, after=day):
        yield Quoted(pair=pair, is_ndf=False, fixed_on=None, stretch=one, usd=usd)


def _ndf(market: Market, day: date, pair: Pair) -> Iterator[Quoted]:
    """Yield the stretches of deals whose fixing is to come."""
    try:
        usd, line = market.usd_per(pair.base), MidLine(market.curve(pair), market.spot(pair))
    except REFUSALS:
        return
    for one in stretches(line, None, after=day):
        yield Quoted(pair=pair, is_ndf=True, fixed_on=None, stretch=one, usd=usd)


def _interest(market: Market, pair: Pair) -> Interest:
    """Return what a pair is discounted with: without pillars where that cannot be dated."""
    try:
        return market.interest_of(pair, pair.quote)
    except REFUSALS:
        return Interest(currency=pair.quote, spot=market.spot_date(pair), pillars=())


def _by_themselves(market: Market, day: date, others: list[Pair]) -> list[Quoted]:
    """Return what no line prices, date by date: NDFs that are fixed, and pairs without points."""
    wanted = Q(fixing_date__lte=day)
    for pair in others:
        wanted |= Q(base=pair.base, quote=pair.quote)
    found: dict[tuple[Pair, bool, date | None, date], Quoted] = {}
    for mark in marks(market, day, of=open_deals(market.at).filter(wanted)):
        if mark.priced is None:
            continue
        way, priced = mark.settles, mark.priced
        due = way.fixing_date is not None and way.fixing_date <= day
        fixed_on = way.fixing_date if due else None
        discount = ONE if way.is_ndf else priced.discount
        on = way.value_date
        found[way.pair, way.is_ndf, fixed_on, on] = Quoted(
            way.pair,
            way.is_ndf,
            fixed_on,
            flat(priced.forward, after=on - _ONE_DAY, until=on),
            PRECISION.multiply(priced.usd_rate, discount),
        )
    return list(found.values())


def columns_of(found: list[Quoted]) -> dict[str, str]:
    """Return stretches as texts of arrays, which are quicker to send than arrays."""
    rows = [
        (
            *(one.pair.base, one.pair.quote, one.is_ndf, one.fixed_on),
            *(one.stretch.after, one.stretch.until),
            *one.stretch.forward,
            *one.stretch.interest,
            *(one.stretch.spot, one.stretch.year, one.usd),
        )
        for one in found
    ]
    return {
        name: "{"
        + ",".join(["NULL" if row[place] is None else str(row[place]) for row in rows])
        + "}"
        for place, name in enumerate(_COLUMNS)
    }
