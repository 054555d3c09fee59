"""Reads of rates: the book of fresh quotes, conversions with where they come from, the board."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import DateField, QuerySet
from django.db.models.functions import Cast

from core import policies
from core.money import Money
from fx.constants import CLOCK_SKEW, HISTORY_DAYS_MAX
from fx.engine import quotes
from fx.engine.pairs import USD, Pair, pair_of
from fx.engine.quotes import Quote
from fx.errors import SourceUnknown
from fx.models import Rate, RateAlarm, RateDelivery, RateSource
from fx.policies import FX_CURRENCIES, dealt_currencies

DAY: Final = timedelta(days=1)


def sources() -> QuerySet[RateSource]:
    """Return the sources, the most trusted first."""
    return RateSource.objects.all()


def require_source(code: str) -> RateSource:
    """Return an active source by its code.

    Raises:
        SourceUnknown: there is none.
    """
    found = RateSource.objects.filter(code=code, is_active=True).first()
    if found is None:
        raise SourceUnknown(f"There is no active source {code}.", field="source")
    return found


def currencies() -> tuple[str, ...]:
    """Return the currencies that rates are kept for."""
    return dealt_currencies(policies.get(FX_CURRENCIES))


def board_pairs() -> list[Pair]:
    """Return the pairs of the board: each currency against the dollar."""
    return [pair_of(one, USD) for one in currencies() if one != USD]


def quote_of(rate: Rate) -> Quote:
    """Return a rate as a quote of its source."""
    return Quote(
        pair=Pair(rate.base, rate.quote),
        bid=rate.bid,
        ask=rate.ask,
        at=rate.as_of,
        sources=(rate.source.code,),
    )


_FRESH: Final = """
SELECT s.priority, s.code, q.*
  FROM fx_ratesource s CROSS JOIN LATERAL (
       SELECT DISTINCT ON (r.base, r.quote) r.base, r.quote, r.bid, r.ask, r.as_of
         FROM fx_rate r
        WHERE r.source_id = s.id AND r.as_of <= %(until)s
          AND r.as_of >= %(now)s - make_interval(mins => s.age_minutes_max)
        ORDER BY r.base, r.quote, r.as_of DESC) q
 WHERE s.is_active
"""


class _Said(NamedTuple):
    """A quote and how far its source is trusted: the lowest number first, then by code."""

    priority: int
    source: str
    quote: Quote


def _fresh(now: datetime) -> list[_Said]:
    """Return each active source's newest rate of each pair, where that is fresh enough."""
    with connection.cursor() as cursor:
        cursor.execute(_FRESH, {"now": now, "until": now + CLOCK_SKEW})
        return [
            _Said(
                priority,
                source,
                Quote(pair=Pair(base, quote), bid=bid, ask=ask, at=at, sources=(source,)),
            )
            for priority, source, base, quote, bid, ask, at in cursor.fetchall()
        ]


def _pair_and_trust(said: _Said) -> tuple[str, str, int, str]:
    return *said.quote.pair.currencies, said.priority, said.source


def fresh_quotes(*, now: datetime) -> dict[Pair, list[Quote]]:
    """Return all fresh quotes by pair as written by the source, the most trusted first."""
    by_trust = sorted(_fresh(now), key=_pair_and_trust)
    grouped = groupby(by_trust, key=lambda said: said.quote.pair)
    return {pair: [one.quote for one in said] for pair, said in grouped}


def book(*, now: datetime) -> dict[Pair, Quote]:
    """Return the most trusted fresh quote of each pair; a pair without one is not in it.

    Where sources write a pair either way round, the more trusted one decides.
    """
    return {pair: found[0] for pair, found in fresh_quotes(now=now).items()}


def books_by_source(*, now: datetime) -> list[tuple[str, dict[Pair, Quote]]]:
    """Return the fresh quotes of each source by itself, the most trusted source first."""
    found: dict[str, dict[Pair, Quote]] = {}
    for one in sorted(_fresh(now), key=lambda said: (said.priority, said.source)):
        found.setdefault(one.source, {})[one.quote.pair] = one.quote
    return list(found.items())


def newest_of_source(code: str, *, now: datetime, days: int) -> dict[Pair, Quote]:
    """Return the newest quotes of one source, however old up to so many days."""
    rows = (
        Rate.objects.filter(source__code=code, as_of__lte=now, as_of__gte=now - days * DAY)
        .order_by("base", "quote", "-as_of")
        .distinct("base", "quote")
        .select_related("source")
    )
    return {quote.pair: quote for quote in map(quote_of, rows)}


