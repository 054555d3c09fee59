"""Make a backup: anchors first, then the database, then the manifest, in one private file."""

import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from core import clock
from core.tenancy import tenant_ids
from tms.ops.backup import programs
from tms.ops.backup.errors import BackupFailed
from tms.ops.backup.manifest import ANCHORS, DUMP, FORMAT, MANIFEST, Manifest, checksum, key_check
from tms.run.config import runtime

_LAST_MIGRATIONS: Final = """
    SELECT DISTINCT ON (app) app, name FROM django_migrations ORDER BY app, id DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A backup that was written."""

    file: Path
    size_bytes: int
    seconds: float
    manifest: Manifest


def write_backup(*, to: Path) -> Written:
    """Write a backup to a new file that only its owner can read.

    The anchors are copied before the database: a head that is anchored is then in the dump as
    well. The secrets are not part of it; keep them elsewhere, without them nothing can be read.

    Raises:
        BackupFailed: the file exists, or the database cannot be dumped.
    """
    if to.exists():
        raise BackupFailed(f"{to} exists; a backup never overwrites another.")
    started = clock.now()
    with tempfile.TemporaryDirectory(prefix="tms-backup-", dir=to.parent) as made:
        folder = Path(made)
        parts = _copy_anchors(folder)
        programs.dump(_address(), to=folder / DUMP)
        parts[DUMP] = folder / DUMP
        manifest = _manifest(parts, made_at=started.isoformat())
        (folder / MANIFEST).write_bytes(manifest.as_signed())
        _pack(folder, names=[MANIFEST, *parts], to=to)
    seconds = (clock.now() - started).total_seconds()
    return Written(
        file=to, size_bytes=to.stat().st_size, seconds=round(seconds, 2), manifest=manifest
    )


def _address() -> Any:
    """Return the administrator's address of the database that this process uses."""
    return programs.named(runtime().admin, str(connection.settings_dict["NAME"]))


def _copy_anchors(folder: Path) -> dict[str, Path]:
    (folder / ANCHORS).mkdir()
    source = Path(settings.TMS_AUDIT_ANCHOR_DIR)
    parts = {}
    for path in sorted(source.glob("*.anchor")) if source.exists() else ():
        name = f"{ANCHORS}{path.name}"
        shutil.copyfile(path, folder / name)
        parts[name] = folder / name
    return parts


def _manifest(parts: dict[str, Path], *, made_at: str) -> Manifest:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        (server_version,) = cursor.fetchone()
        cursor.execute(_LAST_MIGRATIONS)
        migrations: dict[str, str] = dict(cursor.fetchall())
    return Manifest(
        format=FORMAT,
        made_at=made_at,
        database=str(connection.settings_dict["NAME"]),
        server_version=server_version,
        migrations=migrations,
        tenants=len(tenant_ids()),
        key_check=key_check(),
        checksums={name: checksum(path) for name, path in parts.items()},
        sizes={name: path.stat().st_size for name, path in parts.items()},
    )


def _pack(folder: Path, *, names: list[str], to: Path) -> None:
    draft = folder / "backup.tar"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name in names:
                archive.add(folder / name, arcname=name, recursive=False)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(to)
