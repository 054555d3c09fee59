"""Forward curves: points in pips by tenor, interest by tenor, and what lies between their dates.

**Points are linear in calendar days between pillars, from nought at spot.** ON and TN lead to dates
before spot: there the points are taken off, and their sides change places. A tenor's date counts
from the spot date of the day that is looked at, also where the points themselves are older. Before
the first pillar and beyond the last one nothing is known: an error, nothing is extrapolated.

**Interest is simple, on actual days over the currency's own year, linear in days between pillars**,
flat from spot to the first one. A discount factor counts from spot, the date on which the spot rate
itself changes one currency into the other.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

from fx.engine.dates import (
    Centres,
    cash_date,
    forward_date,
    parse_tenor,
    short_period,
    spot_date,
    tom_date,
)
from fx.engine.quotes import ONE, TWO, Points, Quote, year_days
from fx.errors import CurveEnds, CurveMissing, InterestMissing, TenorEmpty

PRECISION: Final = Context(prec=60)
# What is kept of a rate, and of a factor.
RATE_UNIT: Final = Decimal("1E-10")
FACTOR_UNIT: Final = Decimal("1E-16")
NOTHING: Final = Points(bid=Decimal(0), ask=Decimal(0))
ON: Final = "ON"
TN: Final = "TN"
SN: Final = "SN"
BEFORE_SPOT: Final = (ON, TN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pillar:
    """The points from spot to a date."""

    tenor: str
    day: date
    points: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The points of a pair on a trading day: pillars by date, spot among them."""

    centres: Centres
    spot: date
    pillars: tuple[Pillar, ...]

    @property
    def first(self) -> date:
        """Return the first date that the curve knows."""
        return self.pillars[0].day

    @property
    def last(self) -> date:
        """Return the last date that the curve knows."""
        return self.pillars[-1].day


def require_tenor(tenor: str) -> str:
    """Return a tenor that points or interest may have: ON, TN, SN, 10D, 1W, 3M, 1Y.

    Raises:
        TenorUnknown: another form.
    """
    if tenor not in (*BEFORE_SPOT, SN):
        parse_tenor(tenor)
    return tenor


def _tenor_date(centres: Centres, trade: date, spot: date, tenor: str) -> date:
    if tenor == SN:
        return short_period(centres, trade, SN).far
    return forward_date(centres, spot, parse_tenor(tenor))


def curve_of(centres: Centres, trade: date, quoted: Mapping[str, Points]) -> Curve:
    """Return the curve of a trading day from points by tenor.

    Where two tenors fall on one date, the one that was given first counts.

    Raises:
        TenorUnknown: a tenor that nobody deals in.
        CalendarCoverageError: a calendar does not reach so far.
    """
    spot = spot_date(centres, trade)
    found = {spot: Pillar(tenor="SPOT", day=spot, points=NOTHING)}
    for tenor, points in quoted.items():
        if tenor not in BEFORE_SPOT:
            day = _tenor_date(centres, trade, spot, tenor)
            found.setdefault(day, Pillar(tenor=tenor, day=day, points=points))
    for pillar in _before_spot(centres, trade, quoted):
        found.setdefault(pillar.day, pillar)
    return Curve(
        centres=centres, spot=spot, pillars=tuple(sorted(found.values(), key=lambda one: one.day))
    )


def _before_spot(centres: Centres, trade: date, quoted: Mapping[str, Points]) -> list[Pillar]:
    """Return tom and cash as far as TN and ON are known, one period taken off after the other."""
    if not any(tenor in quoted for tenor in BEFORE_SPOT):
        return []
    tom, cash = tom_date(centres, trade), cash_date(centres, trade)
    found: list[Pillar] = []
    so_far = NOTHING
    for tenor, day in ((TN, tom), (ON, cash)):
        try:
            short_period(centres, trade, tenor)
        except TenorEmpty:  # as USD/CAD never has TN: tom is spot
            continue
        points = quoted.get(tenor)
        if points is None:
            break
        so_far = Points(bid=so_far.bid - points.ask, ask=so_far.ask - points.bid)
        found.append(Pillar(tenor=tenor, day=day, points=so_far))
    return found


class MidLine:
    """The middle of the outrights of a pair by date, for many dates: `middle` of `outright`.

    The middle of two straight lines is one: it is bent at the pillars and rounded once. `mids`
    are the middles of its pillars on `days`, not rounded.
    """

    def __init__(self, curve: Curve, spot: Quote) -> None:
        self._curve = curve
        self.days = [one.day for one in curve.pillars]
        pip = curve.centres.pair.pip
        with localcontext(PRECISION):
            self.mids = [
                (spot.bid + spot.ask + (one.points.bid + one.points.ask) * pip) / TWO
                for one in curve.pillars
            ]

    def on(self, day: date) -> Decimal:
        """Return the middle of a date, ten places, half up.

        Raises:
            CurveMissing, CurveEnds: the curve does not know the date.
        """
        days = self.days
        if not days[0] <= day <= days[-1]:
            points_on(self._curve, day)  # says what is missing
        place = bisect_left(days, day)
        found = self.mids[place]
        if days[place] != day:
            near = days[place - 1]
            found = _between(
                self.mids[place - 1], found, (day - near).days, (days[place] - near).days
            )
        return found.quantize(RATE_UNIT, ROUND_HALF_UP, PRECISION)


