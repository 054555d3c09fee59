"""Reads of the market of an instant: spot however old, points, interest, and forwards from them."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cached_property
from itertools import groupby
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from calendars import selectors as calendars
from calendars.engine.days import BusinessCalendar
from calendars.errors import CalendarUnknown
from core.tenancy import once_per_transaction
from fx.constants import CLOCK_SKEW, FIXING_SOURCE, MARK_AGE_MAX, MARK_DAYS_MAX
from fx.engine import curves, quotes
from fx.engine.curves import FACTOR_UNIT, PRECISION, Curve, Interest, MidLine, middle
from fx.engine.dates import Centres, spot_date, trade_date
from fx.engine.hours import open_time
from fx.engine.pairs import USD, Pair, pair_of
from fx.engine.quotes import ONE, Points, Quote
from fx.errors import CurveEnds, CurveMissing, RateMissing
from fx.models import ForwardPoint, Rate
from fx.selectors import rates

AT_SPOT: Final = "SPOT"
BY_POINTS: Final = "POINTS"
BY_INTEREST: Final = "INTEREST"
BY_CROSS: Final = "CROSS"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsSet:
    """The points of a pair from one source, by tenor; `at` is the instant of the oldest one."""

    pair: Pair
    quoted: Mapping[str, Points]
    source: str
    at: datetime
    is_fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestSet:
    """The interest of a currency from one source, by tenor."""

    currency: str
    quoted: Mapping[str, Decimal]
    source: str
    at: datetime
    is_fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """What a pair is dealt at for a date, not rounded, and why.

    `rule` is SPOT, POINTS, INTEREST (parity) or CROSS; `tenors` are the pillars around the date;
    `at` is the instant of the oldest part. `is_stale` is of the market, by its open hours.
    """

    pair: Pair
    day: date
    outright: Quote
    spot: Quote
    rule: str
    tenors: tuple[str, ...]
    sources: tuple[str, ...]
    at: datetime
    is_stale: bool

    @property
    def mid(self) -> Decimal:
        """Return the middle, ten places, half up."""
        return middle(self.outright)

    @property
    def points_mid(self) -> Decimal:
        """Return the middle points in pips."""
        return quotes.forward_points(middle(self.spot), self.mid, self.pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose spot and points a price is made of, how old the oldest part is, and if that is old."""

    sources: tuple[str, ...]
    at: datetime
    is_stale: bool


def points() -> QuerySet[ForwardPoint]:
    """Return all points that came in, newest first."""
    return ForwardPoint.objects.select_related("source", "delivery")


# The newest word of each source on each tenor of a week, the more trusted source first.
_POINTS: Final = """
SELECT DISTINCT ON (p.base, p.quote, s.priority, s.id, p.tenor)
       p.base, p.quote, s.code, s.age_minutes_max, p.tenor, p.as_of, p.bid, p.ask
  FROM fx_forwardpoint p JOIN fx_ratesource s ON s.id = p.source_id AND s.is_active
 WHERE p.as_of BETWEEN %(since)s AND %(until)s
 ORDER BY p.base, p.quote, s.priority, s.id, p.tenor, p.as_of DESC
"""
_INTEREST: Final = """
SELECT DISTINCT ON (i.currency, s.priority, s.id, i.tenor)
       i.currency, s.code, s.age_minutes_max, i.tenor, i.as_of, i.rate
  FROM fx_interestrate i JOIN fx_ratesource s ON s.id = i.source_id AND s.is_active
 WHERE i.as_of BETWEEN %(since)s AND %(until)s
 ORDER BY i.currency, s.priority, s.id, i.tenor, i.as_of DESC
"""


def _said(statement: str, at: datetime) -> list[tuple[Any, ...]]:
    facts = {"since": at - timedelta(days=MARK_DAYS_MAX), "until": at + CLOCK_SKEW}
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        return list(cursor.fetchall())


def _is_fresh(age_minutes_max: int, as_of: datetime, at: datetime) -> bool:
    return open_time(as_of, at) <= timedelta(minutes=age_minutes_max)


