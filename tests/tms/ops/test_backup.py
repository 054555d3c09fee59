"""A backup is worth its restore: the drill, and what it must find."""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.conninfo import make_conninfo

from core import clock
from core.audit import chain
from core.tenancy import bound
from tests.conftest import make_user
from tms.ops.backup.restoring import looking_at
from tms.ops.proofs import audit_proofs
from tms.ops.tenants import all_tenants
from treasury.services.rates import record_usd_rate

NEW = f"tms_drill_{os.getpid()}"


@pytest.fixture
def drill_database() -> Iterator[str]:
    """The name of a database that the test may make; it is dropped afterwards."""
    yield NEW
    address = make_conninfo(
        django_settings.TMS_OWNER_CONNINFO, dbname=connection.settings_dict["NAME"]
    )
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{NEW}" WITH (FORCE)')


@pytest.fixture
def backup_file(committed_tenant: UUID, demo_home: Path) -> Path:
    """A backup of a tenant with people, rates and a sealed trail."""
    with bound(committed_tenant, actor="system:test"):
        make_user("maker", "treasury_maker")
        record_usd_rate(currency="INR", usd_per_unit=_rate(), as_of=clock.now(), source="test")
    while chain.seal(tenant=committed_tenant):
        pass
    file = demo_home / "tonight.tms"
    call_command("backup", "--to", str(file), stdout=StringIO())
    return file


def _rate() -> Any:
    from decimal import Decimal

    return Decimal("0.0113")


def restored(file: Path, into: str) -> dict[str, Any]:
    out = StringIO()
    call_command("restore", "--from", str(file), "--into", into, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_restored_copy_proves_itself(
    backup_file: Path, committed_tenant: UUID, drill_database: str
) -> None:
    assert backup_file.stat().st_mode & 0o077 == 0
    before = chain.verify(tenant=committed_tenant)

    drill = restored(backup_file, drill_database)

    assert drill["holds"] is True
    assert drill["walls"] == []
    assert drill["audit"][0]["head"] == before.head
    assert drill["audit"][0]["links"] == before.links_count > 0
    assert drill["rto_seconds"] > 0
    assert drill["rpo_seconds"] >= 0
    with looking_at(drill_database, anchors=Path(drill["anchors"])):
        assert [tenant.slug for tenant in all_tenants()] == ["north"]
    assert connection.settings_dict["NAME"] != drill_database


def test_tampering_in_the_restored_copy_is_found(backup_file: Path, drill_database: str) -> None:
    drill = restored(backup_file, drill_database)
    owner = make_conninfo(django_settings.TMS_OWNER_CONNINFO, dbname=drill_database)
    with psycopg.connect(owner, autocommit=True) as direct, direct.transaction():
        direct.execute("ALTER TABLE core_auditentry DISABLE TRIGGER USER")
        direct.execute("ALTER TABLE core_auditentry NO FORCE ROW LEVEL SECURITY")
        changed = direct.execute("UPDATE core_auditentry SET reason = 'quietly'").rowcount
        direct.execute("ALTER TABLE core_auditentry FORCE ROW LEVEL SECURITY")
        direct.execute("ALTER TABLE core_auditentry ENABLE TRIGGER USER")
    assert changed > 0
    with looking_at(drill_database, anchors=Path(drill["anchors"])):
        (proof,) = audit_proofs(all_tenants())
    assert not proof.holds
    assert {fault.code for fault in proof.faults} >= {"hash_differs"}


def _rewritten(file: Path, change: Any) -> Path:
    """Return a copy of a backup whose members went through `change(name, content)`."""
    other = file.with_name("tampered.tms")
    with tarfile.open(file) as old, tarfile.open(other, "w") as new:
        for member in old.getmembers():
            extracted = old.extractfile(member)
            assert extracted is not None
            content = change(member.name, extracted.read())
            if content is None:
                continue
            fresh = tarfile.TarInfo(member.name)
            fresh.size = len(content)
            new.addfile(fresh, io.BytesIO(content))
    return other


def _flip(name: str, content: bytes) -> bytes:
    if name != "database.dump":
        return content
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _claim_more_tenants(name: str, content: bytes) -> bytes:
    return content.replace(b'\\"tenants\\": 1', b'\\"tenants\\": 2')


def _drop_anchors(name: str, content: bytes) -> bytes | None:
    return None if name.startswith("anchors/") else content


@pytest.mark.parametrize("change", [_flip, _claim_more_tenants, _drop_anchors])
def test_a_tampered_file_is_refused(backup_file: Path, drill_database: str, change: Any) -> None:
    tampered = _rewritten(backup_file, change)
    assert tampered.read_bytes() != backup_file.read_bytes()
    with pytest.raises(CommandError, match="backup_damaged"):
        restored(tampered, drill_database)


def test_an_untouched_copy_of_the_file_is_taken(backup_file: Path, drill_database: str) -> None:
    same = _rewritten(backup_file, lambda _name, content: content)
    assert restored(same, drill_database)["holds"] is True


def test_other_secrets_cannot_read_it(
    backup_file: Path, drill_database: str, settings: Any
) -> None:
    settings.TMS_FIELD_KEY = bytes(32)
    with pytest.raises(CommandError, match="keys_differ"):
        restored(backup_file, drill_database)


def test_a_database_in_use_is_never_overwritten(backup_file: Path) -> None:
    with pytest.raises(CommandError, match="target_not_empty"):
        call_command("restore", "--from", str(backup_file), stdout=StringIO())


def test_a_backup_never_overwrites_another(backup_file: Path) -> None:
    with pytest.raises(CommandError, match="never overwrites"):
        call_command("backup", "--to", str(backup_file), stdout=StringIO())
