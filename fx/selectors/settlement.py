"""Reads of legs: what a deal settles by, what stands open, and where one leg only is done."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from fx.engine.settlement import Done, Payment
from fx.models import STANDING, DealLeg, LegState, SettlementAlarm

_OF_LEG = (
    "deal__counterparty", "account__bank", "instruction__beneficiary", "proposal__transfer",
    "entry",
)  # fmt: skip


def legs() -> QuerySet[DealLeg]:
    """Return all legs with what their pages show, by day."""
    return DealLeg.objects.select_related(*_OF_LEG).order_by("value_date", "deal", "leg_no")


def legs_of(deal_id: UUID, *, standing: bool = True) -> QuerySet[DealLeg]:
    """Return the legs of a deal: those that stand, or every version there was."""
    found = DealLeg.objects.select_related(*_OF_LEG).filter(deal_id=deal_id)
    found = found.order_by("leg_no", "version")
    return found.filter(state__in=STANDING) if standing else found


def payment_of(leg: DealLeg) -> Payment | None:
    """Return what is known of the payment of a leg; None while nothing was proposed."""
    proposal = leg.proposal
    if proposal is None:
        return None
    held = getattr(proposal, "transfer", None)
    is_booked = held is not None and held.debit_entry_id is not None
    return Payment(state=proposal.state, is_booked=is_booked)


def done(found: Iterable[DealLeg]) -> Done:
    """Return how much of a deal is done by the legs that stand."""
    listed = list(found)
    settled = [one for one in listed if one.state == LegState.SETTLED]
    return Done(legs=len(listed), settled=len(settled), is_paid=any(one.is_pay for one in settled))


def open_alarms() -> QuerySet[SettlementAlarm]:
    """Return the alarms that stand: one leg is done and the other one is not."""
    found = SettlementAlarm.objects.filter(closed_at=None)
    return found.select_related("deal__counterparty").order_by("opened_at")


def waiting() -> QuerySet[DealLeg]:
    """Return legs that a bank or a person may still move, and those of deals that are open."""
    unsettled = Q(state__in=(LegState.EXPECTED, LegState.INSTRUCTED, LegState.SENT))
    return legs().filter(unsettled)


def on_the_wire(found: Iterable[DealLeg]) -> list[dict[str, Any]]:
    """Return legs as the event names them; amounts and ids as text."""
    return [
        {
            "leg_no": one.leg_no,
            "version": one.version,
            "direction": one.direction,
            "ccy": one.currency,
            "amount": one.amount,
            "account_id": one.account_id,
            "ssi_id": one.instruction_id,
            "rail": one.rail,
            "value_date": one.value_date,
            "state": one.state,
        }
        for one in found
    ]
