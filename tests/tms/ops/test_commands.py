"""The operators' small commands: what they print and when they fail."""

import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command

from core.audit import chain
from core.errors import Invalid
from core.events import Envelope, Event, publish, subscribe
from core.events.drain import ATTEMPTS_MAX, claim, drain, record_failure
from core.events.models import Delivery, DeliveryState
from core.tenancy import bound
from tms.ops.durations import parse_duration

TOPIC = "test.operations"


def printed(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def test_both_roles_can_be_reached_and_are_what_they_say(db: None) -> None:
    roles = json.loads(printed("dbroles", "--json"))
    assert set(roles) >= {"owner", "app"}
    for role, user in (("owner", "tms_owner"), ("app", "tms_app")):
        with psycopg.connect(roles[role]) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
            assert row is not None
            assert row[0] == user
            assert row[1].startswith("tms_test_")


def test_an_intact_trail_is_verified(committed_tenant: UUID, demo_home: Path) -> None:
    assert "intact" in printed("verify_audit", "--seal")
    verdict = json.loads(printed("verify_audit", "--json", "--tenant", "north"))["tenants"][0]
    assert verdict["intact"] is True
    assert verdict["links"] >= 1


def test_a_changed_entry_fails_the_command(
    committed_tenant: UUID, demo_home: Path, owner_connection: "psycopg.Connection[Any]"
) -> None:
    chain.seal(tenant=committed_tenant)
    with owner_connection.transaction():
        owner_connection.execute("ALTER TABLE core_auditentry DISABLE TRIGGER USER")
        owner_connection.execute("ALTER TABLE core_auditentry NO FORCE ROW LEVEL SECURITY")
        owner_connection.execute("UPDATE core_auditentry SET actor = 'somebody else'")
        owner_connection.execute("ALTER TABLE core_auditentry FORCE ROW LEVEL SECURITY")
        owner_connection.execute("ALTER TABLE core_auditentry ENABLE TRIGGER USER")
    with pytest.raises(CommandError) as failure:
        printed("verify_audit")
    assert failure.value.returncode == 1


def test_a_tenant_that_does_not_exist_is_told_apart(committed_tenant: UUID) -> None:
    with pytest.raises(CommandError, match="There is no tenant nowhere; there are: north") as no:
        printed("verify_audit", "--tenant", "nowhere")
    assert no.value.returncode == 2


@subscribe(TOPIC, consumer="test.operations")
def _take(envelope: Envelope) -> None:
    """Handle the test's event."""


class _Happened(Event):
    topic = TOPIC


def test_dead_letters_are_listed_and_put_back_to_work(committed_tenant: UUID) -> None:
    with bound(committed_tenant):
        publish(_Happened())
    (claimed,) = claim(tenant=committed_tenant)
    with bound(committed_tenant):
        Delivery.objects.update(attempts=ATTEMPTS_MAX)
    record_failure(tenant=committed_tenant, claimed=claimed, error=RuntimeError("no"))

    listed = json.loads(printed("replay_dead_letters", "--list", "--json"))["tenants"][0]
    assert listed["count"] == 1
    assert listed["dead_letters"][0]["consumer"] == "test.operations"
    assert drain(tenant=committed_tenant) == 0

    assert "1 dead letters put back to work" in printed("replay_dead_letters")
    assert drain(tenant=committed_tenant) == 1
    with bound(committed_tenant):
        assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.DONE}


def test_the_clock_is_not_moved_outside_a_local_demo(db: None, demo_home: Path) -> None:
    assert "does not answer" in printed("clock", "--show")
    with pytest.raises(CommandError, match="local demo mode only"):
        printed("clock", "--advance", "2h")


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7_200), ("90m", 5_400), ("1d12h", 129_600), ("45s", 45)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "-1h", "0m", "1h30", "१h", "12h1d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_duration(text)