def points_at(at: datetime) -> dict[Pair, PointsSet]:
    """Return each pair's points at an instant: one source's, a fresh one's before others'."""
    found: dict[Pair, PointsSet] = {}
    for (base, quote, source, age_max), group in groupby(
        _said(_POINTS, at), key=lambda row: row[:4]
    ):
        kept = list(group)
        pair, oldest = Pair(base, quote), min(row[5] for row in kept)
        if pair in found and found[pair].is_fresh:
            continue
        one = PointsSet(
            pair=pair,
            quoted={tenor: Points(bid=bid, ask=ask) for *_, tenor, _, bid, ask in kept},
            source=source,
            at=oldest,
            is_fresh=_is_fresh(age_max, oldest, at),
        )
        if pair not in found or one.is_fresh:
            found[pair] = one
    return found


def interest_at(at: datetime) -> dict[str, InterestSet]:
    """Return each currency's interest at an instant, chosen as points are."""
    found: dict[str, InterestSet] = {}
    for (currency, source, age_max), group in groupby(
        _said(_INTEREST, at), key=lambda row: row[:3]
    ):
        kept = list(group)
        oldest = min(row[4] for row in kept)
        if currency in found and found[currency].is_fresh:
            continue
        one = InterestSet(
            currency=currency,
            quoted={tenor: rate for *_, tenor, _, rate in kept},
            source=source,
            at=oldest,
            is_fresh=_is_fresh(age_max, oldest, at),
        )
        if currency not in found or one.is_fresh:
            found[currency] = one
    return found


def _any_age(at: datetime) -> dict[Pair, Quote]:
    """Return the newest quote of each pair whoever said it, up to a week old."""
    rows = (
        Rate.objects.filter(
            source__is_active=True,
            as_of__lte=at + CLOCK_SKEW,
            as_of__gte=at - timedelta(days=MARK_DAYS_MAX),
        )
        .exclude(source__code=FIXING_SOURCE)
        .order_by("base", "quote", "-as_of", "source__priority")
        .distinct("base", "quote")
        .select_related("source")
    )
    return {quote.pair: quote for quote in map(rates.quote_of, rows)}


def calendars_by_currency() -> dict[str, BusinessCalendar]:
    """Return the calendar that settles each currency, read once in a transaction."""
    return once_per_transaction(
        "fx settlement calendars",
        lambda: {one.currency: one for one in calendars.settlement_calendars().values()},
    )


