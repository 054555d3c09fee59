"""What is put to work: money in products by value date, and what it has earned so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Final

from django.db.models import Q, QuerySet

from treasury.engine import sweep_accruals
from treasury.models import Settlement, SweepOrder, SweepState

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Orders of one product that come back on one day; `earned` of `interest` so far, in USD."""

    product: str
    matures_on: date
    orders: int
    paid_out: Decimal
    earned: Decimal
    interest: Decimal
    comes_back: Decimal
    is_overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """Everything that is in products on a day, and its sums."""

    on: date
    lines: tuple[Placed, ...]
    paid_out: Decimal
    earned: Decimal
    comes_back: Decimal


def placements(*, on: date) -> QuerySet[SweepOrder]:
    """Return the executed orders whose money is in a product at the end of `on`.

    By value date: from the day it leaves until the day before it is due back, and on from there
    while the bank has not booked it. What nobody has confirmed is not counted.
    """
    executed = Q(state=SweepState.ACK) | Q(late_ack_at__isnull=False)
    confirmed = executed | ~Q(state=SweepState.FAILED) & Q(settlement=Settlement.SETTLED)
    is_out = Q(matures_on__gt=on) | ~Q(settlement=Settlement.RETURNED)
    found = SweepOrder.objects.filter(confirmed & is_out, settles_on__lte=on)
    return found.select_related("product", "account").order_by("matures_on", "product__code", "id")


def interest_of(order: SweepOrder) -> Decimal:
    """Return what an order earns in all, in USD."""
    return order.comes_back - order.paid_out


def earned_by(order: SweepOrder, *, on: date) -> Decimal:
    """Return what an order has earned by a day, in USD."""
    return sweep_accruals.accrued(
        interest_of(order), settles_on=order.settles_on, matures_on=order.matures_on, on=on
    )


def at_work(*, on: date) -> AtWork:
    """Return what is in products on a day, by product and the day it comes back."""
    found = groupby(placements(on=on), key=lambda one: (one.matures_on, one.product.code))
    lines = tuple(_placed(product, rows, on=on) for (_, product), rows in found)
    return AtWork(
        on=on,
        lines=lines,
        paid_out=sum((one.paid_out for one in lines), ZERO),
        earned=sum((one.earned for one in lines), ZERO),
        comes_back=sum((one.comes_back for one in lines), ZERO),
    )


def _placed(product: str, rows: Iterable[SweepOrder], *, on: date) -> Placed:
    orders = list(rows)
    return Placed(
        product=product,
        matures_on=orders[0].matures_on,
        orders=len(orders),
        paid_out=sum((one.paid_out for one in orders), ZERO),
        earned=sum((earned_by(one, on=on) for one in orders), ZERO),
        interest=sum((interest_of(one) for one in orders), ZERO),
        comes_back=sum((one.comes_back for one in orders), ZERO),
        is_overdue=orders[0].matures_on < on,
    )
