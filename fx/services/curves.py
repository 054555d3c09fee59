"""Take points and interest in: all of a delivery or nothing, each with where it comes from."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction

from core import clock
from core.errors import DomainError, Invalid
from core.events import publish
from core.identity.models import User
from core.money import minor_units
from fx.constants import CLOCK_SKEW, FIXING_SOURCE, INTEREST_PLACES, POINTS_PLACES, ROWS_MAX
from fx.engine.curves import require_tenor
from fx.engine.pairs import Pair, parse_pair
from fx.errors import PointsRefused
from fx.events import RatesUpdated
from fx.models import ForwardPoint, InterestRate, RateDelivery, RateSource
from fx.selectors import rates as reads
from fx.services.rates import Origin, RateIn, RowFinding, Taken, record_rates, require_keeper
from fx.services.sources import FILE
from fx.services.uploading import NAME_CHARS_MAX, read_instant, rows_of, text_of

POINT_COLUMNS: Final = ("pair", "tenor", "bid", "ask", "as_of")
INTEREST_COLUMNS: Final = ("currency", "tenor", "rate", "as_of")
_SIGNED: Final = re.compile(r"[+-]?[0-9]{1,7}(\.[0-9]{1,8})?", re.ASCII)
_FINDINGS_MAX: Final = 50
# Points beyond a fifth of the base's worth, or interest beyond a half, are somebody's mistake.
POINTS_MAX: Final = Decimal(100_000)
INTEREST_MAX: Final = Decimal("0.5")
_FIXED_AT: Final = time(13, 30)
_MUMBAI: Final = ZoneInfo("Asia/Kolkata")


@dataclass(frozen=True, slots=True, kw_only=True)
class PointIn:
    """Points as they came in, in pips and signed; `row` counts from 1 for people."""

    row: int
    pair: Pair
    tenor: str
    bid: Decimal
    ask: Decimal
    as_of: datetime

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        """Return what has one value only."""
        return self.pair.base, self.pair.quote, self.tenor, self.as_of

    @property
    def kept(self) -> tuple[Decimal, ...]:
        """Return the value as it is kept."""
        return self.bid.quantize(POINTS_PLACES), self.ask.quantize(POINTS_PLACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestIn:
    """A currency's simple yearly interest as it came in: 0.04 is four percent."""

    row: int
    currency: str
    tenor: str
    rate: Decimal
    as_of: datetime

    @property
    def key(self) -> tuple[str, str, datetime]:
        """Return what has one value only."""
        return self.currency, self.tenor, self.as_of

    @property
    def kept(self) -> tuple[Decimal, ...]:
        """Return the value as it is kept."""
        return (self.rate.quantize(INTEREST_PLACES),)


@transaction.atomic
def record_points(*, origin: Origin, points: Sequence[PointIn]) -> Taken:
    """Record a delivery of forward points: all, or none. What is known already changes nothing.

    Raises:
        SourceUnknown: there is no such active source.
        Invalid: no points, or too many.
        PointsRefused: at least one cannot be right; names every such row.
    """
    _require_some(points)
    source = reads.require_source(origin.source)
    times = [one.as_of for one in points]
    rows = ForwardPoint.objects.filter(source=source, as_of__gte=min(times), as_of__lte=max(times))
    known = {
        (base, quote, tenor, as_of): (bid, ask)
        for base, quote, tenor, as_of, bid, ask in rows.values_list(
            "base", "quote", "tenor", "as_of", "bid", "ask"
        )
    }
    found = [fault for one in points for fault in _point_faults(one)]
    found += _other_than_known(points, known)
    _refuse(found, len(points))
    new = [one for one in points if one.key not in known]
    if not new:
        return Taken(delivery=None, new=0, known=len(points))
    delivery = _delivery(source, origin, len(new))
    ForwardPoint.objects.bulk_create(
        ForwardPoint(
            source=source,
            delivery=delivery,
            base=one.pair.base,
            quote=one.pair.quote,
            tenor=one.tenor,
            bid=one.kept[0],
            ask=one.kept[1],
            as_of=one.as_of,
        )
        for one in new
    )
    _tell(source, {str(one.pair) for one in new})
    return Taken(delivery=delivery, new=len(new), known=len(points) - len(new))


