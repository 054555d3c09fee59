"""Reads of receipts that were another amount than agreed, and of what that brought or cost."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum

from core.errors import NotFound
from fx.models import (
    DealLeg,
    DifferenceKind,
    DifferenceState,
    LegDirection,
    ReceiptDifference,
    SettlementNet,
)
from treasury.selectors import statements

# How far from its value date money that is meant for a leg is looked for.
DAYS_AROUND: Final = 7
PARTS_MAX: Final = 50


def differences() -> QuerySet[ReceiptDifference]:
    """Return all differences with what their pages show, newest first."""
    return ReceiptDifference.objects.select_related(
        "leg__deal__counterparty", "net__counterparty", "entry", "entry_part", "maker", "checker"
    ).order_by("-id")


def differences_of(deal_id: UUID) -> QuerySet[ReceiptDifference]:
    """Return the differences of a deal, and of the nets that it is part of, newest first."""
    nets = DealLeg.objects.filter(deal=deal_id, net__isnull=False).values("net")
    return differences().filter(Q(leg__deal=deal_id) | Q(net__in=nets))


def deal_of(difference_id: UUID) -> UUID | None:
    """Return the deal that a difference is booked with; None where its net was undone.

    Raises:
        NotFound: there is no such difference.
    """
    found = differences().filter(pk=difference_id).first()
    if found is None:
        raise NotFound("There is no such difference.", field="difference")
    return deal_booked_with(found)


def deal_booked_with(difference: ReceiptDifference) -> UUID | None:
    """Return the deal of a leg; of a net that whose leg brings most, the first one of equals.

    None where its net was undone: no leg is part of it any more.
    """
    if difference.leg is not None:
        return difference.leg.deal_id
    brings = DealLeg.objects.filter(net=difference.net, direction=LegDirection.RECEIVE)
    return brings.order_by("-amount", "deal_id").values_list("deal_id", flat=True).first()


def deal_to_book(difference: ReceiptDifference) -> UUID:
    """Return the deal that a difference is booked with.

    Raises:
        NotFound: its net was undone.
    """
    return _known(deal_booked_with(difference), "net")


def deal_of_leg(leg_id: UUID) -> UUID:
    """Return the deal of a leg.

    Raises:
        NotFound: there is no such leg.
    """
    return _known(DealLeg.objects.filter(pk=leg_id).values_list("deal", flat=True).first(), "leg")


def _known(found: UUID | None, what: str) -> UUID:
    if found is None:
        raise NotFound(f"There is no such {what}.", field=what)
    return found


def open_differences() -> QuerySet[ReceiptDifference]:
    """Return what awaits another person."""
    return differences().filter(state=DifferenceState.PROPOSED)


def accepted_for(owed: DealLeg | SettlementNet) -> ReceiptDifference | None:
    """Return what two people accepted in place of the amount; None while nobody did."""
    return owed.differences.filter(state=DifferenceState.ACCEPTED).first()


@dataclass(frozen=True, slots=True)
class Came:
    """Money that came and proves nothing yet: an entry, or one payment of those it books."""

    entry: Any
    part: Any = None

    @property
    def amount(self) -> Decimal:
        """Return how much came."""
        found: Decimal = self.entry.amount if self.part is None else self.part.amount
        return found

    @property
    def name(self) -> str:
        """Return what the payer called it."""
        return str((self.entry if self.part is None else self.part).end_to_end_id)

    @property
    def key(self) -> str:
        """Return what names it in a form: the entry, and after a colon its part."""
        return f"{self.entry.pk}" if self.part is None else f"{self.entry.pk}:{self.part.pk}"


def came_instead(owed: DealLeg | SettlementNet, *, most: int) -> list[Came]:
    """Return credits of the account that prove nothing, and are not the very amount; nearest first.

    What books several payments at once is never taken as a whole: its payments are listed.
    """
    found = [Came(one) for one in _entries(owed)]
    found += [Came(one.entry, one) for one in statements.parts(_free_parts(owed))]
    return sorted(found, key=lambda one: abs(one.amount - owed.amount))[:most]


def came_as(owed: DealLeg | SettlementNet, *, entry: UUID, part: UUID | None) -> Came | None:
    """Return what came by an entry, or by a part of it; None where that proves something else."""
    if part is None:
        found = _entries(owed).filter(pk=entry).first()
        return None if found is None else Came(found)
    free = statements.parts(_free_parts(owed, part)).filter(entry=entry).first()
    return None if free is None else Came(free.entry, free)


def _entries(owed: DealLeg | SettlementNet) -> QuerySet[Any]:
    around = timedelta(days=DAYS_AROUND)
    found = statements.unclaimed_credits(
        owed.account_id, start=owed.value_date - around, end=owed.value_date + around
    )
    alone = found.filter(deal_legs=None, settlement_nets=None, parts=None)
    return alone.exclude(amount=owed.amount)


# The same question that the guard asks when a difference is written.
_FREE_PARTS: Final = """
SELECT p.id FROM treasury_bankentry e
  JOIN treasury_entrypart p ON p.entry_id = e.id AND p.tenant_id = e.tenant_id
 WHERE e.account_id = %(account)s::uuid AND e.state = 'COUNTED' AND e.status = 'BOOK'
   AND e.value_date BETWEEN %(day)s::date - %(around)s::int AND %(day)s::date + %(around)s::int
   AND p.amount > 0 AND p.amount <> %(agreed)s::numeric
   AND (%(part)s::uuid IS NULL OR p.id = %(part)s::uuid) AND fx_part_is_free(e, p.id)
 ORDER BY abs(p.amount - %(agreed)s::numeric), p.id LIMIT %(most)s::int
"""


def _free_parts(owed: DealLeg | SettlementNet, part: UUID | None = None) -> list[UUID]:
    facts: dict[str, Any] = {
        "account": owed.account_id,
        "day": owed.value_date,
        "around": DAYS_AROUND,
        "agreed": owed.amount,
        "part": part,
        "most": PARTS_MAX,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FREE_PARTS, facts)
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What accepted differences of a kind brought, negative what they cost, in dollars."""

    label: str
    count: int
    usd: Decimal


def totals() -> list[Total]:
    """Return what stands accepted, by kind; it is part of what deals brought."""
    rows = (
        ReceiptDifference.objects.filter(state=DifferenceState.ACCEPTED)
        .values("kind")
        .annotate(count=Count("id"), usd=Sum("amount_usd"))
        .order_by("kind")
    )
    return [
        Total(label=DifferenceKind(row["kind"]).label, count=row["count"], usd=row["usd"])
        for row in rows
    ]
