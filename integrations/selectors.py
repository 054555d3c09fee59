"""Reads of the room: messages, their bytes, the health of the lines."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count

from core import clock
from integrations.codecs.camt029 import RecallReport
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage, StatusReport
from integrations.dialects.reading import PLAIN, Dialect, parse_dialect
from integrations.dialects.writing import STANDARD, Writing, parse_writing
from integrations.errors import ConnectionUnknown, MessageUnknown, ProfileUnknown
from integrations.models import (
    BankConnection,
    BankProfile,
    LineNote,
    LineState,
    Message,
    MessageQuerySet,
    MessageState,
)

RECENT_MAX: Final = 50
NOTES_SHOWN_MAX: Final = 8


def messages() -> MessageQuerySet:
    """Return the archive without the bytes, newest first."""
    return Message.objects.defer("body").select_related("connection")


def message(message_id: UUID | str) -> Message:
    """Return one message without its bytes.

    Raises:
        MessageUnknown: there is none.
    """
    found = messages().filter(pk=message_id).first()
    if found is None:
        raise MessageUnknown("There is no such message.", id=str(message_id))
    return found


def message_bytes(message_id: UUID | str) -> bytes:
    """Return the bytes as they were received or sent.

    Raises:
        MessageUnknown: there is none.
    """
    row = Message.objects.filter(pk=message_id).values_list("body", flat=True).first()
    if row is None:
        raise MessageUnknown("There is no such message.", id=str(message_id))
    return bytes(row)


def read_archived(message_id: UUID | str) -> ParsedMessage | StatusReport | RecallReport:
    """Read an archived message of a bank in the dialect of the connection that brought it.

    Raises:
        MessageUnknown: there is none.
        ProfileInvalid: the bank's profile is not understood.
        UnreadableMessage: with the reason in words.
    """
    return read_message(message_bytes(message_id), dialect=dialect_of(message_id))


def dialect_of(message_id: UUID | str) -> Dialect:
    """Return the dialect of the bank that sent a message; no profile follows the standards.

    Raises:
        ProfileInvalid: the bank's profile is not understood.
    """
    rows = BankProfile.objects.filter(connections__messages__id=message_id)
    raw = rows.values_list("reading", flat=True).first()
    return parse_dialect(raw) if raw else PLAIN


def writing_of(connection: BankConnection) -> Writing:
    """Return how orders are written for the bank of a connection; no profile is the standard.

    Raises:
        ProfileInvalid: the bank's profile is not understood.
    """
    raw = connection.profile.writing if connection.profile else {}
    return parse_writing(raw) if raw else STANDARD


def writing_for(connection_code: str) -> Writing:
    """Return how orders are written that leave by a connection; the standard when there is none.

    Raises:
        ProfileInvalid: the bank's profile is not understood.
    """
    rows = BankConnection.objects.select_related("profile")
    found = rows.filter(code=connection_code, is_active=True).first()
    return writing_of(found) if found else STANDARD


def payment_message(reference: str) -> Message | None:
    """Return the latest message of a payment by its end-to-end reference."""
    return messages().outbound().filter(reference=reference).order_by("-attempt").first()


def connection_named(code: str) -> BankConnection:
    """Return an active connection.

    Raises:
        ConnectionUnknown: there is none of that code.
    """
    found = BankConnection.objects.filter(code=code, is_active=True).first()
    if found is None:
        raise ConnectionUnknown(f"There is no active bank connection {code}.", field="connection")
    return found


def profile_named(code: str) -> BankProfile:
    """Return an active profile.

    Raises:
        ProfileUnknown: there is none of that code.
    """
    found = BankProfile.objects.filter(code=code, is_active=True).first()
    if found is None:
        raise ProfileUnknown(f"There is no active bank profile {code}.", field="profile")
    return found


def connections() -> list[BankConnection]:
    """Return all connections by code."""
    return list(BankConnection.objects.order_by("code"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One line as the connectivity page shows it."""

    code: str
    name: str
    kind: str
    address: str
    is_active: bool
    health: str
    last_ok_at: datetime | None
    last_error: str
    last_error_at: datetime | None
    circuit_open_until: datetime | None
    failures_in_a_row: int
    waiting: int
    unknown: int
    set_aside: int
    notes: tuple[LineNote, ...]