@transaction.atomic
def record_interest(*, origin: Origin, rates: Sequence[InterestIn]) -> Taken:
    """Record a delivery of interest: all, or none. What is known already changes nothing.

    Raises:
        SourceUnknown: there is no such active source.
        Invalid: no interest, or too much.
        PointsRefused: at least one cannot be right; names every such row.
    """
    _require_some(rates)
    source = reads.require_source(origin.source)
    times = [one.as_of for one in rates]
    rows = InterestRate.objects.filter(source=source, as_of__gte=min(times), as_of__lte=max(times))
    known = {
        (currency, tenor, as_of): (rate,)
        for currency, tenor, as_of, rate in rows.values_list("currency", "tenor", "as_of", "rate")
    }
    found = [fault for one in rates for fault in _interest_faults(one)]
    found += _other_than_known(rates, known)
    _refuse(found, len(rates))
    new = [one for one in rates if one.key not in known]
    if not new:
        return Taken(delivery=None, new=0, known=len(rates))
    delivery = _delivery(source, origin, len(new))
    InterestRate.objects.bulk_create(
        InterestRate(
            source=source,
            delivery=delivery,
            currency=one.currency,
            tenor=one.tenor,
            rate=one.kept[0],
            as_of=one.as_of,
        )
        for one in new
    )
    _tell(source, {one.currency for one in new})
    return Taken(delivery=delivery, new=len(new), known=len(rates) - len(new))


def record_fixing(*, pair: Pair, day: date, rate: Decimal, actor: User) -> Taken:
    """Record what non-deliverable forwards of a pair were fixed at on a day.

    Raises:
        Forbidden: this person may not bring rates in.
        SourceUnknown: fixings are no active source here.
        RatesRefused: it cannot be right.
    """
    require_keeper(actor)
    at = datetime.combine(day, _FIXED_AT, _MUMBAI)
    origin = Origin(
        source=FIXING_SOURCE,
        name=f"fixing {pair} {day:%Y-%m-%d}",
        data=f"{pair} {day:%Y-%m-%d} {rate}".encode(),
        received_from=actor.display_name[:80],
    )
    return record_rates(
        origin=origin, rates=[RateIn(row=1, pair=pair, bid=rate, ask=rate, as_of=at)]
    )


def upload_curves(*, name: str, data: bytes, actor: User) -> Taken:
    """Record a file: `pair,tenor,bid,ask,as_of`, or interest as `currency,tenor,rate,as_of`.

    Raises:
        Forbidden: this person may not bring rates in.
        Invalid: no CSV file, columns missing or unknown, too large.
        PointsRefused: rows that cannot be right, each named.
    """
    require_keeper(actor)
    origin = Origin(
        source=FILE, name=name[:NAME_CHARS_MAX], data=data, received_from=actor.display_name[:80]
    )
    words = text_of(data)
    if "currency" in words.partition("\n")[0].lower():
        return record_interest(origin=origin, rates=read_interest(words))
    return record_points(origin=origin, points=read_points(words))


def read_points(words: str) -> list[PointIn]:
    """Read forward points from CSV with comma or semicolon; row 1 names the columns.

    Raises:
        Invalid: not well-formed, columns missing or unknown.
        PointsRefused: rows that cannot be read, each named.
    """
    rows = rows_of(words, columns=POINT_COLUMNS, needed=POINT_COLUMNS)
    found, wrong = [], []
    for number, cells in rows:
        try:
            found.append(
                PointIn(
                    row=number,
                    pair=parse_pair(cells.get("pair", "")),
                    tenor=require_tenor(cells.get("tenor", "").upper()),
                    bid=read_signed(cells, name="bid"),
                    ask=read_signed(cells, name="ask"),
                    as_of=read_instant(cells.get("as_of", "")),
                )
            )
        except DomainError as refusal:
            wrong.append(RowFinding(row=number, code=refusal.code, words=refusal.message))
    _refuse(wrong, len(found) + len(wrong))
    return found


def read_interest(words: str) -> list[InterestIn]:
    """Read interest from CSV: a share a year, 0.04 for four percent.

    Raises:
        Invalid: not well-formed, columns missing or unknown.
        PointsRefused: rows that cannot be read, each named.
    """
    rows = rows_of(words, columns=INTEREST_COLUMNS, needed=INTEREST_COLUMNS)
    found, wrong = [], []
    for number, cells in rows:
        try:
            currency = cells.get("currency", "")
            minor_units(currency)
            found.append(
                InterestIn(
                    row=number,
                    currency=currency,
                    tenor=require_tenor(cells.get("tenor", "").upper()),
                    rate=read_signed(cells, name="rate"),
                    as_of=read_instant(cells.get("as_of", "")),
                )
            )
        except DomainError as refusal:
            wrong.append(RowFinding(row=number, code=refusal.code, words=refusal.message))
    _refuse(wrong, len(found) + len(wrong))
    return found


