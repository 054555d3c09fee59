"""Turn an approved payment into the bytes that the dispatcher will hand to the bank."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Max

from core import clock, events
from integrations import selectors
from integrations.codecs.instructions import PaymentInstruction
from integrations.codecs.orders import KINDS, prepare, write_order
from integrations.codecs.schemas import validate_schema
from integrations.constants import PAIN001_KIND
from integrations.dialects.writing import STANDARD, Writing
from integrations.errors import MessageStateRefused, PaymentAlreadyQueued, PreflightRefused
from integrations.events import PaymentRefused
from integrations.models import LIVE_STATES, BankConnection, Direction, Message, MessageState
from integrations.services import batching
from integrations.services.routing import route_for

_FILE_NAME_CHARS: Final = re.compile(r"[^A-Za-z0-9._-]", re.ASCII)


@transaction.atomic
def queue_payment(
    *,
    instruction: PaymentInstruction,
    rail: str,
    connection_code: str,
    not_after: datetime | None = None,
    require: Callable[[bytes], None] | None = None,
    alone: bool = False,
) -> Message:
    """Check a payment, write its order and queue it, in the caller's transaction.

    `connection_code` is the line of the account's own bank, whose profile says how the order is
    written; routes may carry the same bytes another way. The same order again returns the message
    queued first. After a refusal a new message with a new message id may carry the same end-to-end
    reference. Past `not_after` it is not sent. `require` looks at the bytes last, and may refuse
    them. `alone`: it never shares a file.

    Raises:
        PreflightRefused: the rail, the schema or the bank would refuse it; all findings.
        UnwritableMessage: it cannot be expressed at all.
        ConnectionUnknown: no active connection has this code.
        PaymentAlreadyQueued: another order with this reference is under way or was sent.
    """
    debtor = instruction.debtor
    choice = route_for(
        account_connection=connection_code, rail=rail, account=debtor.iban or debtor.number or ""
    )
    # The account's own bank reads the order, whichever line carries it.
    writing = selectors.writing_of(choice.home)
    body = order_bytes(instruction, rail=rail, writing=writing)
    if require is not None:
        require(body)
    digest = hashlib.sha256(body).hexdigest()
    rows = selectors.messages().outbound().filter(reference=instruction.end_to_end_id)
    live = rows.filter(state__in=LIVE_STATES).first()
    if live is not None:
        return _the_same(live, digest=digest, home=choice.home)
    group_key = "" if alone else _group_of(body, instruction, rail=rail, writing=writing)
    latest: int = rows.aggregate(latest=Max("attempt"))["latest"] or 0
    return Message.objects.create(
        direction=Direction.OUT,
        connection=choice.connection,
        routed_from=choice.routed_from,
        routed_account=choice.account,
        kind=KINDS[writing.format],
        name=file_name(instruction.message_id, digest, KINDS[writing.format]),
        body=body,
        sha256=digest,
        size_bytes=len(body),
        state=MessageState.QUEUED,
        rail=rail,
        reference=instruction.end_to_end_id,
        message_reference=instruction.message_id,
        attempt=latest + 1,
        due_at=batching.leaves_at(group_key=group_key, writing=writing, not_after=not_after),
        expires_at=not_after,
        group_key=group_key,
        correlation_id=events.present_trace(),
    )


def _group_of(body: bytes, instruction: PaymentInstruction, *, rail: str, writing: Writing) -> str:
    return batching.group_of(
        body, message_reference=instruction.message_id, rail=rail, writing=writing
    )


def _the_same(live: Message, *, digest: str, home: BankConnection) -> Message:
    """Return the message that is under way, if it is of exactly this order."""
    if live.sha256 == digest and home.pk == (live.routed_from_id or live.connection_id):
        return live
    raise PaymentAlreadyQueued(
        f"Another order with the reference {live.reference} is {live.get_state_display()}.",
        reference=live.reference,
        state=live.state,
    )


def order_bytes(
    instruction: PaymentInstruction, *, rail: str, writing: Writing = STANDARD
) -> bytes:
    """Return the bytes of an order that neither preflight nor schema object to.

    Raises:
        PreflightRefused: the rail, the schema or the bank would refuse it; all findings.
        UnwritableMessage: it cannot be expressed at all.
    """
    prepared = prepare(instruction, rail=rail, writing=writing)
    if prepared.errors:
        raise PreflightRefused(prepared.errors)
    body = write_order([prepared.instruction], writing=writing)
    objections = validate_schema(body)
    if objections:
        raise PreflightRefused(objections)
    return body


def file_name(message_reference: str, digest: str, kind: str = PAIN001_KIND) -> str:
    """Return the name under which a message is handed over; names of two messages never meet."""
    plain = _FILE_NAME_CHARS.sub("-", message_reference).lstrip(".-") or "order"
    return f"{plain}_{digest[:12]}.{kind}.xml"


@transaction.atomic
def withdraw_payment(*, reference: str, reason: str) -> Message:
    """Take a payment out of the queue before any sender has touched it.

    Raises:
        MessageStateRefused: it is not waiting any more (or never was).
    """
    message = (
        Message.objects.select_for_update(of=("self",))
        .defer("body")
        .filter(reference=reference, direction=Direction.OUT, state=MessageState.QUEUED)
        .first()
    )
    if message is None:
        raise MessageStateRefused("This payment does not wait in the queue.", reference=reference)
    batching.take_apart(message)
    refuse(message, reason=reason)
    return message


def refuse(message: Message, *, reason: str) -> None:
    """Record, under the caller's lock, that the bank does not have this payment, or this file."""
    words, now = reason or "no reason given", clock.now()
    message.record_refused(reason=words)
    message.save(update_fields=["state", "reason", "locked_until"])
    for order in batching.carried(message):
        if order.pk != message.pk:
            order.record_refused(reason=words)
            order.save(update_fields=["state", "reason", "locked_until"])
        with events.traced(order.correlation_id):
            events.publish(
                PaymentRefused(
                    reference=order.reference,
                    message_id=order.pk,
                    reason=words,
                    bank_reference="",
                    at=now,
                )
            )
