"""A person's name can be erased; the chain, and what it proves, stays."""

from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from core import policies
from core.audit import anchors, chain, export
from core.audit.erasure import (
    PAYMENT_RETENTION_YEARS,
    PERSON_RETENTION_DAYS,
    TooEarlyToErase,
    erase_person,
)
from core.audit.models import AuditEntry, PersonalText
from core.errors import NotFound
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.conftest import make_user
from tests.core.audited import KNOB
from tests.treasury.movement.conftest import House, at_work, house, propose
from tms.desk.trail import ERASED, lines_of
from verifier import verify as verifier

__all__ = ["at_work", "house"]

NAME = "Wilhelmina Canary"


@pytest.fixture(autouse=True)
def anchor_dir(tmp_path: Path, settings: Any) -> None:
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"


@pytest.fixture
def leaver(committed_tenant: UUID) -> UUID:
    """A person who worked here, whose name is in the trail, and who left."""
    with bound(committed_tenant, actor="system:test"):
        user = make_user("leaver", "auditor")
        User.objects.filter(pk=user.pk).update(display_name=NAME, username="canary@north")
    with bound(committed_tenant, actor=user.pk):
        policies.change(policy=KNOB, value=2, actor=None, reason="their work")
    with bound(committed_tenant, actor="system:test"):
        User.objects.filter(pk=user.pk).update(is_active=False)
    chain.seal_all(tenant=committed_tenant)
    return user.pk


def no_retention(tenant: UUID) -> None:
    with bound(tenant, actor="system:test"):
        for policy in (PERSON_RETENTION_DAYS, PAYMENT_RETENTION_YEARS):
            policies.change(policy=policy, value=0, actor=None, reason="the law of this place")


def erase(tenant: UUID, person: UUID) -> Any:
    return erase_person(tenant=tenant, person=person, actor="system:test", reason="asked for")


def test_the_trail_holds_digests_and_the_names_lie_beside_it(
    committed_tenant: UUID, leaver: UUID
) -> None:
    with bound(committed_tenant):
        entries = AuditEntry.objects.filter(row_id=str(leaver))
        assert not any(NAME in str((entry.before, entry.after)) for entry in entries)
        kept = PersonalText.objects.get(text=NAME)
        assert kept.digest == "personal:" + sha256((kept.salt + NAME).encode()).hexdigest()
        shown = [change.after for line in lines_of(entries) for change in line.changes]
        assert NAME in shown


def test_after_an_erasure_the_name_is_nowhere_and_the_chain_holds(
    committed_tenant: UUID,
    leaver: UUID,
    tmp_path: Path,
    owner_connection: "psycopg.Connection[Any]",
) -> None:
    no_retention(committed_tenant)
    before = chain.verify(tenant=committed_tenant)
    erased = erase(committed_tenant, leaver)
    assert erased.texts_count >= 3
    made = export.export(tenant=committed_tenant, folder=tmp_path / "export")
    assert verifier.verify(made.folder, anchors.public_key())["intact"]
    verdict = chain.verify(tenant=committed_tenant)
    assert verdict.is_intact
    assert verdict.links_count > before.links_count
    assert NAME.encode() not in (made.folder / export.ENTRIES).read_bytes()
    owner_connection.execute("SELECT set_config('app.tenant', %s, false)", [str(committed_tenant)])
    for table in ("core_user", "core_personaltext", "core_auditentry", "django_admin_log"):
        rows = owner_connection.execute(f"SELECT t::text FROM {table} t").fetchall()
        assert not any("Canary" in row[0] or "canary@" in row[0] for row in rows), table
    with bound(committed_tenant):
        lines = lines_of(AuditEntry.objects.filter(row_id=str(leaver)))
        assert ERASED in [change.after for line in lines for change in line.changes]
        acted = AuditEntry.objects.filter(actor=str(leaver))
        assert {line.who for line in lines_of(acted)} == {erased.pseudonym}


def test_the_erasure_itself_is_in_the_trail(committed_tenant: UUID, leaver: UUID) -> None:
    no_retention(committed_tenant)
    erase(committed_tenant, leaver)
    with bound(committed_tenant):
        last = AuditEntry.objects.filter(row_id=str(leaver), table_name="core_user").latest("id")
    assert (last.actor, last.reason) == ("system:test", "erasure: asked for")
    assert last.after is not None
    assert set(last.after) >= {"display_name", "username"}


def test_retention_periods_and_activity_stand_before_an_erasure(
    committed_tenant: UUID, leaver: UUID
) -> None:
    with pytest.raises(TooEarlyToErase, match="PERSON_RETENTION_DAYS is 365"):
        erase(committed_tenant, leaver)
    with bound(committed_tenant, actor="system:test"):
        policies.change(policy=PERSON_RETENTION_DAYS, value=0, actor=None, reason="a test")
        working = make_user("working", "auditor")
    erase(committed_tenant, leaver)
    with pytest.raises(TooEarlyToErase, match="active"):
        erase(committed_tenant, working.pk)
    with pytest.raises(NotFound):
        erase(committed_tenant, UUID(int=1))


def test_who_moved_money_keeps_a_name_for_as_long_as_payments_are_kept(
    house: House, tenant: Tenant, maker: User
) -> None:
    policies.change(policy=PERSON_RETENTION_DAYS, value=0, actor=None, reason="a test")
    with bound(tenant.id, actor=maker.pk):
        propose(house, maker)
    User.objects.filter(pk=maker.pk).update(is_active=False)
    with pytest.raises(TooEarlyToErase, match="PAYMENT_RETENTION_YEARS is 7"):
        erase(tenant.id, maker.pk)


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM core_personaltext",
        "UPDATE core_personaltext SET text = 'x'",
        "INSERT INTO core_personaltext SELECT * FROM core_personaltext",
        "SELECT core_audit_personal(gen_random_uuid(), gen_random_uuid(), 'x')",
        "SELECT core_erase_person(id) FROM core_user",
    ],
)
def test_the_app_role_erases_nobody_who_has_not_left(
    tenant: Tenant, maker: User, attack: str
) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


def test_the_command_erases_by_sign_in_name(committed_tenant: UUID, leaver: UUID) -> None:
    wanted = ["erase_person", "--tenant", "north", "--reason", "asked for", "--person"]
    with pytest.raises(CommandError, match="PERSON_RETENTION_DAYS"):
        call_command(*wanted, "canary@north")
    with pytest.raises(CommandError, match="no person nobody"):
        call_command(*wanted, "nobody")
    no_retention(committed_tenant)
    out = StringIO()
    call_command(*wanted, "canary@north", stdout=out)
    assert "Erased person" in out.getvalue()
