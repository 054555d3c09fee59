"""A connector for the demo: checks each order's signature, lets the sandbox bank book it, answers.

It knows of an order what any consumer knows, and what the house expects to be paid out and back.
What our own bank pays it leaves alone; of that it lets the bank book what has matured.
"""

from datetime import datetime
from decimal import Decimal
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
            tenant, bank = UUID(row["tenant"]), bank_place(number).client()
            done += execute_sent(tenant=tenant, bank=bank)
            bring_back(tenant=tenant, bank=bank)
    return done


def execute_sent(*, tenant: UUID, bank: SandboxBank) -> int:
    """Execute the sent orders of a tenant; what the bank does not take waits."""
    with bound(tenant, actor=ACTOR, reason="the demo's connector"):
        sent = reads.orders().filter(state=SweepState.SENT, line__isnull=True)
        waiting = list(sent[:BATCH_MAX])
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


def bring_back(*, tenant: UUID, bank: SandboxBank) -> int:
    """Let the bank book what has matured of orders that it paid itself; return how many were new.

    The step is the same whenever it is asked for, and a bank does the same step once.
    """
    try:
        today = bank.now().astimezone(ZoneInfo(ZONE)).date()
        with bound(tenant, actor=ACTOR, reason="the demo's fund"):
            matured = reads.orders().filter(
                state=SweepState.ACK, line__isnull=False, settlement="SETTLED",
                matures_on__lte=today,
            )  # fmt: skip
            steps = [_step(one, 0, BACK_AT, one.comes_back, "back from") for one in matured]
        return sum(bank.plan([step]) for step in steps)
    except (BankAway, BankRefused) as refusal:
        logger.warning("sweep_not_brought_back", code=refusal.code)
        return 0


def _bookings(order: Any, now: datetime) -> list[dict[str, Any]]:
    """Return what the bank books of an order: out on its first day, back on its last."""
    today = now.astimezone(ZoneInfo(ZONE)).date()
    ways = (
        (order.settles_on, OUT_AT, -order.paid_out, "into"),
        (order.matures_on, BACK_AT, order.comes_back, "back from"),
    )
    return [_step(order, (day - today).days, at, amount, words) for day, at, amount, words in ways]


def _step(order: Any, day: int, at: str, amount: Decimal, words: str) -> dict[str, Any]:
    """Return one booking of an order's money as a step of the bank's script."""
    return {
        "do": "book",
        "day": day,
        "at": at,
        "zone": ZONE,
        "account": order.account.number,
        "amount": f"{amount:.2f}",
        "name": order.product.name,
        "text": f"Sweep {words} {order.product.code}",
        "end_to_end_id": order.order_id,
    }
