"""Reads of the room: messages, their bytes, the health of the lines."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q
from psycopg.pq import Format

from core import clock
from integrations.codecs import verbatim
from integrations.codecs.bodies import body_digest
from integrations.codecs.camt029 import RecallReport
from integrations.codecs.rails import RAILS
from integrations.codecs.reading import read_message
from integrations.codecs.records import Finding, ParsedMessage, StatusReport
from integrations.dialects.reading import PLAIN, Dialect, parse_dialect
from integrations.dialects.writing import STANDARD, Writing, parse_writing
from integrations.engine.health import Bar, Sample, gathered, picture
from integrations.engine.routes import Gap, Sender, Way, ways_for
from integrations.engine.timetable import ALL_WEEKDAYS
from integrations.errors import ConnectionUnknown, MessageUnknown, ProfileUnknown
from integrations.models import (
    BankConnection,
    BankProfile,
    LineNote,
    LineSample,
    LineState,
    Message,
    MessageQuerySet,
    MessageState,
    Route,
)

RECENT_MAX: Final = 50
NOTES_SHOWN_MAX: Final = 8
# A day in pictures of half an hour each.
PICTURE_MINUTES: Final = 30
PICTURE_BARS: Final = 48
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


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


def was_handled(message_id: UUID | str) -> bool:
    """Say whether a message's content is in the books already.

    Raises:
        MessageUnknown: there is none.
    """
    return bool(message(message_id).state == MessageState.HANDLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A message as it was when it was opened; its bytes are fetched once, when they are needed."""

    row: Message

    @property
    def was_handled(self) -> bool:
        """Say whether its content is in the books already."""
        return bool(self.row.state == MessageState.HANDLED)

    @property
    def data(self) -> bytes:
        """Return the bytes as they were received."""
        if "body" in self.row.get_deferred_fields():
            self.row.body = message_bytes(self.row.pk)
        return bytes(self.row.body)

    def dialect(self) -> Dialect:
        """Return the dialect of the bank that sent it; no profile follows the standards.

        Raises:
            ProfileInvalid: the bank's profile is not understood.
        """
        profile = self.row.connection.profile
        return parse_dialect(profile.reading) if profile and profile.reading else PLAIN

    def body_sha256(self) -> str:
        """Return what messages share that differ in number and time only; empty if unknown.

        Raises:
            ProfileInvalid: the bank's profile is not understood.
        """
        return body_digest(self.data, dialect=self.dialect())

    def read(self) -> ParsedMessage | StatusReport | RecallReport:
        """Read it in its bank's dialect.

        Raises:
            ProfileInvalid: the bank's profile is not understood.
            UnreadableMessage: with the reason in words.
        """
        return read_message(self.data, dialect=self.dialect())

    def handled_twin(self) -> UUID | None:
        """Return a handled message of the same bytes from another line that reads alike."""
        twins = messages().inbound().filter(sha256=self.row.sha256, state=MessageState.HANDLED)
        for twin in twins.exclude(pk=self.row.pk):
            if twin.connection.profile_id == self.row.connection.profile_id:
                return twin.pk
        return None


def opened(message_id: UUID | str) -> Archived:
    """Open a message to read it.

    Raises:
        MessageUnknown: there is none.
    """
    rows = Message.objects.defer("body").select_related("connection__profile")
    found = rows.filter(pk=message_id).first()
    if found is None:
        raise MessageUnknown("There is no such message.", id=str(message_id))
    return Archived(row=found)


def message_bytes(message_id: UUID | str) -> bytes:
    """Return the bytes as they were received or sent.

    Raises:
        MessageUnknown: there is none.
    """
    with connection.cursor() as cursor:
        # As they are: in the text of an answer every byte is two, written here and read there.
        cursor.cursor.format = Format.BINARY
        cursor.execute("SELECT body FROM integrations_message WHERE id = %s", [str(message_id)])
        found = cursor.fetchone()
    if found is None:
        raise MessageUnknown("There is no such message.", id=str(message_id))
    return bytes(found[0])


def bodies_since(connection_code: str, since: datetime) -> list[bytes]:
    """Return what a line's bank has sent since a moment, oldest first."""
    rows = Message.objects.inbound().filter(connection__code=connection_code, created_at__gte=since)
    return [bytes(body) for body in rows.order_by("id").values_list("body", flat=True)]


def read_archived(message_id: UUID | str) -> ParsedMessage | StatusReport | RecallReport:
    """Read an archived message of a bank in the dialect of the connection that brought it.

    Raises:
        MessageUnknown: there is none.
        ProfileInvalid: the bank's profile is not understood.
        UnreadableMessage: with the reason in words.
    """
    return opened(message_id).read()


