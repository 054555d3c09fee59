"""Open a backup: nothing is used before its checksum and signature are right."""

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tms.ops.backup.errors import BackupDamaged
from tms.ops.backup.manifest import ANCHORS, DUMP, MANIFEST, Manifest, checksum, read_signed

MEMBERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A backup whose parts are what was written."""

    manifest: Manifest
    dump: Path
    anchors: tuple[Path, ...]


@contextmanager
def opened(file: Path) -> Iterator[Opened]:
    """Unpack a backup into a private folder for the block and verify every part.

    Raises:
        BackupDamaged: it cannot be read, or a part is missing, added or changed.
    """
    with tempfile.TemporaryDirectory(prefix="tms-restore-") as made:
        folder = Path(made)
        try:
            with tarfile.open(file, mode="r:") as archive:
                members = archive.getmembers()[: MEMBERS_MAX + 1]
                if len(members) > MEMBERS_MAX or not all(one.isfile() for one in members):
                    raise BackupDamaged("The file holds what no backup holds.")
                archive.extractall(folder, members=members, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise BackupDamaged(f"{file.name} cannot be read: {error}.") from error
        yield _verified(folder, names={one.name for one in members})


def _verified(folder: Path, *, names: set[str]) -> Opened:
    if MANIFEST not in names:
        raise BackupDamaged("There is no manifest.")
    manifest = read_signed((folder / MANIFEST).read_bytes())
    if names != {MANIFEST, *manifest.checksums} or DUMP not in names:
        raise BackupDamaged("Parts are missing or were added.")
    changed = [
        name for name, digest in manifest.checksums.items() if checksum(folder / name) != digest
    ]
    if changed:
        raise BackupDamaged(f"Changed since it was written: {', '.join(sorted(changed))}.")
    anchors = tuple(folder / name for name in sorted(names) if name.startswith(ANCHORS))
    return Opened(manifest=manifest, dump=folder / DUMP, anchors=anchors)
