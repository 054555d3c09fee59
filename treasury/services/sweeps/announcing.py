"""Tell the other rooms what became of an order."""

from typing import Final
from uuid import UUID

from core import clock
from core.events import publish
from treasury.constants import SweepState
from treasury.events import (
    SweepIntent,
    SweepOrderAcked,
    SweepOrderCreated,
    SweepOrderFailed,
    SweepOrderSent,
)
from treasury.models import SweepOrder

_NEWS: Final = {
    SweepState.NEW: SweepOrderCreated,
    SweepState.SENT: SweepOrderSent,
    SweepState.ACK: SweepOrderAcked,
    SweepState.FAILED: SweepOrderFailed,
}


def tell_order(*, order: SweepOrder) -> None:
    """Publish the state that an order has reached."""
    publish(
        _NEWS[SweepState(order.state)](
            order_id=order.order_id,
            account_id=order.account_id,
            product=order.product.code,
            amount_usd=order.amount,
            cutoff_utc=order.cutoff_at,
            state=order.state,
            reason=order.reason,
            bank_ref=order.bank_ref,
            at=clock.now(),
        )
    )


def hand_out(*, order: SweepOrder) -> UUID:
    """Publish a signed order on `sweep_intent`; return the event that carries it."""
    return publish(SweepIntent(type="ORDER", order_id=order.order_id, jws=order.jws, reason=""))


def take_back(*, order: SweepOrder) -> None:
    """Say on `sweep_intent` that an order which may have been read is void."""
    publish(SweepIntent(type="CANCEL", order_id=order.order_id, jws="", reason=order.reason))
