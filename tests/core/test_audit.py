"""Every change leaves a trace that nobody can forge, change or cut without being found (P6)."""

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, ProgrammingError, connection, transaction

from core import policies
from core.audit import chain
from core.audit.models import AuditEntry, PersonalText
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.conftest import make_user
from tests.core.audited import KNOB

MUTATIONS = 60
FORGED_ENTRY = (
    "INSERT INTO core_auditentry (tenant_id, at, actor, request, reason, database_role,"
    " table_name, row_id, action) SELECT tenant_id, at, 'me', '', '', 'x', 'x', 'x', 'UPDATE'"
    " FROM core_auditentry LIMIT 1"
)
CUT_TAIL = (
    "DELETE FROM core_auditlink WHERE entry_id >= {victim};"
    " DELETE FROM core_auditentry WHERE id >= {victim}"
)
SWAP = (
    "UPDATE core_auditentry SET id = -1 WHERE id = {victim};"
    " UPDATE core_auditentry SET id = {victim} WHERE id = {other};"
    " UPDATE core_auditentry SET id = {other} WHERE id = -1"
)


def test_bulk_updates_and_raw_sql_are_audited(tenant: Tenant, maker: User) -> None:
    User.objects.filter(pk=maker.pk).update(display_name="Somebody Else")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_user SET is_staff = false WHERE id = %s", [maker.pk])
    trail = AuditEntry.objects.filter(row_id=str(maker.pk), action="UPDATE").order_by("id")
    renamed, unstaffed = (entry.after for entry in trail)
    assert renamed is not None
    digest = PersonalText.objects.get(text="Somebody Else").digest
    assert renamed == {"display_name": digest}
    assert unstaffed == {"is_staff": False}
    assert {entry.actor for entry in trail} == {"system:test"}


def test_roles_are_audited_and_passwords_are_not_in_the_trail(tenant: Tenant) -> None:
    user = make_user("auditee", "auditor", password="correct horse battery staple")
    tables = set(AuditEntry.objects.values_list("table_name", flat=True))
    assert "core_user_groups" in tables
    texts = [str(entry.after) for entry in AuditEntry.objects.all()]
    assert not any(user.password in text for text in texts)


