"""The lines themselves: settings, admission, health, history."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db import connection as database
from django.db import transaction

from core import clock, events
from core.errors import Forbidden
from core.identity.models import User
from core.tenancy import bound
from integrations import selectors
from integrations.channels import LineSettings, Unreachable, opened
from integrations.constants import FOLDER_CALL_SECONDS, NOTES_PER_LINE_MAX, REASON_CHARS_MAX
from integrations.engine.line import Admission, Line, admit, after_failure, after_success
from integrations.errors import CalledInsideTransaction, ConnectionUnknown, LineMisconfigured
from integrations.events import CircuitChanged
from integrations.models import (
    BankConnection,
    ConnectionKind,
    LineNote,
    LineNoteKind,
    LineState,
)

ROLES_FOR_LINES = ("static_data", "tenant_admin", "treasury_manager")
# A line that works is asked every second; its row need not change as often.
_OK_RESOLUTION = timedelta(seconds=10)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionIn:
    """A connection as it shall be; an empty secret keeps the present one."""

    code: str
    name: str
    kind: str
    directory: str = ""
    base_url: str = ""
    secret: str = field(default="", repr=False)
    connect_timeout_seconds: int = 5
    read_timeout_seconds: int = 10
    rate_per_minute: int = 600
    retries_max: int = 20
    is_active: bool = True
    profile: str = ""


@transaction.atomic
def save_connection(*, wish: ConnectionIn) -> BankConnection:
    """Create the connection of this code, or bring it up to date.

    Raises:
        LineMisconfigured: the address does not fit the kind, or would send secrets in the clear.
        ProfileUnknown: no active profile has the code that is named.
    """
    check_address(kind=wish.kind, directory=wish.directory, base_url=wish.base_url)
    found = BankConnection.objects.select_for_update().filter(code=wish.code).first()
    connection = found or BankConnection(code=wish.code)
    for name in (
        "name",
        "kind",
        "directory",
        "base_url",
        "connect_timeout_seconds",
        "read_timeout_seconds",
        "rate_per_minute",
        "retries_max",
        "is_active",
    ):
        setattr(connection, name, getattr(wish, name))
    if wish.secret:
        connection.secret = wish.secret
    connection.profile = selectors.profile_named(wish.profile) if wish.profile else None
    connection.save()
    return connection


def check_address(*, kind: str, directory: str, base_url: str) -> None:
    """Refuse an address that cannot work or is not safe.

    Raises:
        LineMisconfigured: with the field.
    """
    if kind == ConnectionKind.FOLDER:
        if not directory.startswith("/") or ".." in directory.split("/") or base_url:
            message = "A folder line needs an absolute directory and no address."
            raise LineMisconfigured(message, field="directory")
        return
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or directory:
        message = "An HTTP line needs an http(s) address and no directory."
        raise LineMisconfigured(message, field="base_url")
    if parts.username or parts.query or parts.fragment:
        message = "The address holds no user name, query or fragment."
        raise LineMisconfigured(message, field="base_url")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        message = "Payments leave this machine over https only."
        raise LineMisconfigured(message, field="base_url")


def settings_of(connection: BankConnection) -> LineSettings:
    """Return what a channel needs to know."""
    return LineSettings(
        code=connection.code,
        kind=connection.kind,
        directory=connection.directory,
        base_url=connection.base_url,
        secret=connection.secret or "",
        connect_timeout_seconds=connection.connect_timeout_seconds,
        read_timeout_seconds=connection.read_timeout_seconds,
    )


def call_seconds(line: LineSettings) -> float:
    """Return how long one call may take at the most."""
    if line.kind == ConnectionKind.FOLDER:
        return FOLDER_CALL_SECONDS
    return line.connect_timeout_seconds + 2 * line.read_timeout_seconds


def refuse_inside_transaction() -> None:
    """Make sure that no transaction is open while a bank is called.

    Raises:
        CalledInsideTransaction: one is.
    """
    if database.in_atomic_block:
        raise CalledInsideTransaction("A bank is never called inside a transaction.")


def locked_line(connection_id: UUID) -> LineState:
    """Return the line's memory under a lock that lasts until the end of the transaction."""
    rows = LineState.objects.select_for_update()
    found = rows.filter(connection_id=connection_id).first()
    if found is None:
        LineState.objects.bulk_create(
            [LineState(connection_id=connection_id)], ignore_conflicts=True
        )
        found = rows.get(connection_id=connection_id)
    return found


def _as_line(row: LineState) -> Line:
    return Line(
        failures_in_a_row=row.failures_in_a_row,
        circuit_open_until=row.circuit_open_until,
        tokens=row.tokens,
        tokens_at=row.tokens_at,
    )


def _store(row: LineState, line: Line, *more: str) -> None:
    row.failures_in_a_row = line.failures_in_a_row
    row.circuit_open_until = line.circuit_open_until
    row.tokens, row.tokens_at = line.tokens, line.tokens_at
    names = ("failures_in_a_row", "circuit_open_until", "tokens", "tokens_at")
    row.save(update_fields=[*names, *more])


