"""Dates between which neither the forward nor the interest of a pair bends.

Between two pillars a forward curve is a straight line of middles, and so is the interest that its
values are discounted with. Cut at the pillars of both, a pair's market is a dozen stretches of
dates; on each of them

    forward    F(t) = near + rise · (t − from) / days                    rounded to ten places
    discount   D(t) = 1 / (1 + r(t) · (t − spot) / year)                 rounded to sixteen places

with r(t) straight as F(t) is. Any date is priced by the one stretch that holds it, in SQL as well
(`fx.selectors.worth`); a date that none holds has no price. `MidLine` and `curves.discount` say the
same date by date: the two must agree in every digit.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from fx.engine.curves import PRECISION, Interest, MidLine
from fx.engine.quotes import year_days

# Numbers carry as many places, and quotients in the database keep them: nothing is rounded twice.
LINE_UNIT: Final = Decimal("1E-40")
_NOTHING: Final = Decimal("0E-40")
_ONE_DAY: Final = timedelta(days=1)


class Straight(NamedTuple):
    """A straight line through dates: `near` on `start`, `rise` more after `days` days."""

    near: Decimal
    rise: Decimal
    start: date
    days: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """The dates after `after` up to `until`, and the straight lines that hold on them.

    `interest` counts from `spot` over a year of `year` days; nought where nothing is discounted.
    """

    after: date
    until: date
    forward: Straight
    interest: Straight
    spot: date
    year: int


def level(value: Decimal, day: date) -> Straight:
    """Return the line that is `value` on every date."""
    return Straight(value, _NOTHING, day, 1)


def flat(forward: Decimal, *, after: date, until: date) -> Stretch:
    """Return dates that have one undiscounted forward."""
    return Stretch(after, until, level(forward, until), level(_NOTHING, until), until, 1)


def stretches(line: MidLine, interest: Interest | None, *, after: date) -> list[Stretch]:
    """Return the stretches of a pair's curve after a date; without interest undiscounted.

    Where the curve or its interest ends, the stretches end; before the curve begins there is none.
    """
    forwards = _Bent(line.days, line.mids)
    rates = (
        _Bent([day for day, _ in interest.pillars], [rate for _, rate in interest.pillars])
        if interest
        else None
    )
    found: list[Stretch] = []
    start = max(after, line.days[0] - _ONE_DAY)
    bends = {*line.days, *(rates.days if rates else ()), *((interest.spot,) if interest else ())}
    for until in sorted(one for one in bends if start < one <= line.days[-1]):
        if interest is None or rates is None or until <= interest.spot:
            found.append(
                Stretch(start, until, forwards.up_to(until), level(_NOTHING, until), until, 1)
            )
        elif rates.days and until <= rates.days[-1]:
            found.append(
                Stretch(
                    start,
                    until,
                    forwards.up_to(until),
                    rates.up_to(until),
                    interest.spot,
                    year_days(interest.currency),
                )
            )
        start = until
    return found


class _Bent:
    """A line that bends at pillars, and is level up to the first one."""

    def __init__(self, days: Sequence[date], values: Sequence[Decimal]) -> None:
        self.days = days
        self._values = [PRECISION.quantize(one, LINE_UNIT) for one in values]

    def up_to(self, day: date) -> Straight:
        """Return the straight line that leads to a date from the pillar before it."""
        place = bisect_left(self.days, day)
        if place == 0:
            return level(self._values[0], self.days[0])
        near, far = self._values[place - 1 : place + 1]
        start, end = self.days[place - 1 : place + 1]
        return Straight(near, PRECISION.subtract(far, near), start, (end - start).days)
