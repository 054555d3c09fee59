"""Take rates in: all of a delivery or nothing, each with where it comes from; then hand down."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Final

import structlog
from django.db import transaction

from core import clock, policies
from core.errors import Forbidden, Invalid
from core.events import publish
from core.identity.models import User
from core.identity.roles import INTEGRATION, RISK_OFFICER, STATIC_DATA
from fx.constants import CLOCK_SKEW, HAND_DOWN_EVERY, MOVE_WINDOW, RATE_PLACES, ROWS_MAX
from fx.engine import quotes
from fx.engine.pairs import USD, Pair
from fx.engine.quotes import Limits, Quote
from fx.errors import RateMissing, RatesRefused
from fx.events import RatesUpdated
from fx.models import Rate, RateDelivery, RateSource, SourceKind
from fx.policies import FX_MOVE_PCT_MAX
from fx.selectors import rates as reads
from treasury.errors import RateRefused
from treasury.selectors import accounts
from treasury.services import rates as dollar_rates

logger = structlog.get_logger(__name__)

# Nobody who deals says what the market is: off-market deals are measured against it.
KEEPERS: Final = (INTEGRATION, RISK_OFFICER, STATIC_DATA)
# What these say is for now; files and reference rates may be about the past.
_LIVE: Final = frozenset({SourceKind.FEED, SourceKind.API})
_FINDINGS_SHOWN_MAX: Final = 50
_ANY_AGE: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateIn:
    """A rate as it came in; `row` counts from 1 for people."""

    row: int
    pair: Pair
    bid: Decimal
    ask: Decimal
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a delivery comes from: the source's code, what it was called, and its bytes."""

    source: str
    name: str
    data: bytes
    received_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a delivery; `new` is 0 for one that came again."""

    delivery: RateDelivery | None
    new: int
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFinding:
    """What is wrong with one row."""

    row: int
    code: str
    words: str


def require_keeper(actor: User) -> None:
    """Refuse people who may not bring rates in.

    Raises:
        Forbidden: this person may not.
    """
    if not actor.has_role(*KEEPERS):
        raise Forbidden(
            "Rates come from integrations, risk officers and static data, not from who deals."
        )


@transaction.atomic
def record_rates(*, origin: Origin, rates: Sequence[RateIn]) -> Taken:
    """Record a delivery: all its rates, or none. What is known already changes nothing.

    Raises:
        SourceUnknown: there is no such active source.
        Invalid: no rates, or too many.
        RatesRefused: at least one cannot be right; names every such row.
    """
    if not 0 < len(rates) <= ROWS_MAX:
        raise Invalid(f"A delivery has 1 to {ROWS_MAX:,} rates.", field="rates")
    source = reads.require_source(origin.source)
    known, found = _check(source, rates, clock.now())
    if found:
        first = found[0]
        raise RatesRefused(
            f"{len(found)} of {len(rates)} rates cannot be right; nothing was recorded."
            f" Row {first.row}: {first.words}",
            field=f"rates[{first.row}]",
            findings=[
                {"row": one.row, "code": one.code, "message": one.words}
                for one in found[:_FINDINGS_SHOWN_MAX]
            ],
        )
    new = [rate for rate in rates if _key(rate) not in known]
    if not new:
        return Taken(delivery=None, new=0, known=len(rates))
    return _kept(source, origin, new, known_count=len(rates) - len(new))


def _kept(source: RateSource, origin: Origin, new: list[RateIn], *, known_count: int) -> Taken:
    now = clock.now()
    delivery = RateDelivery.objects.create(
        source=source,
        name=origin.name,
        sha256=sha256(origin.data).hexdigest(),
        received_at=now,
        received_from=origin.received_from,
        rates_count=len(new),
    )
    Rate.objects.bulk_create(
        Rate(
            source=source,
            delivery=delivery,
            base=one.pair.base,
            quote=one.pair.quote,
            bid=one.bid.quantize(RATE_PLACES),
            ask=one.ask.quantize(RATE_PLACES),
            as_of=one.as_of,
        )
        for one in new
    )
    pairs = sorted({str(one.pair) for one in new})
    publish(RatesUpdated(source=source.code, pairs=pairs, at=now))
    hand_down(now=now)
    return Taken(delivery=delivery, new=len(new), known=known_count)


def _key(rate: RateIn) -> tuple[str, str, datetime]:
    return rate.pair.base, rate.pair.quote, rate.as_of


_Known = dict[tuple[str, str, datetime], tuple[Decimal, Decimal]]


def _check(
    source: RateSource, rates: Sequence[RateIn], now: datetime
) -> tuple[_Known, list[RowFinding]]:
    known = _known(source, rates)
    books = _books(source, rates, known)
    last: dict[Pair, Quote] = {}
    limits = Limits(
        age_max=timedelta(minutes=source.age_minutes_max) if source.kind in _LIVE else _ANY_AGE,
        ahead_max=CLOCK_SKEW,
        move_max=policies.get(FX_MOVE_PCT_MAX),
    )
    found: list[RowFinding] = []
    for rate in sorted(rates, key=lambda one: one.as_of):
        quote = Quote(pair=rate.pair, bid=rate.bid, ask=rate.ask, at=rate.as_of)
        booked = _before(books.get(rate.pair, []), rate.as_of)
        near = [one for one in (booked, last.get(rate.pair)) if one and _is_near(quote, one)]
        newest = max(near, key=lambda one: one.at, default=None)
        wrong = quotes.faults(quote, now=now, limits=limits, last=newest)
        if not wrong:
            # Not step by step either: no row of a delivery may lie further from what was known.
            wrong = [one for one in (quotes.moved(quote, old, limits) for old in near) if one]
        found += [RowFinding(row=rate.row, code=one.fault, words=one.words) for one in wrong]
        if not wrong:
            last[rate.pair] = quote
            found += _other_than_known(rate, known)
    return known, sorted(found, key=lambda one: one.row)


def _other_than_known(rate: RateIn, known: _Known) -> list[RowFinding]:
    """Refuse another rate for an instant that has one, from the books or from the same delivery."""
    sides = (rate.bid.quantize(RATE_PLACES), rate.ask.quantize(RATE_PLACES))
    there = known.get(_key(rate))
    if there is None or there == sides:
        return []
    words = f"{rate.pair} of {rate.as_of:%Y-%m-%d %H:%M:%S} is known as {there[0]:f}–{there[1]:f}."
    return [RowFinding(row=rate.row, code="DIFFERENT", words=words)]


def _known(source: RateSource, rates: Sequence[RateIn]) -> _Known:
    times = {rate.as_of for rate in rates}
    rows = Rate.objects.filter(source=source, as_of__gte=min(times), as_of__lte=max(times))
    return {
        (base, quote, as_of): (bid, ask)
        for base, quote, as_of, bid, ask in rows.values_list("base", "quote", "as_of", "bid", "ask")
    }


def _books(source: RateSource, rates: Sequence[RateIn], known: _Known) -> dict[Pair, list[Quote]]:
    """Return what was known of each pair before the delivery, oldest first."""
    first = min(rate.as_of for rate in rates)
    rows = (
        Rate.objects.filter(source=source, as_of__lt=first, as_of__gte=first - MOVE_WINDOW)
        .order_by("base", "quote", "-as_of")
        .distinct("base", "quote")
    )
    found = known | {(row.base, row.quote, row.as_of): (row.bid, row.ask) for row in rows}
    books: dict[Pair, list[Quote]] = defaultdict(list)
    for (base, quote, at), (bid, ask) in sorted(found.items(), key=lambda one: one[0][2]):
        pair = Pair(base, quote)
        books[pair].append(Quote(pair=pair, bid=bid, ask=ask, at=at))
    return books


def _before(known: Sequence[Quote], at: datetime) -> Quote | None:
    place = bisect_left(known, at, key=lambda one: one.at)
    return known[place - 1] if place else None


def _is_near(quote: Quote, before: Quote) -> bool:
    return quote.at - before.at <= MOVE_WINDOW


def hand_down(*, now: datetime) -> list[str]:
    """Give the treasury what each currency is worth in dollars; return the currencies given.

    The treasury needs no ticks: a rate follows the one before it after five minutes. A currency
    without a fresh rate is left alone, and grows too old there by itself.
    """
    known = accounts.usd_rates(now=now)
    given: list[str] = []
    for currency in reads.currencies():
        if currency == USD:
            continue
        try:
            quote = reads.quote_for(Pair(currency, USD), now=now)
        except RateMissing:
            continue
        before = known.get(currency)
        if before is not None and quote.at - before.as_of < HAND_DOWN_EVERY:
            continue
        try:
            dollar_rates.record_usd_rate(
                currency=currency,
                usd_per_unit=quote.mid,
                as_of=quote.at,
                source="/".join(("fx", *quote.sources))[:40],
            )
        except RateRefused as refusal:  # somebody else said something else for that instant
            logger.warning("rate_not_handed_down", currency=currency, code=refusal.code)
            continue
        given.append(currency)
    return given
