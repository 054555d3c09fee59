"""Fetch the banks' messages: archive each in its own transaction, then move it out of the way.

A crash between the two is harmless: the bytes are known by their digest, and only the move is made
up for. One collector at a time works on a line; a lease says which.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from core import clock
from core.tenancy import bound
from integrations.channels import Channel, InboundFile, Unreachable, opened
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import read_message
from integrations.constants import COLLECT_FILES_MAX, COLLECT_LEASE_SECONDS, UNKNOWN_KIND
from integrations.engine.line import Admission
from integrations.models import (
    BankConnection,
    ConnectionKind,
    LineNoteKind,
    LineState,
    Message,
    MessageState,
)
from integrations.services import lines
from integrations.services.archiving import archive_file, count_again, set_aside

logger = structlog.get_logger(__name__)

ACTOR: Final = "system:collect"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """What one round brought in."""

    archived: int = 0
    seen_before: int = 0
    set_aside: int = 0
    lines_in_trouble: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A line that this collector may work on, and where it stands."""

    tenant: UUID
    connection: BankConnection
    fence: int
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What became of one file, where it is to lie, and why it is set aside (if it is)."""

    outcome: str
    place: str
    reason: str = ""


def collect_inbound(*, tenant: UUID, limit: int = COLLECT_FILES_MAX) -> CollectReport:
    """Fetch what the banks have for `tenant`, over every active line.

    Raises:
        CalledInsideTransaction: a transaction is open.
    """
    lines.refuse_inside_transaction()
    with bound(tenant, actor=ACTOR):
        codes = list(BankConnection.objects.filter(is_active=True).values_list("pk", flat=True))
    done: Counter[str] = Counter()
    for connection_id in codes:
        turn = _take_turn(tenant, connection_id)
        if turn is not None:
            done += _collect_line(turn, limit)
    kinds = ("archived", "seen_before", "set_aside", "lines_in_trouble")
    return CollectReport(**{kind: done[kind] for kind in kinds})


def _take_turn(tenant: UUID, connection_id: UUID) -> Turn | None:
    with bound(tenant, actor=ACTOR):
        connection = BankConnection.objects.get(pk=connection_id)
        now = clock.now()
        if not lines.is_collected_now(connection=connection, now=now):
            return None
        lease = now + timedelta(seconds=COLLECT_LEASE_SECONDS)
        if lines.admitted(connection=connection, now=now) is not Admission.GRANTED:
            return None
        fence = lines.claim_collecting(connection=connection, until=lease)
        if fence is None:
            return None
        cursor = LineState.objects.get(connection=connection).inbound_cursor
    return Turn(tenant=tenant, connection=connection, fence=fence, cursor=cursor)


def _collect_line(turn: Turn, limit: int) -> Counter[str]:
    done: Counter[str] = Counter()
    began = time.monotonic()
    try:
        with opened(lines.settings_of(turn.connection)) as channel:
            for file in _paced(turn, channel, limit):
                outcome = _take_in(turn, channel, file)
                if outcome is None:
                    break
                done[outcome] += 1
            _return_unreadable(turn, channel)
    except (Unreachable, OSError) as trouble:
        reason = str(trouble)
        logger.warning("line_in_trouble", connection=turn.connection.code, reason=reason)
        done["lines_in_trouble"] += 1
    else:
        reason = ""
    seconds = time.monotonic() - began
    with bound(turn.tenant, actor=ACTOR):
        lines.renew_collecting(connection=turn.connection, fence=turn.fence, until=None)
        if reason:
            lines.record_failure(connection=turn.connection, reason=reason, seconds=seconds)
        else:
            lines.record_success(connection=turn.connection, seconds=seconds)
    return done


def _paced(turn: Turn, channel: Channel, limit: int) -> Iterator[InboundFile]:
    """Yield files; over HTTP each one costs a request, so the rate limit is asked first."""
    files = channel.collect(turn.cursor)
    for number in range(limit):
        if number and turn.connection.kind == ConnectionKind.HTTP and not _admitted(turn):
            return
        file = next(files, None)
        if file is None:
            return
        yield file


def _admitted(turn: Turn) -> bool:
    with bound(turn.tenant, actor=ACTOR):
        admission = lines.admitted(connection=turn.connection, now=clock.now())
    return admission is Admission.GRANTED


def _take_in(turn: Turn, channel: Channel, file: InboundFile) -> str | None:
    """Archive one file and move it away. Return what it was, or None when the lease is lost."""
    archived = _archive(turn, channel, file)
    if archived is None:
        return None
    channel.put_away(file, archived.place, reason=archived.reason)
    return archived.outcome


def _archive(turn: Turn, channel: Channel, file: InboundFile) -> Archived | None:
    until = clock.now() + timedelta(seconds=COLLECT_LEASE_SECONDS)
    with bound(turn.tenant, actor=ACTOR, reason="message of a bank"):
        mine = lines.renew_collecting(
            connection=turn.connection, fence=turn.fence, until=until, cursor=file.cursor
        )
        if not mine:
            return None
        message, is_new = archive_file(connection=turn.connection, file=file)
        if not is_new:
            return _come_again(message, channel, file)
        reason = file.problem or _unreadable_because(message, file)
        if reason and not file.problem:
            set_aside(message_id=message.pk, reason=reason)
        if reason:
            text = f"{file.name}: {reason}"
            lines.note(connection=turn.connection, kind=LineNoteKind.SET_ASIDE, text=text)
        place = channel.place_for(file, reason=reason)
        Message.objects.filter(pk=message.pk).update(put_away=place)
    return Archived(outcome="set_aside" if reason else "archived", place=place, reason=reason)


def _come_again(message: Message, channel: Channel, file: InboundFile) -> Archived:
    """The bytes are known: sent again by the bank, or left over by a collector that crashed."""
    reason = message.reason if message.state == MessageState.SET_ASIDE else ""
    place = message.put_away
    is_left_over = message.name == file.name and place and not channel.lies_at(place)
    if not is_left_over:
        count_again(message_id=message.pk)
        place = channel.place_for(file, reason=reason)
    return Archived(outcome="seen_before", place=place, reason=reason)


def _unreadable_because(message: Message, file: InboundFile) -> str:
    """Return why a file of no known kind cannot be read; empty for the known kinds."""
    if message.kind != UNKNOWN_KIND:
        return ""
    try:
        read_message(file.data)
    except UnreadableMessage as error:
        return f"{error.message} ({error.locator})" if error.locator else error.message
    return "It is of no kind that is read here."


def _return_unreadable(turn: Turn, channel: Channel) -> None:
    """Move files whose reading failed later to those set aside, each with its reason."""
    with bound(turn.tenant, actor=ACTOR):
        rows = list(
            Message.objects.inbound()
            .filter(
                connection=turn.connection,
                state=MessageState.SET_ASIDE,
                put_away__contains="/.handled/",
            )
            .defer("body")[:COLLECT_FILES_MAX]
        )
    for row in rows:
        place = channel.return_as_set_aside(row.put_away, reason=row.reason)
        with bound(turn.tenant, actor=ACTOR):
            Message.objects.filter(pk=row.pk).update(put_away=place)
