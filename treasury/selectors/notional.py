"""What a notional pool earns: its accounts' balances by value date, together and alone."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from core import clock
from core.money import smallest_unit
from treasury.engine.pool_interest import NotionalDay, Rates, notional
from treasury.engine.positions import BOOKED_ORDER, booked_position
from treasury.models import CashPool, CashPoolMember
from treasury.selectors import ledger, pools

DAYS_MAX: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """The days of a notional pool, and which members are not in it and why."""

    pool: CashPool
    start: date
    until: date
    days: tuple[NotionalDay, ...]
    left_out: tuple[tuple[CashPoolMember, str], ...]

    @property
    def pooled(self) -> Decimal:
        """Return the interest of the pool."""
        return sum((day.pooled for day in self.days), Decimal(0))

    @property
    def alone(self) -> Decimal:
        """Return what its accounts would have earned, or paid, alone."""
        return sum((day.alone for day in self.days), Decimal(0))

    @property
    def advantage(self) -> Decimal:
        """Return what pooling brought."""
        return self.pooled - self.alone


def benefit(of: CashPool, *, start: date, until: date) -> Benefit:
    """Return a notional pool's interest day by day, on booked balances by value date.

    No more than 400 days. It is reckoned anew each time: a back-valued entry changes the past, as
    it changes the bank's own interest.
    """
    start = max(start, until - timedelta(days=DAYS_MAX - 1))
    days = [start + timedelta(days=step) for step in range((until - start).days + 1)]
    counted: list[CashPoolMember] = []
    left_out: list[tuple[CashPoolMember, str]] = []
    listed = list(pools.members(of))
    known = ledger.bases([one.account_id for one in listed], codes=BOOKED_ORDER, now=clock.now())
    for one in listed:
        if not one.is_poolable:
            left_out.append((one, one.reason))
        elif one.account_id not in known:
            left_out.append((one, "No balance is known."))
        else:
            counted.append(one)
    return Benefit(
        pool=of,
        start=start,
        until=until,
        days=notional(
            _balances(counted, known, days),
            pool=Rates(credit=of.credit_rate, debit=of.debit_rate),
            day_count=of.day_count,
            unit=smallest_unit(of.currency),
        )
        if counted
        else (),
        left_out=tuple(left_out),
    )


def _balances(
    counted: list[CashPoolMember], known: dict[UUID, ledger.Base], days: list[date]
) -> dict[date, list[tuple[Decimal, Rates]]]:
    ids = [one.account_id for one in counted]
    moved = ledger.movements(ids, known, start=days[0])
    return {
        day: [
            (
                booked_position(known[one.account_id].amount, moved[one.account_id], on=day),
                Rates(credit=one.credit_rate, debit=one.debit_rate),
            )
            for one in counted
        ]
        for day in days
    }
