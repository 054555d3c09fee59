"""Orders that our own bank pays: the payment is made of the signed order, and answers for it.

The payment is a proposal of the purpose SWEEP under the order's own name. The database releases it
for exactly the order's account, amount, day and agreed payee (`guards.sweep_lines`); from there on
it goes the way of every transfer. What becomes of it, `follow_payments` tells the order.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from core import clock
from core.errors import DomainError
from core.events import traced
from treasury.constants import ProposalState, SweepState
from treasury.engine.sweep_payments import Payment, Word, word_of
from treasury.models import Proposal, Purpose, Settlement, SweepLine, SweepOrder, Transfer
from treasury.services import controls, orders, tasks, transfers
from treasury.services.news import tell_status
from treasury.services.preflighting import seal_for_approval
from treasury.services.sweeps.announcing import tell_order
from treasury.services.sweeps.answering import REFUSED, executed_late, taken
from treasury.services.sweeps.ordering import (
    MAKER_LABEL,
    expire_order,
    fail_order,
    forget_flows,
)

logger = structlog.get_logger(__name__)
UNPAYABLE: Final = "sweep_unpayable"
CAME_BACK: Final = "RETURNED: "
BATCH_MAX: Final = 500
_P = ProposalState


@transaction.atomic
def pay_order(*, order: SweepOrder) -> Proposal | None:
    """Make the payment of a locked, signed order; what cannot be paid fails, and a person knows."""
    if order.line is None:
        return None
    try:
        with transaction.atomic(), traced(order.trace_id):
            return _paid(order, order.line)
    except IntegrityError:
        logger.exception("sweep_payment_refused", order_id=order.order_id)
        reason = "The database does not take its payment: mandate, line or payee changed."
    except DomainError as refusal:
        reason = refusal.message
    fail_order(order=order, reason=reason)
    tasks.open_task(
        task=tasks.TaskIn(
            kind=UNPAYABLE,
            key=order.order_id,
            title=f"{order.order_id} could not be paid",
            detail=f"{reason} {order.paid_out:,.2f} USD stayed on {order.account.label}.",
        )
    )
    return None


def _paid(order: SweepOrder, line: SweepLine) -> Proposal:
    proposal = Proposal(
        reference=order.order_id,
        purpose=Purpose.SWEEP,
        debit_account=order.account,
        credit_account=line.credit_account,
        beneficiary=line.beneficiary,
        amount=order.paid_out,
        currency=order.account.currency,
        rail=line.rail,
        charge_bearer=orders.writing_of(order.account).terms(line.rail).charge_bearer,
        value_date=order.settles_on,
        cutoff_at=order.cutoff_at,
        maker_label=MAKER_LABEL,
        why=f"{order.order_id}: {order.paid_out:,.2f} USD into {order.product.name}.",
        usd_equivalent=order.paid_out,
        created_at=clock.now(),
    )
    proposal.order_seal = seal_for_approval(proposal=proposal)
    proposal.save()
    controls.count_alone(proposal)
    before = proposal.state
    proposal.submit(at=clock.now())
    proposal.save()
    tell_status(proposal=proposal, from_state=before)
    transfers.release(proposal_id=proposal.pk)
    return proposal


@transaction.atomic
def follow_payments(*, now: datetime) -> list[SweepOrder]:
    """Bring orders to where their payments stand; return those that moved."""
    moved: list[SweepOrder] = []
    last = None
    while batch := _open_orders(after=last):
        payments = _payments_of(batch, now)
        moved += [one for one in batch if _followed(one, payments)]
        last = batch[-1].pk
    return moved


def _open_orders(*, after: UUID | None) -> list[SweepOrder]:
    """Return the next orders whose payment may say something new, locked."""
    payments = Proposal.objects.filter(purpose=Purpose.SWEEP, reference=OuterRef("order_id"))
    undone = Exists(payments.filter(state__in=(_P.FAILED, _P.RETURNED)))
    returned = Exists(payments.filter(state=_P.RETURNED))
    done_after_all = Exists(payments.filter(state__in=(_P.CONFIRMED, _P.SETTLED)))
    found = (
        SweepOrder.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("product", "account", "line")
        .filter(line__isnull=False, jws__gt="")
        .exclude(settlement=Settlement.RETURNED)
        .filter(
            Q(state__in=(SweepState.NEW, SweepState.SENT))
            | Q(undone, state=SweepState.ACK)
            | Q(done_after_all, state=SweepState.FAILED, late_ack_at__isnull=True)
            | Q(returned, state=SweepState.FAILED)
        )
    )
    if after is not None:
        found = found.filter(pk__gt=after)
    return list(found.order_by("id")[:BATCH_MAX])


def _payments_of(batch: list[SweepOrder], now: datetime) -> dict[str, tuple[Transfer, Payment]]:
    named = [one.order_id for one in batch]
    rows = Transfer.objects.select_related("proposal", "debit_entry", "debit_part").filter(
        proposal__purpose=Purpose.SWEEP, end_to_end_id__in=named
    )
    return {
        row.end_to_end_id: (
            row,
            Payment(
                state=row.proposal.state,
                rank=row.bank_status_rank,
                is_unknown=row.outcome_unknown_since is not None,
                cutoff_at=row.proposal.cutoff_at,
                now=now,
            ),
        )
        for row in rows
    }


def _followed(held: SweepOrder, payments: dict[str, tuple[Transfer, Payment]]) -> bool:
    found = payments.get(held.order_id)
    if found is None:
        return False
    transfer, payment = found
    before = (held.state, held.late_ack_at, held.settlement)
    with traced(held.trace_id):
        _STEPS[word_of(payment)](held, transfer)
    return (held.state, held.late_ack_at, held.settlement) != before


def _left(held: SweepOrder, _transfer: Transfer) -> None:
    if held.state == SweepState.NEW:
        held.send(at=clock.now())
        held.save(update_fields=["state", "sent_at"])
        tell_order(order=held)


def _taken(held: SweepOrder, transfer: Transfer) -> None:
    _left(held, transfer)
    if held.state == SweepState.SENT:
        taken(held, bank_ref=_bank_ref(transfer))
    elif held.state == SweepState.FAILED and held.late_ack_at is None:
        executed_late(held, bank_ref=_bank_ref(transfer))


def _refused(held: SweepOrder, transfer: Transfer) -> None:
    if held.state == SweepState.FAILED:
        return
    was_taken = held.state == SweepState.ACK
    reason = transfer.proposal.closing_reason or transfer.reason_code or "no reason given"
    fail_order(order=held, reason=REFUSED + reason)
    tasks.answer_task(kind="sweep_unanswered", key=held.order_id, note="The bank refused it.")
    if was_taken:
        _tell_undone(held, f"The bank had taken it and refused it afterwards. {reason}")


def _came_back(held: SweepOrder, transfer: Transfer) -> None:
    _taken(held, transfer)
    if held.state == SweepState.ACK:
        reason = transfer.proposal.closing_reason
        fail_order(order=held, reason=CAME_BACK + reason)
        _tell_undone(held, f"{reason} It is not expected back from {held.product.code}.")
    elif held.state == SweepState.FAILED:
        # Executed after it had failed here, and returned: the money went and is back.
        for reached in (Settlement.SETTLED, Settlement.RETURNED):
            if held.settlement != reached:
                held.settlement = reached
                held.save(update_fields=["settlement"])
        forget_flows(order=held)
        _tell_undone(held, f"Executed late, then returned. {transfer.proposal.closing_reason}")


def _tell_undone(held: SweepOrder, words: str) -> None:
    tasks.open_task(
        task=tasks.TaskIn(
            kind="sweep_undone",
            key=held.order_id,
            title=f"{held.order_id} was acknowledged and did not happen",
            detail=words,
        )
    )


def _too_late(held: SweepOrder, _transfer: Transfer) -> None:
    if held.state == SweepState.NEW:
        expire_order(order=held)


def _waits(_held: SweepOrder, _transfer: Transfer) -> None:
    """Nothing to tell yet."""


_STEPS: Final[dict[Word, Callable[[SweepOrder, Transfer], None]]] = {
    Word.WAITS: _waits,
    Word.LEFT: _left,
    Word.TAKEN: _taken,
    Word.REFUSED: _refused,
    Word.CAME_BACK: _came_back,
    Word.TOO_LATE: _too_late,
}


def _bank_ref(transfer: Transfer) -> str:
    """Return the bank's own reference, or else the mark by which it knows the payment."""
    entry = transfer.debit_part or transfer.debit_entry
    booked = entry.bank_reference if entry else ""
    return (transfer.bank_reference or booked or transfer.uetr)[:70]
