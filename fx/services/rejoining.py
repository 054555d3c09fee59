"""A net that failed and was paid after all: its legs are its own again, nothing is paid beside it.

What took the place of a leg meanwhile is given up where that can be done. Where it left as well,
or the deal is none any more, money moved that nobody owes: a person claims it back.
"""

from typing import Final

from core.money import Money
from fx.errors import LegAlreadySent
from fx.models import Deal, DealLeg, DealState, LegState, SettlementNet
from fx.services import legs, netting
from fx.services.deals import SUBJECT
from fx.services.failing import held_legs
from treasury.services import tasks
from treasury.services.news import raise_alert

PAID_TWICE: Final = "fx_leg_paid_after_replaced"
WHY: Final = "Its net was paid after all."
_STANDS: Final = (DealState.EXECUTED, DealState.CONFIRMED, DealState.FAILED)


def take_back(deal: Deal, *, net: SettlementNet) -> None:
    """Put the legs of a locked deal that its net pays after all in place of what replaced them."""
    replaced = DealLeg.objects.select_for_update(of=("self",)).filter(
        deal=deal, net=net, state=LegState.VOID
    )
    for first in replaced.order_by("leg_no"):
        if not _given_up(deal, first):
            ask_about_twice(net.reference, amount=Money(net.amount, net.currency))
            continue
        first.rejoin()
        first.save()
        raise_alert(
            kind="fx_net_paid_after_all",
            severity="high",
            subject_type=SUBJECT,
            subject_id=deal.pk,
            title=f"{net.reference} was refused, taken apart, and paid after all",
            detail=f"{first.reference} is part of it again: what had replaced it is given up.",
        )


def _given_up(deal: Deal, first: DealLeg) -> bool:
    """Give up what replaced a leg; say whether nothing of it has left or come."""
    if deal.state not in _STANDS:
        return False
    try:
        for later in held_legs(deal).filter(leg_no=first.leg_no):
            if later.state == LegState.NETTED and later.net_id is not None:
                netting.undo(netting.held_net(later.net_id), reason=WHY)
                later.refresh_from_db()
            legs.void(later, reason=WHY)
    except LegAlreadySent:
        return False
    return True


def ask_about_twice(name: str, *, amount: Money) -> None:
    """Ask a person about money that left for what was replaced before."""
    tasks.open_task(
        task=tasks.TaskIn(
            kind=PAID_TWICE,
            key=name,
            title=f"{name} was replaced, and paid after all",
            detail=f"{amount} left by the first payment. What would pay it again is stopped unless"
            " its bank has it already: claim it back, or settle with the counterparty by hand.",
        )
    )
