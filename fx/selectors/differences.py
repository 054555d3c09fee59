"""Reads of receipts that were another amount than agreed, and of what that brought or cost."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, QuerySet, Sum

from core.errors import NotFound
from fx.models import DealLeg, DifferenceKind, DifferenceState, ReceiptDifference
from treasury.selectors import statements

# How far from its value date money that is meant for a leg is looked for.
DAYS_AROUND: Final = 7


def differences() -> QuerySet[ReceiptDifference]:
    """Return all differences with what their pages show, newest first."""
    return ReceiptDifference.objects.select_related(
        "leg__deal__counterparty", "entry", "maker", "checker"
    ).order_by("-id")


def differences_of(deal_id: UUID) -> QuerySet[ReceiptDifference]:
    """Return the differences of a deal, newest first."""
    return differences().filter(leg__deal=deal_id)


def deal_of(difference_id: UUID) -> UUID:
    """Return the deal of a difference.

    Raises:
        NotFound: there is no such difference.
    """
    found = ReceiptDifference.objects.filter(pk=difference_id).values_list("leg__deal", flat=True)
    return _known(found.first(), "difference")


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


def accepted_for(leg: DealLeg) -> ReceiptDifference | None:
    """Return what two people accepted in place of a leg's amount; None while nobody did."""
    return ReceiptDifference.objects.filter(leg=leg, state=DifferenceState.ACCEPTED).first()


def came_instead(leg: DealLeg) -> QuerySet[Any]:
    """Return credits of a leg's account that prove nothing, and are not its very amount.

    What books several payments at once is taken apart, and never taken as a whole.
    """
    around = timedelta(days=DAYS_AROUND)
    found = statements.unclaimed_credits(
        leg.account_id, start=leg.value_date - around, end=leg.value_date + around
    )
    return found.filter(deal_legs=None, settlement_nets=None, parts=None).exclude(amount=leg.amount)


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
