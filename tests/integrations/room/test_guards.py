"""The database has the last word about messages, also against the app's own role (P4)."""

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django_fsm import TransitionNotAllowed

from core import checks
from core.audit.models import AuditEntry
from core.tenancy import Tenant, bound
from integrations import selectors, services
from integrations.models import BankConnection, Message, MessageState
from tests.integrations.room.conftest import SECRET, folder_line, http_line, order
from tests.scenes import scene

EDGES = {
    ("claim", "QUEUED", "SENDING"),
    ("postpone", "SENDING", "QUEUED"),
    ("record_sent", "SENDING", "SENT"),
    ("record_sent", "UNKNOWN", "SENT"),
    ("record_refused", "QUEUED", "REFUSED"),
    ("record_refused", "SENDING", "REFUSED"),
    ("record_refused", "UNKNOWN", "REFUSED"),
    ("record_unknown", "SENDING", "UNKNOWN"),
    ("handle", "RECEIVED", "HANDLED"),
    ("set_aside", "RECEIVED", "SET_ASIDE"),
    ("take_up_again", "SET_ASIDE", "RECEIVED"),
}


@scene
def line(tenant: Tenant) -> BankConnection:
    return services.save_connection(wish=http_line("https://bank.example"))


@scene
def outbound(line: BankConnection) -> Message:
    return services.queue_payment(instruction=order(), rail="SEPA_INST", connection_code=line.code)


@scene
def inbound(line: BankConnection) -> Message:
    return services.archive_inbound(connection_code=line.code, name="a.sta", data=b"some bytes")


def test_the_machine_is_exactly_this() -> None:
    declared = Message().get_all_state_transitions()  # type: ignore[attr-defined]
    assert {(edge.name, edge.source, edge.target) for edge in declared} == EDGES


def test_the_database_knows_the_same_edges(
    owner_connection: psycopg.Connection[Any], tenant: Tenant
) -> None:
    """Ask the guard itself about every step between two states, on a probe of its owner's."""
    owner_connection.execute("CREATE TEMP TABLE probe (state text, fence int)")
    owner_connection.execute(
        "CREATE TRIGGER guard BEFORE UPDATE OF state ON probe FOR EACH ROW"
        " EXECUTE FUNCTION integrations_guard_state()"
    )
    allowed = {(source, target) for _, source, target in EDGES}
    steps = itertools.permutations(MessageState.values, 2)
    assert {step for step in steps if _passes(owner_connection, *step)} == allowed


def _passes(owner: psycopg.Connection[Any], source: str, target: str) -> bool:
    owner.execute("DELETE FROM probe")
    owner.execute("INSERT INTO probe VALUES (%s, 1)", [source])
    try:
        owner.execute("UPDATE probe SET state = %s, fence = 2", [target])
    except psycopg.Error:
        return False
    return True


