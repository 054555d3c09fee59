"""What the connector answers: taken, refused, or executed after the window was over."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from core import clock
from core.errors import Invalid, NotFound
from treasury.constants import SweepState
from treasury.engine.sweep_orders import ORDER_ID
from treasury.errors import SweepConflict, SweepNotSent
from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryState,
    ExpectedFlow,
    FlowState,
    SweepOrder,
)
from treasury.services import tasks
from treasury.services.flows import match_entries
from treasury.services.sweeps.announcing import tell_order
from treasury.services.sweeps.ordering import (
    expect_outflow,
    expect_return,
    fail_order,
    locked,
)

ACK: Final = "ACK"
FAILED: Final = "FAILED"
REFUSED: Final = "REFUSED: "
LATE: Final = "sweep_ack_late"
BANK_REF_CHARS_MAX: Final = 70
REASON_CHARS_MAX: Final = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The connector's word about one order."""

    status: str
    bank_ref: str = ""
    reason: str = ""


@transaction.atomic
def answer_order(*, order_id: str, answer: Answer) -> SweepOrder:
    """Apply an answer; the same one again changes nothing.

    An ACK for an order that had failed here does not revive it: money may have moved, so it is
    reserved again and a person looks into it.

    Raises:
        Invalid: an ACK without the bank's reference, or a refusal without a reason.
        NotFound: no such order.
        SweepNotSent: the order was never handed out, or our own bank pays it.
        SweepConflict: it was answered before, with another word.
    """
    _check(answer)
    if not ORDER_ID.fullmatch(order_id):
        raise NotFound("There is no such order.", field="order_id")
    held = locked(order_id=order_id)
    if held.line_id is not None:
        raise SweepNotSent("Our own bank pays this order, and answers for it.", order_id=order_id)
    if held.state == SweepState.NEW:
        if not held.jws:
            raise SweepNotSent("This order has not been handed out.", order_id=order_id)
        held.send(at=clock.now())
        held.save(update_fields=["state", "sent_at"])
        tell_order(order=held)
    if held.state == SweepState.SENT:
        if answer.status == ACK:
            return taken(held, bank_ref=answer.bank_ref.strip())
        return _refused(held, answer)
    return _again(held, answer)


def _check(answer: Answer) -> None:
    if answer.status not in (ACK, FAILED):
        raise Invalid("An answer is ACK or FAILED.", field="status")
    if answer.status == ACK and not answer.bank_ref.strip():
        raise Invalid("An ACK names the bank's reference.", field="bank_ref")
    if answer.status == FAILED and not answer.reason.strip():
        raise Invalid("Say why it failed.", field="reason")
    if len(answer.bank_ref) > BANK_REF_CHARS_MAX:
        raise Invalid(f"At most {BANK_REF_CHARS_MAX} characters.", field="bank_ref")
    if len(answer.reason) > REASON_CHARS_MAX:
        raise Invalid(f"At most {REASON_CHARS_MAX} characters.", field="reason")


def taken(held: SweepOrder, *, bank_ref: str) -> SweepOrder:
    """Note that the bank has a locked, sent order, and expect its money back."""
    held.acknowledge(at=clock.now(), bank_ref=bank_ref)
    held.save(update_fields=["state", "acked_at", "bank_ref"])
    expect_return(order=held)
    _match_booked(held)
    tell_order(order=held)
    tasks.answer_task(kind="sweep_unanswered", key=held.order_id, note="The bank took it.")
    return held


def _refused(held: SweepOrder, answer: Answer) -> SweepOrder:
    tasks.answer_task(kind="sweep_unanswered", key=held.order_id, note="The bank refused it.")
    return fail_order(order=held, reason=REFUSED + answer.reason.strip())


def _again(held: SweepOrder, answer: Answer) -> SweepOrder:
    """Answer what was answered before: the same word, a late execution, or a contradiction."""
    if held.state == SweepState.ACK:
        if answer.status == ACK and answer.bank_ref.strip() == held.bank_ref:
            return held
    elif answer.status == FAILED:
        same = held.reason == REFUSED + answer.reason.strip()
        if same or not (held.reason.startswith(REFUSED) or held.late_ack_at):
            return held
    elif held.late_ack_at is not None and answer.bank_ref.strip() == held.bank_ref:
        return held
    elif held.late_ack_at is None and held.jws and not held.reason.startswith(REFUSED):
        return executed_late(held, bank_ref=answer.bank_ref.strip())
    raise SweepConflict(
        "This order was answered before, with another word.",
        order_id=held.order_id,
        state=held.state,
        bank_ref=held.bank_ref,
        reason=held.reason,
    )


def executed_late(held: SweepOrder, *, bank_ref: str) -> SweepOrder:
    """Reserve again what a locked order moved after it had failed here; a person looks into it."""
    held.late_ack_at, held.bank_ref = clock.now(), bank_ref
    held.save(update_fields=["late_ack_at", "bank_ref"])
    expect_outflow(order=held)
    expect_return(order=held)
    _match_booked(held)
    tasks.open_task(
        task=tasks.TaskIn(
            kind=LATE,
            key=held.order_id,
            title=f"{held.order_id} was executed after it had failed here",
            detail=f"The bank's reference is {held.bank_ref}. It had failed as {held.reason}:"
            " the money may have moved. Compare it with the account's entries.",
        )
    )
    return held


def _match_booked(held: SweepOrder) -> None:
    """Match what was booked under the order's name before anybody waited for it."""
    booked = BankEntry.objects.filter(
        account=held.account,
        end_to_end_id=held.order_id,
        status=BookingStatus.BOOK,
        state=EntryState.COUNTED,
    ).exclude(pk__in=ExpectedFlow.objects.filter(state=FlowState.MATCHED).values("matched_entry"))
    match_entries(entries=list(booked))
