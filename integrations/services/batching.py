"""Files of several orders: gathered when the first of them is due, then one way for all of them.

An order is queued by itself, with its own bytes, and sealed. When its time has come, those that may
share its file are gathered, in the transaction that claims the file; from then on the orders go the
way of their file. What ended as unknown is asked about order by order.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from django.db import IntegrityError, transaction

from core import clock
from core.ids import uuid7
from integrations import selectors
from integrations.codecs import batches
from integrations.constants import FILE_PREFIX, SEAL_CONSTRAINT
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.writing import Writing
from integrations.models import Direction, Message, MessageState

# An order never waits for company into the last minute before its cut-off.
CUTOFF_MARGIN: Final = timedelta(minutes=1)


def group_of(body: bytes, *, message_reference: str, rail: str, writing: Writing) -> str:
    """Return what an order shares with those that may go in its file; empty when it goes alone."""
    if writing.max_payments_per_file == 1:
        return ""
    return batches.group_key(body, reference=message_reference, rail=rail)


def leaves_at(*, group_key: str, writing: Writing, not_after: datetime | None) -> datetime:
    """Return until when an order waits for company: a short while, less before the cut-off."""
    now = clock.now()
    if not group_key:
        return now
    waiting = Message.objects.filter(group_key=group_key, state=MessageState.QUEUED, carrier=None)
    # It fills the file that those before it began.
    if (waiting.count() + 1) % writing.max_payments_per_file == 0:
        return now
    latest = not_after - CUTOFF_MARGIN if not_after else None
    wished = now + timedelta(seconds=writing.gather_seconds)
    return max(now, min(wished, latest or wished))


def gathered(message: Message, *, now: datetime) -> Message:
    """Return the file that carries a due order together with others, or the order itself.

    In the caller's transaction and under its lock. A file that the database does not take sends
    nobody: each of its orders then goes alone, and the one that is not as approved is refused.

    Raises:
        IntegrityError: of anything but a broken seal.
    """
    if not message.group_key or message.orders_count:
        return message
    company = _company_of(message, now=now)
    if not company:
        return message
    try:
        with transaction.atomic():
            return _file_of([message, *company])
    except IntegrityError as error:
        if not breaks_the_seal(error):
            raise
        message.refresh_from_db()
        return message


def breaks_the_seal(error: IntegrityError) -> bool:
    """Say whether the database refused bytes that nobody approved."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) == SEAL_CONSTRAINT


def _company_of(message: Message, *, now: datetime) -> list[Message]:
    home = message.routed_from or message.connection
    try:
        most = selectors.writing_of(home).max_payments_per_file
    except ProfileInvalid:
        return []
    waiting = (
        Message.objects.outbound()
        .filter(
            group_key=message.group_key,
            state=MessageState.QUEUED,
            carrier=None,
            connection=message.connection_id,
            routed_from=message.routed_from_id,
        )
        .exclude(pk=message.pk)
        .exclude(expires_at__lte=now)
    )
    return list(waiting.select_for_update(skip_locked=True).order_by("id")[: most - 1])


def _file_of(orders: list[Message]) -> Message:
    first, now, key = orders[0], clock.now(), uuid7()
    reference = f"{FILE_PREFIX}{key.hex}"
    parts = [batches.cut(bytes(one.body), reference=one.message_reference) for one in orders]
    body = batches.joined([one for one in parts if one], reference=reference, created_at=now)
    digest = sha256(body).hexdigest()
    file = Message.objects.create(
        id=key,
        direction=Direction.OUT,
        connection=first.connection,
        routed_from=first.routed_from,
        routed_account=first.routed_account,
        kind=first.kind,
        name=f"{reference}_{digest[:12]}.{first.kind}.xml",
        body=body,
        sha256=digest,
        size_bytes=len(body),
        state=MessageState.QUEUED,
        rail=first.rail,
        reference=reference,
        message_reference=reference,
        attempt=1,
        due_at=now,
        expires_at=min((one.expires_at for one in orders if one.expires_at), default=None),
        orders_count=len(orders),
    )
    for order in orders:
        order.carrier = file
        order.save(update_fields=["carrier"])
    return file


def carried(message: Message) -> list[Message]:
    """Return the orders that a message hands over, under a lock: those of a file, or itself."""
    if not message.orders_count:
        return [message]
    rows = Message.objects.select_for_update(of=("self",)).defer("body")
    return list(rows.filter(carrier=message).order_by("id"))


def take_apart(order: Message) -> None:
    """Give up the file of a queued order before any sender took it; its others go anew."""
    if order.carrier_id is None:
        return
    file = Message.objects.select_for_update(of=("self",)).defer("body").get(pk=order.carrier_id)
    give_up(file, reason="It was taken apart: one of its orders was withdrawn.")
    order.refresh_from_db(fields=["carrier"])


def give_up(file: Message, *, reason: str) -> None:
    """End, under the caller's lock, a file that no sender took; each order goes on by itself."""
    file.record_refused(reason=reason)
    file.save(update_fields=["state", "reason", "locked_until"])
    for one in carried(file):
        one.carrier = None
        one.save(update_fields=["carrier"])


def end_file_of(order: Message) -> None:
    """Let the file of an order end when the outcome of its last order is known."""
    if order.carrier_id is None:
        return
    file = Message.objects.select_for_update(of=("self",)).defer("body").get(pk=order.carrier_id)
    states = set(file.orders.values_list("state", flat=True))
    if file.state != MessageState.UNKNOWN or MessageState.UNKNOWN in states:
        return
    if MessageState.SENT in states:
        file.record_sent(receipt={"found_by": "its orders"}, at=clock.now())
        file.save(update_fields=["state", "bank_receipt", "sent_at", "reason", "locked_until"])
    else:
        file.record_refused(reason="The bank knows none of its payments.")
        file.save(update_fields=["state", "reason", "locked_until"])
