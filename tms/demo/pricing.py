"""Rates of a demo: a year of reference rates, and a sandbox feed that ticks while it runs.

The feed is made up: around the last reference rate it swings by less than a percent, the same at
the same instant. The dirham stays on its peg.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from core import clock
from core.errors import DomainError
from core.tenancy import bound
from fx.engine.pairs import USD, Pair, pair_of
from fx.engine.quotes import find_quote, rounded_rate
from fx.selectors import rates as reads
from fx.services.rates import Origin, RateIn, record_rates
from fx.services.reference import take_reference_rates
from fx.services.sources import FEED, FILE
from tms.demo.places import people_facts

ACTOR: Final = "system:demo-feed"
DAYS: Final = 365
SATURDAY: Final = 5
LONDON_CLOSE: Final = time(16)
LONDON: Final = ZoneInfo("Europe/London")
# Where no reference rate reaches: good enough to practise with.
_ANCHORS: Final = {
    "EUR/USD": Decimal("1.1540"),
    "GBP/USD": Decimal("1.3120"),
    "USD/AED": Decimal("3.6725"),
    "USD/INR": Decimal("88.6500"),
}
_HALF_SPREAD: Final = {"USD/AED": Decimal("0.00005"), "USD/INR": Decimal("0.0050")}
_HALF_SPREAD_USUAL: Final = Decimal("0.0001")
_SLOW_HOURS: Final = 74.0
_QUICK_HOURS: Final = 7.3
_SLOW_SWING: Final = 0.003
_QUICK_SWING: Final = 0.0015
_NOISE: Final = 0.0002
_ANCHOR_DAYS: Final = 60


def take_the_past(*, now: datetime) -> int:
    """Record a year: reference rates as far as they are shipped, made-up closes for the rest."""
    taken = 0
    with suppress(DomainError):  # a clock far from what the package ships: all closes are made up
        taken = take_reference_rates(days=DAYS).new
    closes = list(_closes(now))
    origin = Origin(
        source=FILE, name="demo closes", data=repr(closes).encode(), received_from="demo"
    )
    return taken + record_rates(origin=origin, rates=closes).new


def _closes(now: datetime) -> Iterator[RateIn]:
    """Yield London's closes that reference rates do not cover: the dirham's, and the newest."""
    anchors = _anchors(now)
    last = reads.rates().order_by("-as_of").first()
    known_until = last.as_of if last else now - timedelta(days=DAYS)
    row = 0
    for back in range(DAYS, 0, -1):
        day = now.date() - timedelta(days=back)
        at = datetime.combine(day, LONDON_CLOSE, LONDON)
        for pair, anchor in anchors.items():
            is_new = at > known_until or "AED" in pair.currencies
            if is_new and day.weekday() < SATURDAY and at < now:
                row += 1
                yield _price(row, pair, anchor, at)


def tick(*, now: datetime) -> int:
    """Let the feed of the bound tenant say what every pair is worth now; return the new rates."""
    rates = [
        _price(row, pair, anchor, now)
        for row, (pair, anchor) in enumerate(_anchors(now).items(), start=1)
    ]
    data = repr(rates).encode()
    origin = Origin(source=FEED, name="sandbox feed", data=data, received_from="sandbox feed")
    return record_rates(origin=origin, rates=rates).new


def tick_everywhere() -> None:
    """Let the feeds of all demo tenants tick."""
    for row in people_facts().get("tenants", []):
        with bound(UUID(row["tenant"]), actor=ACTOR):
            tick(now=clock.now())


def _anchors(now: datetime) -> dict[Pair, Decimal]:
    """Return what each pair swings around: its newest reference rate, else a constant."""
    pairs = [pair_of(currency, USD) for currency in reads.currencies() if currency != USD]
    return {pair: _reference(pair, now) or _ANCHORS[str(pair)] for pair in pairs}


def _reference(pair: Pair, now: datetime) -> Decimal | None:
    found = reads.newest_of_source("ECB", now=now, days=_ANCHOR_DAYS)
    quote = find_quote(pair, found)
    return quote.mid if quote else None


def _price(row: int, pair: Pair, anchor: Decimal, at: datetime) -> RateIn:
    swing = 0.0 if "AED" in pair.currencies else _swing(pair, at)
    middle = anchor * Decimal(repr(1 + swing))
    half = _HALF_SPREAD.get(str(pair), _HALF_SPREAD_USUAL)
    return RateIn(
        row=row,
        pair=pair,
        bid=rounded_rate(middle - half, pair),
        ask=rounded_rate(middle + half, pair),
        as_of=at,
    )


def _swing(pair: Pair, at: datetime) -> float:
    hours = at.timestamp() / 3_600
    phase = Random(str(pair)).random() * math.tau  # noqa: S311 - a made-up market
    noise = Random(f"{pair} {at.isoformat()}").gauss(0, _NOISE)  # noqa: S311
    slow = _SLOW_SWING * math.sin(math.tau * hours / _SLOW_HOURS + phase)
    return slow + _QUICK_SWING * math.sin(math.tau * hours / _QUICK_HOURS + phase) + noise
