"""Restore a backup into an empty database and prove that it is whole."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection
from psycopg import sql

from core import clock
from core.checks import database_faults
from tms.ops.backup import programs
from tms.ops.backup.errors import TargetNotEmpty
from tms.ops.backup.manifest import Manifest, check_keys
from tms.ops.backup.reading import Opened, opened
from tms.ops.proofs import AuditProof, BooksProof, audit_proofs, books_proofs
from tms.ops.tenants import all_tenants
from tms.run.config import OWNER_ROLE, runtime
from tms.run.roles import prepare_database

_TABLES: Final = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What a restore came to: how long it took, how old the data is, what the proofs say."""

    database: str
    manifest: Manifest
    restore_seconds: float
    verify_seconds: float
    data_age: timedelta
    anchors: Path
    walls: tuple[str, ...]
    audit: tuple[AuditProof, ...]
    books: tuple[BooksProof, ...]

    @property
    def holds(self) -> bool:
        """Return whether the copy is whole, guarded and in balance."""
        proven = all(one.holds for one in self.audit) and all(one.holds for one in self.books)
        return proven and not self.walls

    def as_json(self) -> dict[str, Any]:
        """Return the outcome for machines."""
        return {
            "database": self.database,
            "holds": self.holds,
            "made_at": self.manifest.made_at,
            "rto_seconds": round(self.restore_seconds + self.verify_seconds, 2),
            "rpo_seconds": round(self.data_age.total_seconds(), 2),
            "anchors": str(self.anchors),
            "walls": list(self.walls),
            "audit": [proof.as_json() for proof in self.audit],
            "books": [proof.as_json() for proof in self.books],
        }


def restore_backup(*, source: Path, into: str = "") -> Drill:
    """Restore into our own database while it is empty, or into a new one named `into`.

    Raises:
        BackupDamaged: the file is not what was written.
        KeysDiffer: these secrets cannot read it.
        TargetNotEmpty: the database has tables, or the name is taken.
        BackupFailed: PostgreSQL refused.
    """
    with opened(source) as backup:
        check_keys(backup.manifest)
        database = into or str(connection.settings_dict["NAME"])
        started = time.monotonic()
        _prepare_target(database, is_new=bool(into))
        programs.load(programs.named(runtime().admin, database), source=backup.dump)
        prepare_database(programs.named(runtime().owner, database).conninfo)
        anchors = _place_anchors(backup, database=into)
        restored = time.monotonic()
        with looking_at(database, anchors=anchors):
            tenants = all_tenants()
            return Drill(
                database=database,
                manifest=backup.manifest,
                restore_seconds=restored - started,
                walls=tuple(database_faults()),
                audit=tuple(audit_proofs(tenants)),
                books=tuple(books_proofs(tenants)),
                verify_seconds=time.monotonic() - restored,
                data_age=clock.now() - backup.manifest.made,
                anchors=anchors,
            )


def _prepare_target(database: str, *, is_new: bool) -> None:
    admin = runtime().admin
    if is_new:
        with programs.connected(programs.named(admin, _maintenance())) as server:
            found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
            if found.fetchone() is None:
                server.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                        sql.Identifier(database), sql.Identifier(OWNER_ROLE)
                    )
                )
    with programs.connected(programs.named(admin, database)) as target:
        row = target.execute(_TABLES).fetchone()
        if row and row[0]:
            raise TargetNotEmpty(
                f"The database {database} has {row[0]} tables: restore into an empty one, or into"
                " a new one with --into.",
                database=database,
            )


def _maintenance() -> str:
    """Return a database that is always there, to create others from."""
    return str(connection.settings_dict["NAME"])


def _place_anchors(backup: Opened, *, database: str) -> Path:
    """Put the anchors where the restored trail is verified; earlier ones are kept beside them."""
    home = Path(settings.TMS_HOME)
    folder = home / f"anchor-{database}" if database else Path(settings.TMS_AUDIT_ANCHOR_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = f"{clock.now():%Y%m%dT%H%M%S}"
    for present in folder.glob("*.anchor"):
        present.rename(present.with_name(f"{present.name}.before-{stamp}"))
    for anchor in backup.anchors:
        shutil.copyfile(anchor, folder / anchor.name)
    return folder


@contextmanager
def looking_at(database: str, *, anchors: Path) -> Iterator[None]:
    """Let this process look at another database, as the app role, with other anchors."""
    before = dict(connection.settings_dict), settings.TMS_AUDIT_ANCHOR_DIR
    _disconnect()
    connection.settings_dict["NAME"] = database
    settings.TMS_AUDIT_ANCHOR_DIR = anchors
    try:
        yield
    finally:
        _disconnect()
        connection.settings_dict.update(before[0])
        settings.TMS_AUDIT_ANCHOR_DIR = before[1]


def _disconnect() -> None:
    connection.close()
    if connection.settings_dict["OPTIONS"].get("pool"):
        connection.close_pool()  # type: ignore[attr-defined]