@dataclass(kw_only=True)
class Market:
    """Everything that is known about the market at an instant, read once, asked often.

    Fresh rates come first and by trust, as everywhere; what nobody has fresh is taken from the
    newest rate of the week, and called stale.
    """

    at: datetime
    _spots: dict[Pair, Quote | None] = field(default_factory=dict)
    _curves: dict[Pair, Curve] = field(default_factory=dict)
    _interests: dict[tuple[Pair, str], Interest] = field(default_factory=dict)
    _centres: dict[Pair, Centres] = field(default_factory=dict)
    _spot_dates: dict[Pair, date] = field(default_factory=dict)
    _old: dict[datetime, bool] = field(default_factory=dict)
    _dollars: dict[str, Decimal] = field(default_factory=dict)
    _origins: dict[tuple[Pair, str], Origin] = field(default_factory=dict)

    @cached_property
    def _by_source(self) -> list[tuple[str, dict[Pair, Quote]]]:
        return rates.books_by_source(now=self.at)

    @cached_property
    def _newest(self) -> dict[Pair, Quote]:
        return _any_age(self.at)

    @cached_property
    def points(self) -> dict[Pair, PointsSet]:
        """Return the points of every pair that has some."""
        return points_at(self.at)

    @cached_property
    def interest(self) -> dict[str, InterestSet]:
        """Return the interest of every currency that has some."""
        return interest_at(self.at)

    @cached_property
    def _calendars(self) -> dict[str, BusinessCalendar]:
        return calendars_by_currency()

    def spot(self, pair: Pair) -> Quote:
        """Return the spot price of a pair, fresh or the newest of the week.

        Raises:
            RateMissing: nobody said anything for a week.
        """
        if pair not in self._spots:
            self._spots[pair] = self._find_spot(pair)
        found = self._spots[pair]
        if found is None:
            raise RateMissing(f"Nobody has had a rate for {pair} for a week.", pair=str(pair))
        return found

    def _find_spot(self, pair: Pair) -> Quote | None:
        for _, quoted in self._by_source:
            found = quotes.find_quote(pair, quoted)
            if found is not None:
                return found
        mixed = {
            other: one for _, quoted in reversed(self._by_source) for other, one in quoted.items()
        }
        return quotes.find_quote(pair, mixed) or quotes.find_quote(pair, self._newest)

    def usd_per(self, currency: str) -> Decimal:
        """Return the dollars for a unit of a currency at the middle of spot, sixteen places.

        Raises:
            RateMissing: nobody said anything for a week.
        """
        if currency == USD:
            return ONE
        if currency not in self._dollars:
            pair = pair_of(currency, USD)
            mid = middle(self.spot(pair))
            with localcontext(PRECISION):
                usd = mid if pair.quote == USD else ONE / mid
                self._dollars[currency] = usd.quantize(FACTOR_UNIT, ROUND_HALF_UP)
        return self._dollars[currency]

    def is_old(self, at: datetime) -> bool:
        """Tell whether a price is older than fifteen minutes of open market."""
        if at not in self._old:
            self._old[at] = open_time(at, self.at) > MARK_AGE_MAX
        return self._old[at]

    def spot_date(self, pair: Pair) -> date:
        """Return the spot date of a pair on the trading day of the instant.

        Raises:
            CalendarUnknown, CalendarCoverageError: it is not known.
        """
        if pair not in self._spot_dates:
            self._spot_dates[pair] = spot_date(self.centres(pair), trade_date(pair, self.at))
        return self._spot_dates[pair]

    def centres(self, pair: Pair) -> Centres:
        """Return a pair with the calendars that date it.

        Raises:
            CalendarUnknown: a currency has none.
        """
        if pair not in self._centres:
            wanted = dict.fromkeys((*pair.currencies, USD))
            for one in wanted:
                if one not in self._calendars:
                    raise CalendarUnknown(f"No calendar settles {one}.", currency=one)
            known = {one: self._calendars[one] for one in wanted}
            self._centres[pair] = Centres(pair=pair, calendars=known)
        return self._centres[pair]

    def curve(self, pair: Pair) -> Curve:
        """Return the points of a pair by date.

        Raises:
            CurveMissing: nobody said any within a week.
            CalendarUnknown, CalendarCoverageError: its dates are not known.
        """
        if pair not in self._curves:
            kept = self.points.get(pair)
            if kept is None:
                raise CurveMissing(f"There are no forward points of {pair}.", pair=str(pair))
            ordered = {one: kept.quoted[one] for one in curves.in_order(list(kept.quoted))}
            self._curves[pair] = curves.curve_of(
                self.centres(pair), trade_date(pair, self.at), ordered
            )
        return self._curves[pair]

    def interest_of(self, pair: Pair, currency: str) -> Interest:
        """Return the interest of a currency, dated by a pair's calendars; perhaps without pillars.

        Raises:
            CalendarUnknown, CalendarCoverageError: its dates are not known.
        """
        key = (pair, currency)
        if key not in self._interests:
            kept = self.interest.get(currency)
            quoted = kept.quoted if kept else {}
            self._interests[key] = curves.interest_of(
                self.centres(pair), trade_date(pair, self.at), currency, quoted
            )
        return self._interests[key]

    def forward(self, pair: Pair, day: date) -> Forward:
        """Return what a pair is dealt at for a date.

        By its points; without any by those of its inverse or of the pairs with the dollar or the
        euro that make it; else by the interest of both currencies.

        Raises:
            RateMissing, CurveMissing, CurveEnds: what is needed is not known.
            CalendarUnknown, CalendarCoverageError: dates are not known.
        """
        spot = self.spot(pair)
        if day == self.spot_date(pair):
            return self._made(pair, day, spot, AT_SPOT, ())
        if pair in self.points:
            curve = self.curve(pair)
            return self._made(
                pair, day, curves.outright(curve, spot, day), BY_POINTS, _around(curve, day)
            )
        crossed = self._crossed(pair, day)
        if crossed is not None:
            return self._made(pair, day, crossed, BY_CROSS, ())
        base, quote = (self.interest_of(pair, one) for one in pair.currencies)
        if not (base.pillars and quote.pillars):
            raise CurveMissing(
                f"There are no forward points of {pair}, nor interest of both.", pair=str(pair)
            )
        return self._made(pair, day, curves.at_parity(spot, base, quote, day), BY_INTEREST, ())

    def mids(self, pair: Pair) -> Callable[[date], tuple[Decimal, Origin]]:
        """Return what gives the middle of `forward` for many dates, and whose it is.

        It raises what `forward` raises, and so does this.
        """
        if pair not in self.points:
            return lambda day: self._mid(pair, day)
        spot_day, line = self.spot_date(pair), MidLine(self.curve(pair), self.spot(pair))
        origin = self._origin(pair, BY_POINTS)
        return lambda day: self._mid(pair, day) if day == spot_day else (line.on(day), origin)

    def _mid(self, pair: Pair, day: date) -> tuple[Decimal, Origin]:
        made = self.forward(pair, day)
        return made.mid, self._origin(pair, made.rule)

    def _crossed(self, pair: Pair, day: date) -> Quote | None:
        """Return the outright from those of other pairs with points; None where none lead there."""
        legs = self._legs(pair)
        if not legs:
            return None
        book = {one: curves.outright(self.curve(one), self.spot(one), day) for one in legs}
        return quotes.find_quote(pair, book)

    def _legs(self, pair: Pair) -> list[Pair]:
        """Return the pairs with points that a pair is computed from; none where none lead there."""
        named = {
            one: Quote(pair=one, bid=ONE, ask=ONE, at=self.at, sources=(str(one),))
            for one in self.points
        }
        path = quotes.find_quote(pair, named)
        return [] if path is None else [one for one in named if str(one) in path.sources]

    def _made(
        self, pair: Pair, day: date, outright: Quote, rule: str, tenors: tuple[str, ...]
    ) -> Forward:
        spot, origin = self.spot(pair), self._origin(pair, rule)
        return Forward(
            pair=pair,
            day=day,
            outright=outright,
            spot=spot,
            rule=rule,
            tenors=tenors,
            sources=origin.sources,
            at=min(origin.at, outright.at),
            is_stale=origin.is_stale,
        )

    def _origin(self, pair: Pair, rule: str) -> Origin:
        key = (pair, rule)
        if key not in self._origins:
            spot, used = self.spot(pair), self._points_used(pair, rule)
            self._origins[key] = Origin(
                sources=tuple(dict.fromkeys((*spot.sources, *(one.source for one in used)))),
                at=min([spot.at, *(one.at for one in used)]),
                is_stale=self.is_old(spot.at) or not all(one.is_fresh for one in used),
            )
        return self._origins[key]

    def _points_used(self, pair: Pair, rule: str) -> list[PointsSet | InterestSet]:
        match rule:
            case "POINTS":
                return [self.points[pair]]
            case "INTEREST":
                return [self.interest[one] for one in pair.currencies]
            case "CROSS":
                return [self.points[one] for one in self._legs(pair)]
        return []