def admitted(*, connection: BankConnection, now: datetime) -> Admission:
    """Ask the line for one request and take it, in the caller's transaction."""
    row = locked_line(connection.pk)
    admission, line = admit(_as_line(row), rate_per_minute=connection.rate_per_minute, now=now)
    if admission is Admission.GRANTED:
        _store(row, line)
    return admission


def record_success(*, connection: BankConnection) -> None:
    """Note that the bank answered; closes an open circuit."""
    row, now = locked_line(connection.pk), clock.now()
    healed, was_open = row.failures_in_a_row > 0, row.is_open
    fresh = row.last_ok_at is not None and now - row.last_ok_at < _OK_RESOLUTION
    if fresh and not healed and not was_open:
        return
    row.last_ok_at = now
    _store(row, after_success(_as_line(row)), "last_ok_at")
    if healed:
        note(connection=connection, kind=LineNoteKind.HEALED, text="")
    if was_open:
        events.publish(CircuitChanged(connection=connection.code, is_open=False, reason="", at=now))


def record_failure(*, connection: BankConnection, reason: str) -> None:
    """Note that a call failed; too many in a row open the circuit."""
    row, now = locked_line(connection.pk), clock.now()
    was_open = row.is_open
    reason = reason[:REASON_CHARS_MAX]
    row.last_error, row.last_error_at = reason, now
    _store(row, after_failure(_as_line(row), now=now), "last_error", "last_error_at")
    note(connection=connection, kind=LineNoteKind.FAILED, text=reason)
    if row.is_open and not was_open:
        note(connection=connection, kind=LineNoteKind.OPENED, text=reason)
        events.publish(
            CircuitChanged(connection=connection.code, is_open=True, reason=reason, at=now)
        )


def note(*, connection: BankConnection, kind: str, text: str) -> None:
    """Write a line of history and let the oldest make room."""
    LineNote.objects.create(connection=connection, kind=kind, text=text, at=clock.now())
    kept = LineNote.objects.filter(connection=connection).order_by("-id")
    oldest_kept = kept.values_list("pk", flat=True)[NOTES_PER_LINE_MAX - 1 : NOTES_PER_LINE_MAX]
    for limit in list(oldest_kept):
        LineNote.objects.filter(connection=connection, pk__lt=limit).delete()


def claim_collecting(*, connection: BankConnection, until: datetime) -> int | None:
    """Lease the line's inbound side to one collector; return its fence, or None when taken."""
    row = locked_line(connection.pk)
    if row.collect_locked_until is not None and row.collect_locked_until > clock.now():
        return None
    row.collect_locked_until = until
    row.collect_fence += 1
    row.save(update_fields=["collect_locked_until", "collect_fence"])
    return row.collect_fence


def renew_collecting(
    *, connection: BankConnection, fence: int, until: datetime | None, cursor: str = ""
) -> bool:
    """Keep the lease until `until` (None gives it back) and move the cursor; False when lost."""
    changes: dict[str, object] = {"collect_locked_until": until}
    if cursor:
        changes["inbound_cursor"] = cursor
    rows = LineState.objects.filter(connection=connection, collect_fence=fence)
    return rows.update(**changes) == 1


@transaction.atomic
def request_probe(*, code: str, actor: User) -> LineState:
    """Ask for a test of a line; the channels' loop makes it outside of any transaction.

    Raises:
        ConnectionUnknown: no connection has this code.
        Forbidden: the person has none of the roles for this.
    """
    if not actor.has_role(*ROLES_FOR_LINES):
        raise Forbidden("Your roles do not allow testing lines.")
    connection = BankConnection.objects.filter(code=code).first()
    if connection is None:
        raise ConnectionUnknown(f"There is no bank connection {code}.", field="code")
    row = locked_line(connection.pk)
    row.probe_requested_at = clock.now()
    row.save(update_fields=["probe_requested_at"])
    return row


def probe_requested(*, tenant: UUID) -> list[str]:
    """Test the lines that a person asked to be tested; return what was found, in sentences.

    The circuit does not hold such a test back, and a line that answers is closed again.

    Raises:
        CalledInsideTransaction: a transaction is open.
    """
    refuse_inside_transaction()
    with bound(tenant, actor="system:channels", reason="test of a line"):
        asked = LineState.objects.filter(probe_requested_at__isnull=False)
        rows = list(asked.select_for_update(skip_locked=True, of=("self",)))
        for row in rows:
            row.probe_requested_at = None
            row.save(update_fields=["probe_requested_at"])
        wanted = [row.connection_id for row in rows]
        found = list(BankConnection.objects.filter(pk__in=wanted))
    return [_probe(tenant, connection) for connection in found]


def _probe(tenant: UUID, connection: BankConnection) -> str:
    trouble = ""
    try:
        with opened(settings_of(connection)) as channel:
            sentence = channel.probe()
    except Unreachable as error:
        sentence = trouble = str(error)
    with bound(tenant, actor="system:channels", reason="test of a line"):
        note(connection=connection, kind=LineNoteKind.TESTED, text=sentence)
        if trouble:
            record_failure(connection=connection, reason=trouble)
        else:
            record_success(connection=connection)
    return sentence