def read_signed(cells: Mapping[str, str], *, name: str) -> Decimal:
    """Read a signed decimal strictly: ASCII digits with a point, at most eight places.

    Raises:
        Invalid: another form; names the field.
    """
    text = cells.get(name, "")
    if not _SIGNED.fullmatch(text):
        raise Invalid(f"{name}: write a number like -12.5, not {text[:20]!r}.", field=name)
    return Decimal(text)


def _require_some(rows: Sequence[object]) -> None:
    if not 0 < len(rows) <= ROWS_MAX:
        raise Invalid(f"A delivery has 1 to {ROWS_MAX:,} rows.", field="rows")


def _point_faults(one: PointIn) -> list[RowFinding]:
    found = _time_faults(one)
    if not one.pair.is_conventional:
        words = f"The market writes {one.pair.inverse}; its points mean something else."
        found.append(RowFinding(row=one.row, code="PAIR", words=words))
    if one.bid > one.ask:
        words = f"The bid {one.bid} is above the ask {one.ask}: points are signed."
        found.append(RowFinding(row=one.row, code="CROSSED", words=words))
    if not all(side.is_finite() and abs(side) <= POINTS_MAX for side in (one.bid, one.ask)):
        words = f"Points lie between -{POINTS_MAX:,} and {POINTS_MAX:,} pips."
        return [*found, RowFinding(row=one.row, code="TOO_FAR", words=words)]
    if (one.bid, one.ask) != one.kept:
        words = "Points have at most four decimals of a pip."
        found.append(RowFinding(row=one.row, code="DIGITS", words=words))
    return found


def _interest_faults(one: InterestIn) -> list[RowFinding]:
    found = _time_faults(one)
    if not (one.rate.is_finite() and abs(one.rate) <= INTEREST_MAX):
        words = f"{one.rate} is no yearly share: write 0.04 for four percent."
        found.append(RowFinding(row=one.row, code="TOO_FAR", words=words))
    return found


def _time_faults(one: PointIn | InterestIn) -> list[RowFinding]:
    if one.as_of <= clock.now() + CLOCK_SKEW:
        return []
    words = f"Its time {one.as_of:%Y-%m-%d %H:%M} is to come."
    return [RowFinding(row=one.row, code="FUTURE", words=words)]


def _other_than_known(
    rows: Sequence[PointIn] | Sequence[InterestIn],
    known: Mapping[Any, tuple[Decimal, ...]],
) -> list[RowFinding]:
    """Refuse another value for an instant that has one, from the books or from this delivery."""
    found: list[RowFinding] = []
    seen: dict[Any, tuple[Decimal, ...]] = dict(known)
    again: set[Any] = set()
    for one in rows:
        if not all(abs(value) <= POINTS_MAX for value in _values(one)):
            continue
        there = seen.setdefault(one.key, one.kept)
        if there != one.kept or one.key in again:
            words = f"Row {one.row} says again, or otherwise, what {one.tenor} is at that instant."
            found.append(RowFinding(row=one.row, code="DIFFERENT", words=words))
        again.add(one.key)
    return found


def _values(one: PointIn | InterestIn) -> tuple[Decimal, ...]:
    return (one.bid, one.ask) if isinstance(one, PointIn) else (one.rate,)


def _refuse(found: Sequence[RowFinding], count: int) -> None:
    if not found:
        return
    ordered = sorted(found, key=lambda one: one.row)
    first = ordered[0]
    raise PointsRefused(
        f"{len(ordered)} of {count} rows cannot be right; nothing was recorded."
        f" Row {first.row}: {first.words}",
        field=f"rows[{first.row}]",
        findings=[
            {"row": one.row, "code": one.code, "message": one.words}
            for one in ordered[:_FINDINGS_MAX]
        ],
    )


def _delivery(source: RateSource, origin: Origin, count: int) -> RateDelivery:
    return RateDelivery.objects.create(
        source=source,
        name=origin.name,
        sha256=sha256(origin.data).hexdigest(),
        received_at=clock.now(),
        received_from=origin.received_from,
        rates_count=count,
    )


def _tell(source: RateSource, what: set[str]) -> None:
    publish(RatesUpdated(source=source.code, pairs=sorted(what), at=clock.now()))
