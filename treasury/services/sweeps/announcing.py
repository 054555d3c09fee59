"""Tell the other rooms what became of an order."""

from typing import Final
from uuid import UUID

import structlog

from core import clock
from core.events import publish, traced
from treasury.constants import SweepState
from treasury.events import (
    SweepIntent,
    SweepOrderAcked,
    SweepOrderCreated,
    SweepOrderFailed,
    SweepOrderSent,
)
from treasury.models import SweepOrder

logger = structlog.get_logger(__name__)
_NEWS: Final = {
    SweepState.NEW: SweepOrderCreated,
    SweepState.SENT: SweepOrderSent,
    SweepState.ACK: SweepOrderAcked,
    SweepState.FAILED: SweepOrderFailed,
}


def tell_order(*, order: SweepOrder) -> None:
    """Publish the state that an order has reached, and log it."""
    news = _NEWS[SweepState(order.state)](
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
    with traced(order.trace_id):
        publish(news)
        logger.info("sweep_order", order_id=order.order_id, state=order.state)


def hand_out(*, order: SweepOrder) -> UUID:
    """Publish a signed order on `sweep_intent`; return the event that carries it."""
    with traced(order.trace_id):
        return publish(SweepIntent(type="ORDER", order_id=order.order_id, jws=order.jws, reason=""))


def take_back(*, order: SweepOrder) -> None:
    """Say on `sweep_intent` that an order which may have been read is void."""
    with traced(order.trace_id):
        publish(SweepIntent(type="CANCEL", order_id=order.order_id, jws="", reason=order.reason))
