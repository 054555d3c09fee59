"""The lines in use: admission, health, history, tests."""

import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from core import clock, events
from core.errors import Forbidden
from core.identity.models import User
from core.tenancy import bound
from integrations.channels import LineSettings, Unreachable, opened
from integrations.constants import (
    FOLDER_CALL_SECONDS,
    NOTES_PER_LINE_MAX,
    REASON_CHARS_MAX,
    SAMPLES_KEPT_DAYS,
    SFTP_STEPS,
)
from integrations.engine.health import span_of
from integrations.engine.line import (
    Admission,
    Line,
    Patience,
    admit,
    after_failure,
    after_success,
)
from integrations.engine.timetable import Timetable, is_due
from integrations.errors import CalledInsideTransaction, ConnectionUnknown
from integrations.events import CircuitChanged
from integrations.models import (
    AccessKind,
    BankConnection,
    ConnectionKind,
    LineNote,
    LineNoteKind,
    LineSample,
    LineState,
)

ROLES_FOR_LINES = ("static_data", "tenant_admin", "treasury_manager")
# A line that works is asked every second; its row need not change as often.
_OK_RESOLUTION = timedelta(seconds=10)


def settings_of(connection: BankConnection) -> LineSettings:
    """Return what a channel needs to know."""
    return LineSettings(
        code=connection.code,
        kind=connection.kind,
        directory=connection.directory,
        base_url=connection.base_url,
        outbound_path=connection.outbound_path,
        inbound_path=connection.inbound_path,
        access=connection.access,
        username=connection.username,
        secret=connection.secret or "",
        client_certificate=connection.client_certificate,
        server_trust=connection.server_trust,
        token_url=connection.token_url,
        token_scope=connection.token_scope,
        connect_timeout_seconds=connection.connect_timeout_seconds,
        read_timeout_seconds=connection.read_timeout_seconds,
    )


def call_seconds(line: LineSettings) -> float:
    """Return how long one call may take at the most."""
    if line.kind == ConnectionKind.FOLDER:
        return FOLDER_CALL_SECONDS
    once = line.connect_timeout_seconds + 2 * line.read_timeout_seconds
    if line.kind == ConnectionKind.SFTP:
        return SFTP_STEPS * once
    return 2 * once if line.access == AccessKind.OAUTH2 else once


def patience_of(connection: BankConnection) -> Patience:
    """Return what a line puts up with."""
    return Patience(
        circuit_failures_max=connection.circuit_failures_max,
        circuit_open_seconds=connection.circuit_open_seconds,
        backoff_first_seconds=connection.backoff_first_seconds,
        backoff_seconds_max=connection.backoff_seconds_max,
    )


def timetable_of(connection: BankConnection) -> Timetable:
    """Return when a line is asked for messages."""
    return Timetable(
        zone=connection.collect_zone,
        weekdays=connection.collect_weekdays,
        opens_at=connection.collect_opens_at,
        closes_at=connection.collect_closes_at,
        poll_seconds=connection.poll_seconds,
    )


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
    admission, line = admit(
        _as_line(row),
        rate_per_minute=connection.rate_per_minute,
        now=now,
        patience=patience_of(connection),
    )
    if admission is Admission.GRANTED:
        _store(row, line)
    return admission


def record_success(*, connection: BankConnection, seconds: float | None = None) -> None:
    """Note that the bank answered, after so many seconds; closes an open circuit."""
    row, now = locked_line(connection.pk), clock.now()
    _sample(connection, ok=1, failed=0, seconds=seconds)
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


def record_failure(
    *, connection: BankConnection, reason: str, seconds: float | None = None
) -> None:
    """Note that a call failed, after so many seconds; too many in a row open the circuit."""
    row, now = locked_line(connection.pk), clock.now()
    _sample(connection, ok=0, failed=1, seconds=seconds)
    was_open = row.is_open
    reason = reason[:REASON_CHARS_MAX]
    row.last_error, row.last_error_at = reason, now
    line = after_failure(_as_line(row), now=now, patience=patience_of(connection))
    _store(row, line, "last_error", "last_error_at")
    note(connection=connection, kind=LineNoteKind.FAILED, text=reason)
    if row.is_open and not was_open:
        note(connection=connection, kind=LineNoteKind.OPENED, text=reason)
        events.publish(
            CircuitChanged(connection=connection.code, is_open=True, reason=reason, at=now)
        )


def _sample(connection: BankConnection, *, ok: int, failed: int, seconds: float | None) -> None:
    """Count a call in its span of time, under the lock of the line; the oldest make room."""
    at, latency_ms = span_of(clock.now()), int((seconds or 0.0) * 1_000)
    rows = LineSample.objects.filter(connection=connection)
    counted = rows.filter(at=at).update(
        ok=F("ok") + ok,
        failed=F("failed") + failed,
        latency_ms_sum=F("latency_ms_sum") + latency_ms,
        latency_ms_max=Greatest("latency_ms_max", latency_ms),
    )
    if not counted:
        LineSample.objects.create(
            connection=connection,
            at=at,
            ok=ok,
            failed=failed,
            latency_ms_sum=latency_ms,
            latency_ms_max=latency_ms,
        )
        rows.filter(at__lt=at - timedelta(days=SAMPLES_KEPT_DAYS)).delete()


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
    row.collected_at = clock.now()
    row.save(update_fields=["collect_locked_until", "collect_fence", "collected_at"])
    return row.collect_fence


def is_collected_now(*, connection: BankConnection, now: datetime) -> bool:
    """Return whether hours and pause of a line let it be asked for messages."""
    timetable = timetable_of(connection)
    asked = LineState.objects.filter(connection=connection).values_list("collected_at", flat=True)
    return is_due(timetable, asked_at=asked.first(), now=now)


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
    trouble, began = "", time.monotonic()
    try:
        with opened(settings_of(connection)) as channel:
            sentence = channel.probe()
    except Unreachable as error:
        sentence = trouble = str(error)
    seconds = time.monotonic() - began
    with bound(tenant, actor="system:channels", reason="test of a line"):
        note(connection=connection, kind=LineNoteKind.TESTED, text=sentence)
        if trouble:
            record_failure(connection=connection, reason=trouble, seconds=seconds)
        else:
            record_success(connection=connection, seconds=seconds)
    return sentence
