"""What of our deals settles per day and currency."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from fx.engine.exposure import ZERO
from fx.models import Deal, DealKind, DealState
from fx.selectors import deals as reads
from fx.selectors import settlement

# What was dealt and has not settled; what was only asked for settles nothing.
SETTLING: Final = (DealState.EXECUTED, DealState.CONFIRMED)
DEALS_MAX: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A currency's value date: what comes in, what goes out, of how many deals."""

    day: date
    currency: str
    coming: Decimal
    going: Decimal
    count: int
    deals: tuple[Deal, ...]

    @property
    def net(self) -> Decimal:
        """Return what is left of the two; negative leaves us."""
        return self.coming - self.going


def ladder(*, now: datetime) -> list[Rung]:
    """Return the value dates of dealt deals that did not settle yet, the nearest first.

    A non-deliverable forward pays no more than a difference: it is no rung. Where a leg was
    replaced, its own day counts. At most 5,000 deals.
    """
    found = (
        reads.deals()
        .filter(state__in=SETTLING, kind=DealKind.DELIVERABLE, executed_at__lte=now)
        .order_by("value_date", "id")[:DEALS_MAX]
    )
    moved = {
        (deal_id, currency): on
        for deal_id, currency, on in settlement.moved_legs()
        .filter(deal__state__in=SETTLING, deal__kind=DealKind.DELIVERABLE)
        .values_list("deal_id", "currency", "value_date")
    }
    coming: dict[tuple[date, str], Decimal] = defaultdict(lambda: ZERO)
    going: dict[tuple[date, str], Decimal] = defaultdict(lambda: ZERO)
    held: dict[tuple[date, str], list[Deal]] = defaultdict(list)
    for deal in found:
        for currency in (deal.bought, deal.sold):
            amount = deal.base_amount if currency == deal.base else deal.quote_amount
            key = (moved.get((deal.pk, currency), deal.value_date), currency)
            (coming if currency == deal.bought else going)[key] += amount
            held[key].append(deal)
    return [
        Rung(
            day=day,
            currency=currency,
            coming=coming[day, currency],
            going=going[day, currency],
            count=len(held[day, currency]),
            deals=tuple(held[day, currency]),
        )
        for day, currency in sorted(held)
    ]