def written_at(message_id: UUID | str, *, locator: str) -> tuple[tuple[str, str], ...]:
    """Return everything that an archived message says about the entry at a place in it.

    Raises:
        MessageUnknown: there is none.
        UnreadableMessage: the message cannot be read that far.
    """
    data = message_bytes(message_id)
    return verbatim.written_at(data, locator=locator, dialect=dialect_of(message_id))


def remarks_at(message_id: UUID | str, *, locator: str) -> tuple[Finding, ...]:
    """Return what was remarked while the entry at a place was read.

    Raises:
        MessageUnknown: there is none.
        UnreadableMessage: the message cannot be read.
    """
    found = read_archived(message_id).findings
    _, mark, entry = locator.partition(", entry ")
    tail = f"{mark}{entry}"
    return tuple(
        one for one in found if one.locator == locator or (mark and one.locator.endswith(tail))
    )


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


def line_of(message_id: UUID | str) -> str:
    """Return the code of the line that an archived message came over; empty if there is none."""
    rows = Message.objects.filter(pk=message_id).values_list("connection__code", flat=True)
    return rows.first() or ""


def lines_of_payments(homes: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the lines whose bank may speak about each payment, given its home line by reference.

    Its home line, those that routes lead to from there, and those that carried an order of it.
    """
    routes: dict[str, set[str]] = defaultdict(set)
    leading = Route.objects.filter(home__code__in=set(homes.values()))
    for home, code in leading.values_list("home__code", "connection__code"):
        routes[home].add(code)
    found = {reference: {home, *routes[home]} for reference, home in homes.items()}
    orders = Message.objects.outbound().filter(reference__in=list(homes))
    for reference, *codes in orders.values_list(
        "reference", "connection__code", "routed_from__code"
    ):
        found[reference].update(code for code in codes if code)
    return found


def references_in_file(file_reference: str) -> list[tuple[str, str]]:
    """Return the orders that went in one file: end-to-end and message reference of each."""
    if not file_reference:
        return []
    rows = Message.objects.outbound().filter(carrier__message_reference=file_reference)
    return list(rows.order_by("id").values_list("reference", "message_reference"))


def orders_named(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the end-to-end references of our orders by the name that they went under.

    That is the reference of the file that carried them, or an order's own where it went alone.
    Names that are none of ours are left out.
    """
    wanted, found = {name for name in names if name}, defaultdict[str, list[str]](list)
    if not wanted:
        return {}
    sent = Message.objects.outbound().order_by("id")
    carried = sent.filter(carrier__message_reference__in=wanted)
    alone = sent.filter(message_reference__in=wanted, carrier=None, orders_count=0)
    for rows in (
        carried.values_list("carrier__message_reference", "reference"),
        alone.values_list("message_reference", "reference"),
    ):
        for name, reference in rows:
            found[name].append(reference)
    return dict(found)


def orders_in(file: Message) -> MessageQuerySet:
    """Return the orders that a file carries, in its order; none for an order by itself."""
    return messages().filter(carrier=file).order_by("id")


def file_of(message_id: UUID | str) -> Message | None:
    """Return the file that carries an order together with others, without its bytes."""
    return messages().filter(orders__pk=message_id).first()


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


def routes() -> list[Route]:
    """Return all routes in the order of their ends."""
    return list(Route.objects.select_related("home", "connection"))


def ways_of(home: str, *, account: str, rail: str) -> list[Way]:
    """Return the ways of a payment from a home line, the first choice first."""
    rows = Route.objects.filter(home__code=home, is_active=True)
    ways = [_way(row) for row in rows.select_related("home", "connection")]
    return ways_for(ways, account=account, rail=rail)


def route_gaps(senders: Sequence[Sender]) -> list[Gap]:
    """Return for each account the rails of its currency that no payment could take, and why."""
    by_home: dict[str, list[Way]] = {}
    for row in Route.objects.filter(is_active=True).select_related("home", "connection"):
        by_home.setdefault(row.home.code, []).append(_way(row))
    open_lines = {line.code for line in connections() if line.is_active}
    found = []
    for sender in senders:
        rails = [code for code, rule in RAILS.items() if rule.currency in (None, sender.currency)]
        label = f"{sender.label} …{sender.number_end}"
        for rail in rails:
            ways = by_home.get(sender.connection, [])
            fitting = ways_for(ways, account=sender.number_end, rail=rail)
            if reason := _gap(sender, fitting, open_lines):
                found.append(Gap(label=label, rail=rail, reason=reason))
    return found


def _gap(sender: Sender, ways: Sequence[Way], open_lines: set[str]) -> str:
    """Return why nothing could leave; empty when it could."""
    if any(way.connection.is_active for way in ways):
        return ""
    if ways:
        return "Every line of its routes is switched off."
    if sender.connection in open_lines:
        return ""
    if not sender.connection:
        return "Its bank has no line."
    return f"There is no open line {sender.connection}."


def _way(row: Route) -> Way:
    return Way(
        account=row.account,
        rail=row.rail,
        home=row.home,
        connection=row.connection,
        priority=row.priority,
    )


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
    profile: str
    asked: str
    is_test_line: bool
    bars: tuple[Bar, ...]

    @property
    def ok_count(self) -> int:
        """Return how many calls of the last day went well."""
        return sum(bar.sample.ok for bar in self.bars)

    @property
    def failed_count(self) -> int:
        """Return how many calls of the last day failed."""
        return sum(bar.sample.failed for bar in self.bars)

    @property
    def latency_ms(self) -> int | None:
        """Return how long an answer took on average during the last day."""
        calls = self.ok_count + self.failed_count
        return sum(bar.sample.latency_ms_sum for bar in self.bars) // calls if calls else None

    @property
    def latency_ms_max(self) -> int:
        """Return how long the slowest answer of the last day took."""
        return max((bar.sample.latency_ms_max for bar in self.bars), default=0)


def connectivity() -> list[LineView]:
    """Return every line with its health, what waits on it and what happened lately."""
    lines = {line.connection_id: line for line in LineState.objects.all()}
    counts, samples = _counts(), _samples()
    notes: dict[UUID, list[LineNote]] = {}
    for note in LineNote.objects.order_by("-id")[: RECENT_MAX * NOTES_SHOWN_MAX]:
        notes.setdefault(note.connection_id, []).append(note)
    now = clock.now()
    return [
        _line_view(
            connection,
            lines.get(connection.pk),
            counts.get(connection.pk, Counter()),
            notes,
            _bars(samples.get(connection.pk, []), now),
        )
        for connection in BankConnection.objects.select_related("profile").order_by("code")
    ]


def _samples() -> dict[UUID, list[Sample]]:
    """Return what was counted of each line during the last day."""
    since = clock.now() - timedelta(minutes=PICTURE_MINUTES * PICTURE_BARS)
    found: dict[UUID, list[Sample]] = {}
    for row in LineSample.objects.order_by().filter(at__gte=since):
        sample = Sample(
            at=row.at,
            ok=row.ok,
            failed=row.failed,
            latency_ms_sum=row.latency_ms_sum,
            latency_ms_max=row.latency_ms_max,
        )
        found.setdefault(row.connection_id, []).append(sample)
    return found


def _bars(samples: Sequence[Sample], now: datetime) -> tuple[Bar, ...]:
    spans = gathered(samples, until=now, minutes=PICTURE_MINUTES, count=PICTURE_BARS)
    return tuple(picture(spans))


def _asked(connection: BankConnection) -> str:
    """Say when a line is asked for messages."""
    pause = f"every {connection.poll_seconds} s" if connection.poll_seconds else "all the time"
    days = connection.collect_weekdays
    shown = (
        ""
        if len(days) == len(ALL_WEEKDAYS)
        else " on " + " ".join(WEEKDAYS[int(day) - 1] for day in sorted(days))
    )
    if connection.collect_opens_at is None or connection.collect_closes_at is None:
        return f"asked {pause}{shown}"
    hours = f"{connection.collect_opens_at:%H:%M}–{connection.collect_closes_at:%H:%M}"
    return f"asked {pause}{shown}, {hours} {connection.collect_zone}"


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
    bars: tuple[Bar, ...],
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
        profile=connection.profile.name if connection.profile else "",
        asked=_asked(connection),
        is_test_line=connection.is_test_line,
        bars=bars,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AsideFilter:
    """What of the quarantine is looked for; empty is all."""

    connection: str = ""
    words: str = ""


def set_aside(wanted: AsideFilter, *, before: UUID | None = None) -> MessageQuerySet:
    """Return the messages that were set aside, newest first, from an older one on."""
    found = messages().inbound().filter(state=MessageState.SET_ASIDE).order_by("-id")
    if wanted.connection:
        found = found.filter(connection__code=wanted.connection)
    if wanted.words:
        found = found.filter(Q(name__icontains=wanted.words) | Q(reason__icontains=wanted.words))
    return found if before is None else found.filter(pk__lt=before)


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
