"""A connector for the demo: checks each order's signature, lets the sandbox bank book it, answers.

It knows of an order what any consumer knows, and what the house expects to be paid out and back.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from core import clock
from core.signing import SignatureRefused, SignerUnavailable, verify_compact
from core.tenancy import bound
from tms.demo.bank import BankAway, BankRefused, SandboxBank
from tms.demo.places import bank_place, people_facts
from tms.demo.seeding import COMPLETE
from treasury.constants import SweepState
from treasury.selectors import sweeps as reads
from treasury.services import sweeps

logger = structlog.get_logger(__name__)
ACTOR: Final = "system:demo"
TYPE: Final = "sweep+jws"
ZONE: Final = "America/New_York"
OUT_AT, BACK_AT = "16:30", "09:00"
BATCH_MAX: Final = 50


def execute_everywhere() -> int:
    """Execute the sent orders of every demo tenant; return how many."""
    done = 0
    for number, row in enumerate(people_facts().get("tenants", []), start=1):
        if row["stage"] == COMPLETE:
            done += execute_sent(tenant=UUID(row["tenant"]), bank=bank_place(number).client())
    return done


def execute_sent(*, tenant: UUID, bank: SandboxBank) -> int:
    """Execute the sent orders of a tenant; what the bank does not take waits."""
    with bound(tenant, actor=ACTOR, reason="the demo's connector"):
        waiting = list(reads.orders().filter(state=SweepState.SENT)[:BATCH_MAX])
    done = 0
    for order in waiting:
        try:
            verify_compact(order.jws, at=clock.now(), typ=TYPE)
            bank.plan(_bookings(order, bank.now()))
        except (SignatureRefused, SignerUnavailable, BankAway, BankRefused) as refusal:
            logger.warning("sweep_not_executed", order_id=order.order_id, code=refusal.code)
            continue
        answer = sweeps.Answer(status="ACK", bank_ref=f"SANDBOX-{order.order_id}")
        with bound(tenant, actor=ACTOR, reason="the demo's connector"):
            sweeps.answer_order(order_id=order.order_id, answer=answer)
        done += 1
    return done


def _bookings(order: Any, now: datetime) -> list[dict[str, Any]]:
    """Return what the bank books of an order: out on its first day, back on its last."""
    today = now.astimezone(ZoneInfo(ZONE)).date()
    ways = (
        (order.settles_on, OUT_AT, -order.paid_out, "into"),
        (order.matures_on, BACK_AT, order.comes_back, "back from"),
    )
    return [
        {
            "do": "book",
            "day": (day - today).days,
            "at": at,
            "zone": ZONE,
            "account": order.account.number,
            "amount": f"{amount:.2f}",
            "name": order.product.name,
            "text": f"Sweep {words} {order.product.code}",
            "end_to_end_id": order.order_id,
        }
        for day, at, amount, words in ways
    ]