def _around(curve: Curve, day: date) -> tuple[str, ...]:
    """Return the tenors of the pillars that a date lies between."""
    place = bisect_left(curve.pillars, day, key=lambda one: one.day)
    far = curve.pillars[place]
    return (far.tenor,) if far.day == day else (curve.pillars[place - 1].tenor, far.tenor)


def forward_rate(pair: Pair, day: date, *, at: datetime) -> Forward:
    """Return what a pair is dealt at for a date, as the market stood at an instant.

    Raises:
        RateMissing, CurveMissing, CurveEnds: what is needed is not known; nothing is assumed.
        CalendarUnknown, CalendarCoverageError: dates are not known.
    """
    return Market(at=at).forward(pair, day)


def fresh_outright(pair: Pair, day: date, *, at: datetime) -> Quote | None:
    """Return the outright of a date by fresh points; None where there are none.

    Interest alone does not count: it is nobody's price.
    """
    market = Market(at=at)
    try:
        found = market.forward(pair, day)
    except (RateMissing, CurveMissing, CurveEnds):
        return None
    is_price = found.rule in (BY_POINTS, BY_CROSS) and not found.is_stale
    return found.outright if is_price else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One pillar of a pair's curve as people read it, with its outright."""

    tenor: str
    day: date
    points: Points
    outright: Quote


def shown_curve(pair: Pair, market: Market) -> list[CurvePoint]:
    """Return a pair's curve from the first pillar to the last one; spot among them.

    Raises:
        RateMissing, CurveMissing: there is none.
        CalendarUnknown, CalendarCoverageError: its dates are not known.
    """
    curve, spot = market.curve(pair), market.spot(pair)
    return [
        CurvePoint(
            tenor=one.tenor,
            day=one.day,
            points=one.points,
            outright=curves.outright(curve, spot, one.day),
        )
        for one in curve.pillars
    ]