@pytest.mark.parametrize(
    "attack",
    [
        FORGED_ENTRY,
        "UPDATE core_auditentry SET actor = 'nobody'",
        "DELETE FROM core_auditentry",
        "TRUNCATE core_auditentry",
        "UPDATE core_auditlink SET hash = 'x'",
        "DELETE FROM core_auditlink",
        "ALTER TABLE core_auditentry DISABLE TRIGGER append_only",
        "DROP TRIGGER audited ON core_user",
    ],
)
def test_the_app_role_cannot_touch_the_trail(tenant: Tenant, maker: User, attack: str) -> None:
    with (
        pytest.raises(ProgrammingError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(attack)


@pytest.fixture
def sealed(committed_tenant: UUID) -> UUID:
    """A tenant with a sealed trail of policy changes."""
    for number in range(30):
        with bound(committed_tenant, actor="system:test"):
            policies.change(policy=KNOB, value=number, actor=None, reason="a test")
        if number % 10 == 9:
            chain.seal(tenant=committed_tenant)
    chain.seal(tenant=committed_tenant)
    return committed_tenant


def test_an_untouched_trail_verifies(sealed: UUID) -> None:
    verdict = chain.verify(tenant=sealed)
    assert verdict.faults == ()
    assert verdict.links_count >= 30


def test_sealing_again_adds_nothing(sealed: UUID) -> None:
    assert chain.seal(tenant=sealed) == 0


MUTATION_KINDS = (
    "UPDATE core_auditentry SET after = '{{}}' WHERE id = {victim}",
    "UPDATE core_auditentry SET actor = actor || '.' WHERE id = {victim}",
    "UPDATE core_auditentry SET at = at + interval '1 second' WHERE id = {victim}",
    "DELETE FROM core_auditentry WHERE id = {victim}",
    "DELETE FROM core_auditlink WHERE entry_id = {victim}",
    CUT_TAIL,
    "UPDATE core_auditlink SET hash = repeat('0', 64) WHERE entry_id = {victim}",
    SWAP,
)


def test_every_mutation_by_the_owner_is_found(
    sealed: UUID, owner_connection: psycopg.Connection[Any]
) -> None:
    """Sixty random edits, deletions, swaps and cut tails, each on its own; none goes unseen."""
    rng = random.Random(20261121)
    owner = owner_connection
    owner.execute("SELECT set_config('app.tenant', %s, false)", [str(sealed)])
    victims = [row[0] for row in owner.execute("SELECT entry_id FROM core_auditlink").fetchall()]
    for table in ("core_auditentry", "core_auditlink"):
        owner.execute(f"CREATE TABLE keep_{table} AS SELECT * FROM {table}")
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
    try:
        for number in range(MUTATIONS):
            kind = MUTATION_KINDS[number % len(MUTATION_KINDS)]
            victim, other = rng.sample(victims, 2)
            owner.execute(kind.format(victim=victim, other=other))
            assert not chain.verify(tenant=sealed).is_intact, kind
            for table in ("core_auditentry", "core_auditlink"):
                owner.execute(f"DELETE FROM {table}")
                owner.execute(f"INSERT INTO {table} SELECT * FROM keep_{table}")
            assert chain.verify(tenant=sealed).is_intact
    finally:
        for table in ("core_auditentry", "core_auditlink"):
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER append_only")
            owner.execute(f"DROP TABLE keep_{table}")


def test_without_the_anchor_a_cut_tail_goes_unseen(
    sealed: UUID, owner_connection: psycopg.Connection[Any]
) -> None:
    """The negative control of the anchor: the chain alone is consistent after its tail is cut."""
    owner = owner_connection
    owner.execute("SELECT set_config('app.tenant', %s, false)", [str(sealed)])
    for table in ("core_auditentry", "core_auditlink"):
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
    try:
        owner.execute(
            "DELETE FROM core_auditentry WHERE id IN"
            " (SELECT entry_id FROM core_auditlink WHERE sequence > 5)"
        )
        owner.execute("DELETE FROM core_auditlink WHERE sequence > 5")
    finally:
        for table in ("core_auditentry", "core_auditlink"):
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER append_only")
    assert [fault.code for fault in chain.verify(tenant=sealed).faults] == ["tail_cut"]
    anchor = chain.anchor_path(sealed)
    anchor.write_text("".join(anchor.read_text().splitlines(keepends=True)[:0]))
    assert {fault.code for fault in chain.verify(tenant=sealed).faults} == {"anchor_missing"}


def test_a_forged_anchor_line_is_named(sealed: UUID) -> None:
    with Path(settings.TMS_AUDIT_ANCHOR_DIR, f"{sealed}.anchor").open("a") as anchor:
        anchor.write(f"{sealed} 999 {'0' * 64} 2026-01-01T00:00:00+00:00 {'0' * 64}\n")
    assert "anchor_signature" in {fault.code for fault in chain.verify(tenant=sealed).faults}


LINK = "INSERT INTO core_auditlink (tenant_id, sequence, entry_id, hash) VALUES (%s, 1, %s, 'x')"


def test_a_link_belongs_to_an_entry_of_its_tenant(
    tenant: Tenant, other_tenant: Tenant, maker: User
) -> None:
    own = AuditEntry.objects.latest("id").pk
    for entry in (own, 10**15):
        with (
            bound(other_tenant.id),
            pytest.raises(IntegrityError, match="entry of its own tenant"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(LINK, [other_tenant.id, entry])
    with connection.cursor() as cursor:
        cursor.execute(LINK, [tenant.id, own])


REFUSED = "core_audit_refused('POST', '/', '', 'no_tenant', 403, NULL, 5)"
NOWHERE = "SELECT set_config('app.tenant', gen_random_uuid()::text, true), "


def test_nobody_is_refused_in_a_tenant_that_is_not_there(tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {REFUSED}")
    with (
        pytest.raises(ProgrammingError, match="belongs to a tenant"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(NOWHERE + REFUSED)