def connectivity() -> list[LineView]:
    """Return every line with its health, what waits on it and what happened lately."""
    lines = {line.connection_id: line for line in LineState.objects.all()}
    counts = _counts()
    notes: dict[UUID, list[LineNote]] = {}
    for note in LineNote.objects.order_by("-id")[: RECENT_MAX * NOTES_SHOWN_MAX]:
        notes.setdefault(note.connection_id, []).append(note)
    return [
        _line_view(
            connection, lines.get(connection.pk), counts.get(connection.pk, Counter()), notes
        )
        for connection in connections()
    ]


def _counts() -> dict[UUID, Counter[str]]:
    """Count per connection the messages that somebody or something still has to deal with."""
    open_states = (
        MessageState.QUEUED,
        MessageState.SENDING,
        MessageState.UNKNOWN,
        MessageState.SET_ASIDE,
    )
    rows = Message.objects.order_by().filter(state__in=open_states)
    found: dict[UUID, Counter[str]] = {}
    for connection_id, state, count in rows.values_list("connection_id", "state").annotate(
        count=Count("pk")
    ):
        found.setdefault(connection_id, Counter())[state] = count
    return found


def _line_view(
    connection: BankConnection,
    line: LineState | None,
    counts: Counter[str],
    notes: dict[UUID, list[LineNote]],
) -> LineView:
    return LineView(
        code=connection.code,
        name=connection.name,
        kind=connection.get_kind_display(),
        address=connection.base_url or connection.directory,
        is_active=connection.is_active,
        health=health_of(connection, line),
        last_ok_at=line.last_ok_at if line else None,
        last_error=line.last_error if line else "",
        last_error_at=line.last_error_at if line else None,
        circuit_open_until=line.circuit_open_until if line else None,
        failures_in_a_row=line.failures_in_a_row if line else 0,
        waiting=counts[MessageState.QUEUED] + counts[MessageState.SENDING],
        unknown=counts[MessageState.UNKNOWN],
        set_aside=counts[MessageState.SET_ASIDE],
        notes=tuple(notes.get(connection.pk, [])[:NOTES_SHOWN_MAX]),
    )


def health_of(connection: BankConnection, line: LineState | None) -> str:
    """Return `off`, `never used`, `open circuit`, `failing` or `ok`."""
    if not connection.is_active:
        return "off"
    if line is None or (line.last_ok_at is None and not line.failures_in_a_row):
        return "never used"
    if line.is_open:
        return "open circuit"
    return "failing" if line.failures_in_a_row else "ok"


def open_circuits() -> list[str]:
    """Return the codes of active lines whose circuit is open."""
    return list(
        LineState.objects.filter(
            circuit_open_until__isnull=False, connection__is_active=True
        ).values_list("connection__code", flat=True)
    )


def recent_messages(*, limit: int = RECENT_MAX) -> list[Message]:
    """Return the newest messages in both directions."""
    return list(messages().order_by("-id")[:limit])


def needing_a_person(*, limit: int = RECENT_MAX) -> list[Message]:
    """Return messages set aside, and payments whose outcome is unknown, oldest first."""
    states = (MessageState.SET_ASIDE, MessageState.UNKNOWN)
    return list(messages().filter(state__in=states).order_by("id")[:limit])


def oldest_waiting_seconds() -> float | None:
    """Return for how long the oldest due outbound message has been waiting."""
    now = clock.now()
    waiting = Message.objects.due(MessageState.QUEUED, now=now).order_by("due_at").first()
    if waiting is None or waiting.due_at is None:
        return None
    return (now - waiting.due_at).total_seconds()
