"""The position of an account by value date, from one stated balance and what moved around it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)
# Balances fit for use now, best first: what is available counts before what is merely booked.
HEADLINE_ORDER: Final = ("ITAV", "CLAV", "ITBD", "CLBD", "OPAV", "OPBD")
BOOKED_ORDER: Final = ("ITBD", "CLBD", "OPBD")
AVAILABLE_CODES: Final = frozenset({"ITAV", "CLAV", "OPAV"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Entries of one value date: `in_base` when the stated balance already contains them."""

    value_date: date
    in_base: bool
    is_pending: bool
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """Expected flows of one value date, inflows and outflows apart; outflows are negative."""

    value_date: date
    inflow: Decimal
    outflow: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDay:
    """One day of the ladder; `closing` is the next day's opening."""

    day: date
    opening: Decimal
    booked: Decimal
    pending: Decimal
    expected_in: Decimal
    expected_out: Decimal
    closing: Decimal


def booked_position(base: Decimal, moved: Iterable[Moved], *, on: date) -> Decimal:
    """Return the booked balance by value date at the end of `on`.

    From the stated balance leave out what it contains with a later value date, and add what it does
    not contain with a value date up to `on`. Valid before and after the balance's own date.
    """
    later = sum((one.amount for one in moved if _is_later(one, on)), ZERO)
    since = sum((one.amount for one in moved if _is_since(one, on)), ZERO)
    return base - later + since


def _is_later(one: Moved, on: date) -> bool:
    return one.in_base and not one.is_pending and one.value_date > on


def _is_since(one: Moved, on: date) -> bool:
    return not one.in_base and not one.is_pending and one.value_date <= on


def booked_ahead(moved: Iterable[Moved], *, on: date) -> Decimal:
    """Return what is booked already and leaves after `on`, per value date net; never positive.

    A debit of a later value date is not on the account's value-dated balance yet, and its money is
    spoken for all the same. What comes in on that very date covers it; a credit alone counts for
    nothing before its day.
    """
    days: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for one in moved:
        if not one.is_pending and one.value_date > on:
            days[one.value_date] += one.amount
    return sum((min(amount, ZERO) for amount in days.values()), ZERO)


def pending_until(moved: Iterable[Moved], *, on: date) -> Decimal:
    """Return what is announced but not booked with a value date up to `on`."""
    return sum((one.amount for one in moved if one.is_pending and one.value_date <= on), ZERO)


def ladder(
    *,
    base: Decimal,
    moved: Sequence[Moved],
    awaited: Sequence[Awaited],
    start: date,
    days: int,
) -> list[PositionDay]:
    """Return `days` days from `start`; what is overdue is awaited on the first of them."""
    booked: dict[date, Decimal] = defaultdict(lambda: ZERO)
    pending: dict[date, Decimal] = defaultdict(lambda: ZERO)
    inflow: dict[date, Decimal] = defaultdict(lambda: ZERO)
    outflow: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for one in moved:
        if one.is_pending:
            pending[max(one.value_date, start)] += one.amount
        else:
            booked[one.value_date] += one.amount
    for flow in awaited:
        inflow[max(flow.value_date, start)] += flow.inflow
        outflow[max(flow.value_date, start)] += flow.outflow
    opening = booked_position(base, moved, on=start - timedelta(days=1))
    found = []
    for step in range(days):
        day = start + timedelta(days=step)
        closing = opening + booked[day] + pending[day] + inflow[day] + outflow[day]
        found.append(
            PositionDay(
                day=day,
                opening=opening,
                booked=booked[day],
                pending=pending[day],
                expected_in=inflow[day],
                expected_out=outflow[day],
                closing=closing,
            )
        )
        opening = closing
    return found
