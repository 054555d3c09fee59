"""Which deals close a need: by which way they still come in time, how they are split, with whom.

Pure: numbers and calendars in, records out. Amounts are in the currency that is dealt exactly, or
in dollars where the name says so. A need is met by the latest value date that still comes in time:
what is bought earlier lies about unused. Spot never meets a need of today.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from calendars.engine.days import Roll, adjust
from core.errors import Invalid
from core.money import minor_units, smallest_unit
from fx.engine.dates import Centres, Short, cash_date, spot_date, tom_date
from fx.engine.exposure import ZONE_DEFAULT, ZONES

ZERO: Final = Decimal(0)
FORWARD: Final = "FORWARD"
# More deals than this for one need and day are no business of a desk; the rest is said in words.
PARTS_MAX: Final = 40
OTHERS: Final = "*"
_ENTRY: Final = re.compile(r"([A-Z]{3}|\*)=([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def parse_cutoffs(text: str) -> dict[str, time]:
    """Read cut-offs like `INR=11:30,*=11:00`: local times of each currency's own centre.

    Raises:
        Invalid: another form, a currency twice, or no `*` for the others.
    """
    found: dict[str, time] = {}
    for entry in text.split(","):
        parts = _ENTRY.fullmatch(entry)
        if parts is None or parts[1] in found:
            raise Invalid("Write cut-offs like INR=11:30,*=11:00, each once.", field="value")
        if parts[1] != OTHERS:
            minor_units(parts[1])
        found[parts[1]] = time(int(parts[2]), int(parts[3]))
    if OTHERS not in found:
        raise Invalid("Name a cut-off for the others: *=11:00.", field="value")
    return found


def cutoff_at(cutoffs: Mapping[str, time], currency: str, day: date) -> datetime:
    """Return when a currency's cut-off of a day is, by the clock of its own centre."""
    at = cutoffs.get(currency, cutoffs[OTHERS])
    return datetime.combine(day, at, ZoneInfo(ZONES.get(currency, ZONE_DEFAULT)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A value date that can be dealt until an instant; `shut_by` names what shuts it then."""

    period: str
    value_date: date
    until: datetime
    shut_by: str


def dates_of(centres: Centres, trade: date, need: date) -> dict[date, str]:
    """Return the value dates to choose from with their periods, the earliest first.

    A forward is among them where the need lies behind spot: the last good day not after the need.
    Where two periods coincide the later name counts, as dealers say it.

    Raises:
        CalendarCoverageError: a calendar does not reach so far.
    """
    spot = spot_date(centres, trade)
    found = {
        cash_date(centres, trade): str(Short.CASH),
        tom_date(centres, trade): str(Short.TOM),
        spot: str(Short.SPOT),
    }
    if need > spot:
        last = adjust(centres.settlement, need, Roll.PRECEDING)
        if last > spot:
            found[last] = FORWARD
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A way that was not taken, and why."""

    period: str
    value_date: date
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The way that is suggested; `is_late`: nothing that can still be dealt comes in time."""

    way: Way
    is_late: bool
    rejected: tuple[Rejected, ...]


def choose_way(ways: Sequence[Way], *, need: date, now: datetime) -> Choice | None:
    """Return the latest way that is in time, else the earliest that can be dealt; None if none can.

    At its cut-off a way is shut.
    """
    dealt = [one for one in ways if now < one.until]
    if not dealt:
        return None
    in_time = [one for one in dealt if one.value_date <= need]
    chosen = (
        max(in_time, key=lambda one: one.value_date)
        if in_time
        else min(dealt, key=lambda one: one.value_date)
    )
    rejected = tuple(
        Rejected(period=one.period, value_date=one.value_date, why=_why_not(one, chosen, need, now))
        for one in ways
        if one is not chosen
    )
    return Choice(way=chosen, is_late=not in_time, rejected=rejected)


def _why_not(way: Way, chosen: Way, need: date, now: datetime) -> str:
    if now >= way.until:
        return f"shut since {way.until.astimezone(now.tzinfo):%H:%M} UTC ({way.shut_by})"
    if way.value_date > need:
        return f"settles on {way.value_date}, after the need of {need}"
    return f"settles on {way.value_date} already; {chosen.period} still comes in time"


def needed_on(outflows: Sequence[tuple[date, Decimal]], *, covered: Decimal, last: date) -> date:
    """Return the first day on which money is missing; `outflows` are positive amounts by day."""
    left = covered
    for day, amount in sorted(outflows):
        left -= amount
        if left < 0:
            return day
    return last


def dollars_first(open_amount: Decimal, rate: Decimal, unit: Decimal) -> Decimal:
    """Return ceil(open / rate) in the base: what has to be sold to bring at least the open amount.

    The other amount is rounded half up, so the next unit up always brings enough.
    """
    return (open_amount / rate / unit).to_integral_value(ROUND_CEILING) * unit


def rounded_up(amount: Decimal, currency: str) -> Decimal:
    """Return an amount in whole minor units, never less than it was."""
    return amount.quantize(smallest_unit(currency), ROUND_CEILING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a counterparty's limits still allow, in dollars; None is no limit."""

    counterparty: str
    left_usd: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One deal: its exact amount, with whom, and what was left with them before it.

    `counterparty` is empty where nobody has room for it.
    """

    amount: Decimal
    counterparty: str
    left_usd: Decimal | None


def parts_of(
    total: Decimal,
    *,
    unit: Decimal,
    usd_per_unit: Decimal,
    deal_usd_max: Decimal,
    rooms: Sequence[Room],
) -> tuple[Part, ...]:
    """Split a total into deals that are each within the largest deal and their counterparty's room.

    The one with the most room is taken first; exactly the limit is allowed. What nobody has room
    for is split all the same, without a counterparty. At most 40 parts: what remains after them
    is suggested once these were dealt.

    Raises:
        Invalid: not even one minor unit is within the limit.
    """
    most = _floor(deal_usd_max / usd_per_unit, unit)
    if most <= 0:
        raise Invalid("The largest deal allows nothing at all.", field="deal_usd_max")
    left = {one.counterparty: one.left_usd for one in rooms}
    found: list[Part] = []
    while total > 0 and len(found) < PARTS_MAX:
        name = _roomiest(left, usd_per_unit * unit)
        room = left.get(name) if name else None
        size = min(total, most)
        if room is not None:
            size = min(size, _floor(room / usd_per_unit, unit))
            left[name] = room - size * usd_per_unit
        found.append(Part(amount=size, counterparty=name, left_usd=room))
        total -= size
    return tuple(found)


def _roomiest(left: Mapping[str, Decimal | None], least_usd: Decimal) -> str:
    able = [name for name, room in left.items() if room is None or room >= least_usd]
    unlimited = [name for name in able if left[name] is None]
    if unlimited:
        return min(unlimited)
    return max(able, key=lambda name: (left[name] or ZERO, name), default="")


def _floor(amount: Decimal, unit: Decimal) -> Decimal:
    return (amount / unit).to_integral_value(ROUND_FLOOR) * unit