def quote_for(pair: Pair, *, now: datetime) -> Quote:
    """Return the price of a pair now, direct or computed, from the most trusted source that has it.

    One source is asked after the other, so that no cross mixes a fresh price with an old one
    where a single source has both; only then are sources mixed.

    Raises:
        RateMissing: nobody has a fresh one.
    """
    for _, quoted in books_by_source(now=now):
        found = quotes.find_quote(pair, quoted)
        if found is not None:
            return found
    return quotes.require_quote(pair, book(now=now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """An amount in another currency and why: the rate, its instant, and whose it is."""

    given: Money
    result: Money
    rate: Decimal
    at: datetime
    sources: tuple[str, ...]


def convert(money: Money, currency: str, *, now: datetime) -> Conversion:
    """Return `money` in `currency` at the middle rate, with where that comes from.

    Raises:
        RateMissing: nobody has a fresh rate. Nothing is assumed instead.
    """
    if money.currency == currency:
        return Conversion(given=money, result=money, rate=quotes.ONE, at=now, sources=())
    pair = Pair(money.currency, currency)
    quote = quote_for(pair, now=now)
    result, _ = quotes.converted(money, currency, {pair: quote})
    return Conversion(
        given=money, result=result, rate=quote.mid, at=quote.at, sources=quote.sources
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """A pair on the board; `quote` is None where nobody has a fresh one.

    `day_before` is the middle rate about a day earlier, `others` the fresh quotes of other sources.
    """

    pair: Pair
    quote: Quote | None
    day_before: Decimal | None
    others: tuple[Quote, ...]
    alarms: tuple[RateAlarm, ...]

    @property
    def change_pct(self) -> Decimal | None:
        """Return the change since the day before in percent."""
        if self.quote is None or not self.day_before:
            return None
        return (self.quote.mid - self.day_before) / self.day_before * quotes.PERCENT


def board(*, now: datetime, wanted: Sequence[Pair] = ()) -> list[BoardRow]:
    """Return the rate board: each pair against the dollar, and what else is asked for."""
    by_source = books_by_source(now=now)
    earlier = _day_before(now)
    alarms = list(open_alarms())
    return [_board_row(pair, by_source, earlier, alarms) for pair in (*board_pairs(), *wanted)]


def _board_row(
    pair: Pair,
    by_source: Sequence[tuple[str, Mapping[Pair, Quote]]],
    earlier: Mapping[Pair, Quote],
    alarms: Sequence[RateAlarm],
) -> BoardRow:
    found = [one for _, quoted in by_source if (one := quotes.find_quote(pair, quoted))]
    if not found:
        mixed = {other: one for _, quoted in reversed(by_source) for other, one in quoted.items()}
        found = [one for one in (quotes.find_quote(pair, mixed),) if one is not None]
    before = quotes.find_quote(pair, earlier)
    return BoardRow(
        pair=pair,
        quote=found[0] if found else None,
        day_before=before.mid if before else None,
        others=tuple(found[1:]),
        alarms=tuple(alarm for alarm in alarms if alarm.pair == str(pair)),
    )


def _day_before(now: datetime) -> dict[Pair, Quote]:
    """Return the newest quote of each pair that is a day old, looking back over a long weekend."""
    rows = (
        Rate.objects.filter(as_of__lte=now - DAY, as_of__gte=now - 5 * DAY)
        .order_by("base", "quote", "-as_of", "source__priority")
        .distinct("base", "quote")
        .select_related("source")
    )
    return {Pair(rate.base, rate.quote): quote_of(rate) for rate in rows}


def open_alarms() -> QuerySet[RateAlarm]:
    """Return the alarms about rates that stand now."""
    return RateAlarm.objects.filter(closed_at=None)


def alarms() -> QuerySet[RateAlarm]:
    """Return all alarms about rates, newest first."""
    return RateAlarm.objects.all()


def rates() -> QuerySet[Rate]:
    """Return every rate, newest first."""
    return Rate.objects.select_related("source", "delivery")


def deliveries() -> QuerySet[RateDelivery]:
    """Return what came in, newest first."""
    return RateDelivery.objects.select_related("source")


def daily(pair: Pair, *, now: datetime, days: int) -> list[tuple[datetime, Decimal]]:
    """Return one middle rate a day of a pair, oldest first: the day's last, direct or a cross."""
    since = now - timedelta(days=min(days, HISTORY_DAYS_MAX))
    rows = (
        Rate.objects.filter(as_of__gte=since, as_of__lte=now)
        .filter(base__in=(*pair.currencies, "EUR", USD), quote__in=(*pair.currencies, "EUR", USD))
        # The session's zone is UTC; a zone as parameter would make two expressions of one.
        .annotate(day=Cast("as_of", DateField()))
        .order_by("day", "base", "quote", "-as_of", "source__priority")
        .distinct("day", "base", "quote")
        .select_related("source")
    )
    found: list[tuple[datetime, Decimal]] = []
    for _, day_rates in groupby(rows, key=lambda rate: rate.as_of.date()):
        quoted = {one.pair: one for one in map(quote_of, day_rates)}
        price = quotes.find_quote(pair, quoted)
        if price is not None:
            found.append((price.at, price.mid))
    return found