def _sql(statement: str, *values: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE integrations_message SET body = 'x'::bytea",
        "UPDATE integrations_message SET sha256 = repeat('0', 64)",
        "UPDATE integrations_message SET size_bytes = 1",
        "UPDATE integrations_message SET reference = 'OTHER'",
        "UPDATE integrations_message SET message_reference = 'OTHER'",
        "UPDATE integrations_message SET rail = 'T2'",
        "UPDATE integrations_message SET kind = 'pain.008'",
        "UPDATE integrations_message SET attempt = 9",
        "UPDATE integrations_message SET expires_at = now()",
        "UPDATE integrations_message SET created_at = now()",
        "UPDATE integrations_message SET direction = 'IN', state = 'RECEIVED'",
        "UPDATE integrations_message SET state = 'SENT', sent_at = now()",
        "UPDATE integrations_message SET state = 'UNKNOWN', reason = 'x'",
        "UPDATE integrations_message SET state = 'SENDING', locked_until = now()",
        "UPDATE integrations_message SET state = 'SENDING', fence = 1",
        "UPDATE integrations_message SET state = 'REFUSED'",
        "DELETE FROM integrations_message",
        "TRUNCATE integrations_message CASCADE",
        "ALTER TABLE integrations_message DISABLE TRIGGER guard_rows",
        "DROP TRIGGER guard_state ON integrations_message",
    ],
)
def test_what_was_queued_cannot_be_tampered_with(outbound: Message, attack: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        _sql(attack)
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, encode(sha256(body), 'hex') FROM integrations_message")
        assert cursor.fetchall() == [("QUEUED", outbound.sha256)]


COPY = (
    "INSERT INTO integrations_message (id, tenant_id, direction, connection_id, kind, name, body,"
    " sha256, size_bytes, state, reason, created_at, seen_count, put_away, rail, reference,"
    " message_reference, attempt, attempts, enquiries, fence, due_at, sent_at, locked_until,"
    " routed_account, bank_receipt)"
    " SELECT gen_random_uuid(), tenant_id, direction, connection_id, kind, name,"
    " {body}, {sha256}, size_bytes, {state}, '-', created_at, 1, '', rail, {reference},"
    " {reference}, {attempt}, 0, 0, {fence}, due_at, {sent_at}, now(), '', '{{}}'"
    " FROM integrations_message LIMIT 1"
)
HONEST = {
    "body": "body",
    "sha256": "sha256",
    "state": "'QUEUED'",
    "reference": "'NEW'",
    "attempt": "1",
    "fence": "0",
    "sent_at": "NULL",
}


def test_a_copy_of_an_honest_row_would_be_taken(outbound: Message) -> None:
    """The statement of the next test is otherwise sound."""
    _sql(COPY.format(**HONEST))
    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    "lie",
    [
        {"state": "'SENT'", "sent_at": "now()"},
        {"state": "'SENDING'", "fence": "1"},
        {"state": "'UNKNOWN'"},
        {"state": "'REFUSED'"},
        {"fence": "3"},
        {"body": "'other bytes'::bytea"},
        {"sha256": "repeat('a', 64)"},
        {"reference": "reference", "attempt": "2"},
        {"reference": "''"},
        {"attempt": "0"},
    ],
)
def test_a_row_that_lies_is_not_inserted(outbound: Message, lie: dict[str, str]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        _sql(COPY.format(**{**HONEST, **lie}))
    assert Message.objects.count() == 1


@pytest.fixture
def without_guards(anew: None, django_db_setup: None) -> Iterator[None]:
    """Negative control: the guards asleep."""
    names = ("guard_rows", "guard_state", "guard_content")
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        for name in names:
            owner.execute(f"ALTER TABLE integrations_message DISABLE TRIGGER {name}")
        owner.execute("GRANT DELETE ON integrations_message TO tms_app")
    yield
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        for name in names:
            owner.execute(f"ALTER TABLE integrations_message ENABLE TRIGGER {name}")
        owner.execute("REVOKE DELETE ON integrations_message FROM tms_app")


def test_without_the_guards_the_attacks_would_succeed(
    without_guards: None, outbound: Message
) -> None:
    assert any("guard_rows is disabled" in fault for fault in checks.database_faults())
    _sql("UPDATE integrations_message SET body = 'x'::bytea")
    _sql("UPDATE integrations_message SET state = 'SENT', sent_at = now()")
    _sql("DELETE FROM integrations_message")
    assert not Message.objects.exists()


def test_only_services_move_the_state(outbound: Message) -> None:
    with pytest.raises(AttributeError):
        outbound.state = "SENT"
    with pytest.raises(TransitionNotAllowed):
        outbound.record_unknown(reason="x", at=outbound.created_at, due_at=outbound.created_at)


def test_the_trail_has_the_digest_but_neither_bytes_nor_secret(
    outbound: Message, inbound: Message
) -> None:
    entries = AuditEntry.objects.filter(table_name__startswith="integrations_")
    rows = [entry.after or {} for entry in entries]
    assert {outbound.sha256, inbound.sha256} <= {row.get("sha256") for row in rows}
    assert not any({"body", "secret"} & set(row) for row in rows)
    line = BankConnection.objects.get()
    assert line.secret == SECRET
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM integrations_bankconnection")
        assert SECRET not in cursor.fetchone()[0]
    assert not hasattr(line.history.get(), "secret")


def test_another_tenant_sees_nothing(
    outbound: Message, tenant: Tenant, other_tenant: Tenant
) -> None:
    with bound(other_tenant.id, actor="system:test"):
        assert not Message.objects.exists()
        assert selectors.connections() == []
        services.save_connection(wish=folder_line(Path("/srv/elsewhere")))
        again = services.archive_inbound(
            connection_code="bank-folder", name="a.sta", data=b"some bytes"
        )
        assert again.seen_count == 1
    assert selectors.messages().count() == 1


def test_the_digest_is_that_of_the_bytes(inbound: Message) -> None:
    assert inbound.sha256 == hashlib.sha256(b"some bytes").hexdigest()
    assert services.message_bytes(inbound.pk) == b"some bytes"
