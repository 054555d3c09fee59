"""Keep every message of a bank, once, with its bytes; say what became of it."""

import hashlib
from uuid import UUID

from django.db import transaction
from django.db.models import F

from core import clock, events
from core.errors import Forbidden
from core.identity.models import User
from integrations import selectors
from integrations.channels.folder import printable
from integrations.channels.protocol import InboundFile
from integrations.codecs.reading import identify
from integrations.constants import REASON_CHARS_MAX, TRY_AGAIN_MAX, UNKNOWN_KIND
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.reading import PLAIN, Dialect, parse_dialect
from integrations.errors import MessageStateRefused, MessageUnknown
from integrations.events import MessageReceived, MessageSetAside
from integrations.models import BankConnection, Direction, Message, MessageState

ROLES_FOR_TRYING_AGAIN = (
    "treasury_maker",
    "treasury_manager",
    "back_office",
    "recon_analyst",
    "static_data",
    "tenant_admin",
)


@transaction.atomic
def archive_inbound(*, connection_code: str, name: str, data: bytes) -> Message:
    """Archive a bank's message and announce it; the same bytes again only count.

    Raises:
        ConnectionUnknown: no active connection has this code.
    """
    connection = selectors.connection_named(connection_code)
    file = InboundFile(
        name=printable(name),
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
    )
    message, is_new = archive_file(connection=connection, file=file)
    if not is_new:
        count_again(message_id=message.pk)
    return message


def archive_file(*, connection: BankConnection, file: InboundFile) -> tuple[Message, bool]:
    """Archive what a channel brought and announce it, in the caller's transaction.

    Return the message and whether it is new. Two workers race for the unique digest: the second
    waits for the first to commit and finds its row.
    """
    kind = identify(file.data, dialect=dialect_of(connection)) if not file.problem else None
    row = Message(
        direction=Direction.IN,
        connection=connection,
        kind=kind or UNKNOWN_KIND,
        name=file.name,
        body=file.data,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        state=MessageState.SET_ASIDE if file.problem else MessageState.RECEIVED,
        reason=file.problem,
    )
    Message.objects.bulk_create([row], ignore_conflicts=True)
    stored = selectors.messages().inbound().get(connection=connection, sha256=file.sha256)
    is_new = stored.pk == row.pk
    if is_new:
        _announce(stored, connection)
    return stored, is_new


def dialect_of(connection: BankConnection) -> Dialect:
    """Return how a bank speaks; a profile that is not understood must not keep messages out."""
    try:
        return parse_dialect(connection.profile.reading) if connection.profile else PLAIN
    except ProfileInvalid:
        return PLAIN


def _announce(message: Message, connection: BankConnection) -> None:
    if message.state == MessageState.SET_ASIDE:
        events.publish(_set_aside_event(message, connection.code))
        return
    events.publish(
        MessageReceived(
            message_id=message.pk,
            kind=message.kind,
            connection=connection.code,
            sha256=message.sha256,
        )
    )


def _set_aside_event(message: Message, connection_code: str) -> MessageSetAside:
    return MessageSetAside(
        message_id=message.pk,
        name=message.name,
        connection=connection_code,
        reason=message.reason,
    )


def count_again(*, message_id: UUID) -> None:
    """Count that the bank sent the same bytes once more."""
    Message.objects.filter(pk=message_id).update(seen_count=F("seen_count") + 1)


def _require_trier(actor: User) -> None:
    if not actor.has_role(*ROLES_FOR_TRYING_AGAIN):
        raise Forbidden("Your roles do not allow taking messages up again.")


def _locked(message_id: UUID | str) -> Message:
    found = (
        Message.objects.select_for_update(of=("self",))
        .select_related("connection")
        .defer("body")
        .filter(pk=message_id, direction=Direction.IN)
        .first()
    )
    if found is None:
        raise MessageUnknown("There is no such inbound message.", id=str(message_id))
    return found


@transaction.atomic
def mark_handled(*, message_id: UUID | str) -> Message:
    """Note that a message's content is in the books; again changes nothing.

    Raises:
        MessageUnknown: there is none.
        MessageStateRefused: it was set aside.
    """
    message = _locked(message_id)
    if message.state == MessageState.HANDLED:
        return message
    if message.state != MessageState.RECEIVED:
        raise MessageStateRefused("A message that was set aside is taken up again first.")
    message.handle(at=clock.now())
    message.save(update_fields=["state", "handled_at", "reason"])
    return message


@transaction.atomic
def set_aside(*, message_id: UUID | str, reason: str) -> Message:
    """Set a message aside with a reason for people; again keeps the first reason.

    Raises:
        MessageUnknown: there is none.
        MessageStateRefused: it is in the books already.
    """
    message = _locked(message_id)
    if message.state == MessageState.SET_ASIDE:
        return message
    if message.state != MessageState.RECEIVED:
        raise MessageStateRefused("This message is in the books already.")
    message.set_aside(reason=reason[:REASON_CHARS_MAX] or "no reason given")
    message.save(update_fields=["state", "reason"])
    events.publish(_set_aside_event(message, message.connection.code))
    return message


@transaction.atomic
def try_again(*, message_id: UUID | str, actor: User) -> Message:
    """Take a message up again that was set aside, as if it had just been received.

    Raises:
        MessageUnknown: there is none.
        MessageStateRefused: it was not set aside, or its bytes were not kept.
        Forbidden: the person has none of the roles for this.
    """
    _require_trier(actor)
    message = _locked(message_id)
    if message.state != MessageState.SET_ASIDE:
        raise MessageStateRefused("Only a message that was set aside is taken up again.")
    data = selectors.message_bytes(message.pk)
    if not data:
        raise MessageStateRefused("This message's bytes were not kept; ask the bank for it.")
    message.kind = identify(data, dialect=dialect_of(message.connection)) or UNKNOWN_KIND
    message.take_up_again()
    message.save(update_fields=["state", "reason", "kind"])
    _announce(message, message.connection)
    return message


def try_connection_again(*, connection_code: str, actor: User) -> int:
    """Take up again what was set aside from one connection, oldest first; return how many.

    Each message has its own transaction: one that went on meanwhile keeps none of the others. What
    was too large to keep stays aside.

    Raises:
        ConnectionUnknown: no active connection has this code.
        Forbidden: the person has none of the roles for this.
    """
    _require_trier(actor)
    connection = selectors.connection_named(connection_code)
    waiting = selectors.set_aside(selectors.AsideFilter(connection=connection.code))
    tried = 0
    for message_id in waiting.reverse().values_list("pk", flat=True)[:TRY_AGAIN_MAX]:
        try:
            try_again(message_id=message_id, actor=actor)
        except MessageStateRefused:
            continue
        tried += 1
    return tried