def points_on(curve: Curve, day: date) -> Points:
    """Return the points from spot to a date, linear in days between the pillars around it.

    Raises:
        CurveMissing: the date lies before spot, and ON or TN is not known.
        CurveEnds: it lies beyond the last pillar.
    """
    pair = curve.centres.pair
    if day < curve.first:
        raise CurveMissing(
            f"{pair}: no ON or TN points lead to {day}, before spot {curve.spot}.", pair=str(pair)
        )
    if day > curve.last:
        raise CurveEnds(f"{pair}: the points end on {curve.last}, before {day}.", pair=str(pair))
    place = bisect_left(curve.pillars, day, key=lambda one: one.day)
    far = curve.pillars[place]
    if far.day == day:
        return far.points
    near = curve.pillars[place - 1]
    share = (day - near.day).days, (far.day - near.day).days
    return Points(
        bid=_between(near.points.bid, far.points.bid, *share),
        ask=_between(near.points.ask, far.points.ask, *share),
    )


def _between(near: Decimal, far: Decimal, days: int, of: int) -> Decimal:
    rise = PRECISION.multiply(PRECISION.subtract(far, near), days)
    return PRECISION.add(near, PRECISION.divide(rise, of))


def outright(curve: Curve, spot: Quote, day: date) -> Quote:
    """Return the outright forward of a date: spot plus points, side by side, not rounded.

    Raises:
        CurveMissing, CurveEnds: the curve does not know the date.
    """
    points, pip = points_on(curve, day), curve.centres.pair.pip
    with localcontext(PRECISION):
        return replace(spot, bid=spot.bid + points.bid * pip, ask=spot.ask + points.ask * pip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Simple yearly interest of a currency from spot, by date; 0.04 is four percent."""

    currency: str
    spot: date
    pillars: tuple[tuple[date, Decimal], ...]


def interest_of(
    centres: Centres, trade: date, currency: str, quoted: Mapping[str, Decimal]
) -> Interest:
    """Return the interest of a currency on a trading day, dated by the calendars of a pair.

    Raises:
        TenorUnknown: a tenor that nobody deals in.
        CalendarCoverageError: a calendar does not reach so far.
    """
    spot = spot_date(centres, trade)
    dated: dict[date, Decimal] = {}
    for tenor, rate in quoted.items():
        if tenor not in BEFORE_SPOT:
            dated.setdefault(_tenor_date(centres, trade, spot, tenor), rate)
    return Interest(currency=currency, spot=spot, pillars=tuple(sorted(dated.items())))


def growth(interest: Interest, day: date) -> Decimal:
    """Return what a unit grows to from spot to a date: 1 + r · days / year; not rounded.

    Raises:
        InterestMissing: no interest of the currency is known.
        CurveEnds: the date lies beyond the last pillar.
    """
    if day <= interest.spot:
        return ONE
    rate = _interest_on(interest, day)
    gained = PRECISION.multiply(rate, (day - interest.spot).days)
    return PRECISION.add(ONE, PRECISION.divide(gained, year_days(interest.currency)))


def _interest_on(interest: Interest, day: date) -> Decimal:
    if not interest.pillars:
        raise InterestMissing(
            f"No interest of {interest.currency} is known: {day} cannot be discounted.",
            currency=interest.currency,
        )
    last = interest.pillars[-1][0]
    if day > last:
        raise CurveEnds(
            f"The interest of {interest.currency} ends on {last}, before {day}.",
            currency=interest.currency,
        )
    place = bisect_left(interest.pillars, (day,))
    far_day, far = interest.pillars[place]
    if far_day == day or place == 0:
        return far
    near_day, near = interest.pillars[place - 1]
    return _between(near, far, (day - near_day).days, (far_day - near_day).days)


def discount(interest: Interest, day: date) -> Decimal:
    """Return what a unit of a date is worth at spot, to sixteen places; 1 up to spot.

    Raises:
        InterestMissing, CurveEnds: the interest of that date is not known.
    """
    found = PRECISION.divide(ONE, growth(interest, day))
    return found.quantize(FACTOR_UNIT, ROUND_HALF_UP, PRECISION)


def at_parity(spot: Quote, base: Interest, quote: Interest, day: date) -> Quote:
    """Return the outright that interest alone makes: S · (1 + r_q·t_q) / (1 + r_b·t_b).

    Raises:
        InterestMissing, CurveEnds: interest of a currency is not known.
    """
    with localcontext(PRECISION):
        share = growth(quote, day) / growth(base, day)
        return replace(spot, bid=spot.bid * share, ask=spot.ask * share)


def middle(quote: Quote) -> Decimal:
    """Return the middle of a price as it is kept: ten places, half up."""
    found = PRECISION.divide(PRECISION.add(quote.bid, quote.ask), TWO)
    return found.quantize(RATE_UNIT, ROUND_HALF_UP, PRECISION)


def in_order(tenors: Sequence[str]) -> list[str]:
    """Return tenors from the shortest to the longest, as people read them."""
    return sorted(tenors, key=_length)


def _length(tenor: str) -> int:
    shorts = (*BEFORE_SPOT, SN)
    if tenor in shorts:
        return shorts.index(tenor) - len(shorts)
    found = parse_tenor(tenor)
    return found.days or found.months * 30
