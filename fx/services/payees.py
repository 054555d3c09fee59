"""An instruction in force again: what was asked of people for want of it is answered."""

from typing import Final

from django.db.models import Q

from core.identity.models import User
from fx.models import Deal, DealKind, DealLeg, DealState, LegState, SettlementInstruction
from fx.services.legs import PAYEE_GONE, payee_currency
from treasury.services import tasks

GOES_ON: Final = "fx_deal_goes_on"
_WAITING: Final = (LegState.EXPECTED, LegState.INSTRUCTED)


def back_in_force(payee: SettlementInstruction, *, actor: User | None, reason: str) -> list[str]:
    """Close the tasks that asked for an account of a counterparty; return the names they were for.

    In the caller's transaction. An instruction that is out of force, or whose account is blocked or
    not verified, answers nothing. A failed deal that had nobody to be paid is handed on: what is
    left to be done, instructing it anew, is a task of its own.
    """
    account = payee.beneficiary
    if not payee.is_active or account.state == "BLOCKED" or not account.is_verified:
        return []
    note = (
        f"{payee.counterparty.name} is paid {payee.currency} at …{account.number_hint} again:"
        f" {reason}"
    )
    answered = [
        leg.reference
        for leg in _legs_of(payee)
        if tasks.answer_task(kind=PAYEE_GONE, key=leg.reference, note=note, actor=actor)
    ]
    for deal in _stuck_with(payee):
        if tasks.answer_task(kind=PAYEE_GONE, key=deal.reference, note=note, actor=actor):
            answered.append(deal.reference)
            _hand_on(deal)
    return answered


def _legs_of(payee: SettlementInstruction) -> list[DealLeg]:
    """Return what is still to be paid by it."""
    found = DealLeg.objects.select_related("deal").filter(instruction=payee, state__in=_WAITING)
    return list(found.order_by("id"))


def _stuck_with(payee: SettlementInstruction) -> list[Deal]:
    """Return the failed deals of a counterparty that pay its currency."""
    sells = Q(side="SELL", base=payee.currency) | Q(side="BUY", quote=payee.currency)
    found = Deal.objects.filter(
        sells | Q(kind=DealKind.NDF), state=DealState.FAILED, counterparty=payee.counterparty_id
    )
    return [one for one in found.order_by("id") if payee_currency(one) == payee.currency]


def _hand_on(deal: Deal) -> None:
    tasks.open_task(
        task=tasks.TaskIn(
            kind=GOES_ON,
            key=deal.reference,
            title=f"{deal.reference} can be instructed anew",
            detail=f"It was paid after all, and where {deal.counterparty.name} receives"
            f" {payee_currency(deal)} is known again: instruct it anew on its page.",
            severity="medium",
        )
    )
