"""Interest between our companies, and what a notional pool earns. Pure.

Interest is simple, for each calendar day on that day's closing balance by value date, on 360 or
365 days. Days are added up exactly; only the running sum is rounded, half even, to the currency's
unit, so that the shown days always come to the shown total.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Final

ZERO: Final = Decimal(0)
ACT_360: Final = "ACT_360"
ACT_365F: Final = "ACT_365F"
BASES: Final = {ACT_360: 360, ACT_365F: 365}
# Money-market conventions: SONIA and MIBOR count on 365 days, SOFR, the euro short-term rate and
# EIBOR on 360.
_ON_365: Final = frozenset({"GBP", "INR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """A change of what one company owes the other; `amount` is positive when the first lends.

    `rate` is a yearly share. The newest entry's rate holds for the whole balance from its day on.
    """

    day: date
    amount: Decimal
    rate: Decimal
    day_count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanDay:
    """One day of a pair: what moved, what is owed at its end, and interest; signs as in `Lent`."""

    day: date
    moved: Decimal
    balance: Decimal
    rate: Decimal
    day_count: str
    interest: Decimal
    accrued: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Yearly shares on a positive and on a negative balance."""

    credit: Decimal
    debit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class NotionalDay:
    """One day of a notional pool; interest is positive when it is earned."""

    day: date
    balance: Decimal
    pooled: Decimal
    alone: Decimal

    @property
    def advantage(self) -> Decimal:
        """Return what pooling earns, or saves, on that day."""
        return self.pooled - self.alone


def usual_day_count(currency: str) -> str:
    """Return the money market's day count of a currency."""
    return ACT_365F if currency in _ON_365 else ACT_360


def accrual(
    entries: Iterable[Lent], *, start: date, end: date, unit: Decimal
) -> tuple[LoanDay, ...]:
    """Return every day from `start` to `end`, both included, with what had accrued before them.

    Days before `start` are counted into `accrued`; none is shown before the first entry.
    """
    ordered = sorted(entries, key=lambda one: one.day)
    if not ordered:
        return ()
    running, balance, place = _Sum(unit), ZERO, 0
    days = []
    day, current = ordered[0].day, ordered[0]
    while day <= end:
        moved = ZERO
        while place < len(ordered) and ordered[place].day == day:
            current = ordered[place]
            moved += current.amount
            place += 1
        balance += moved
        daily = Fraction(balance) * Fraction(current.rate) / BASES[current.day_count]
        if day < start:  # nothing of these days is shown: as far as nothing moves they are alike
            until = min([start, *(one.day for one in ordered[place : place + 1])])
            running.add(daily * (until - day).days)
            day = until
            continue
        gained = running.add(daily)
        days.append(
            LoanDay(
                day=day,
                moved=moved,
                balance=balance,
                rate=current.rate,
                day_count=current.day_count,
                interest=gained,
                accrued=running.shown,
            )
        )
        day += timedelta(days=1)
    return tuple(days)


def notional(
    balances: Mapping[date, Sequence[tuple[Decimal, Rates]]],
    *,
    pool: Rates,
    day_count: str,
    unit: Decimal,
) -> tuple[NotionalDay, ...]:
    """Return what the pool earns day by day, and what its accounts would have earned alone.

    The pool's interest is on the sum of the balances: overdrafts eat up credit balances before any
    interest is counted. `balances` has, for each day, every account's balance and own rates.
    """
    basis, pooled, alone = BASES[day_count], _Sum(unit), _Sum(unit)
    days = []
    for day in sorted(balances):
        accounts = balances[day]
        total = sum((balance for balance, _ in accounts), ZERO)
        each = sum((_interest(one, rates, basis) for one, rates in accounts), Fraction(0))
        days.append(
            NotionalDay(
                day=day,
                balance=total,
                pooled=pooled.add(_interest(total, pool, basis)),
                alone=alone.add(each),
            )
        )
    return tuple(days)


def _interest(balance: Decimal, rates: Rates, basis: int) -> Fraction:
    rate = rates.credit if balance >= 0 else rates.debit
    return Fraction(balance) * Fraction(rate) / basis


class _Sum:
    """A running sum, exact inside; `shown` is rounded, and each step is the change of `shown`."""

    def __init__(self, unit: Decimal) -> None:
        self.unit, self.exact, self.shown = unit, Fraction(0), ZERO.quantize(unit)

    def add(self, more: Fraction) -> Decimal:
        """Add exactly and return by how much the rounded sum changes."""
        self.exact += more
        before, self.shown = self.shown, _rounded(self.exact, self.unit)
        return self.shown - before


def _rounded(value: Fraction, unit: Decimal) -> Decimal:
    # `round` of a Fraction is exact and half even.
    return (Decimal(round(value / Fraction(unit))) * unit).quantize(unit, ROUND_HALF_EVEN)
