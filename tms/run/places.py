"""Folders with the right owner and mode, and socket paths short enough for the kernel."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tms.run.errors import ConfigError

SOCKET_PATH_BYTES_MAX = 107  # sun_path holds 108 bytes with its closing zero
SYSTEM_DATA = Path("/var/lib")
DIGEST_CHARACTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The operating system user a child process runs as."""

    name: str
    uid: int
    gid: int


def unprivileged() -> Person | None:
    """Whom PostgreSQL runs as when we are root; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Person(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def short_prefix() -> str:
    """How the short folders of this user are called in the system's temporary folder."""
    return f"tms-{os.getuid()}-"


def digest_of(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:DIGEST_CHARACTERS]


def reachable(path: Path, person: Person) -> bool:
    """Whether `person` may walk down to `path`, judged by the folders' mode bits."""
    resolved = path.resolve()
    for folder in (resolved, *resolved.parents):
        if not folder.exists():
            continue
        status = folder.stat()
        mine = status.st_uid == person.uid and status.st_mode & stat.S_IXUSR
        if not mine and not status.st_mode & stat.S_IXOTH:
            return False
    return True


def make_private(path: Path, owner: Person | None = None) -> Path:
    """Make a 0700 folder for `owner` (None: ourselves), or verify that it is one.

    Raises:
        ConfigError: the path exists but is a link, no folder, or somebody else's.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _own(path, mode=0o700, owner=owner)


def make_home(path: Path) -> Path:
    """Make the folder everything lives in: ours alone, but root lets `nobody` walk through."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _own(path, mode=walkable_mode(), owner=None)


def walkable_mode() -> int:
    return 0o711 if os.geteuid() == 0 else 0o700


def socket_folder(wanted: Path, socket_name: str) -> Path:
    """Return `wanted`, or a short folder that is the same on every call, for long paths.

    Raises:
        ConfigError: even the short folder is too long.
    """
    if _fits(wanted / socket_name):
        return wanted
    base = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108 - private and verified
    short = base / f"{short_prefix()}{digest_of(wanted)}" / "s"
    if not _fits(short / socket_name):
        raise ConfigError(
            f"{short} is too long for a socket ({SOCKET_PATH_BYTES_MAX} bytes): "
            "set a shorter TMS_HOME or TMPDIR."
        )
    return short


def make_socket_folder(folder: Path, owner: Person | None) -> Path:
    """Make the folder of a socket; a short one gets its parent first.

    Raises:
        ConfigError: the folder or its parent belongs to somebody else.
    """
    if folder.parent.name.startswith(short_prefix()):
        make_home(folder.parent)
    return make_private(folder, owner)


def postgres_root(home: Path) -> Path:
    """Where PostgreSQL's files live: in the home, or where `nobody` can reach them.

    A root user's home is often closed to everybody else, and PostgreSQL refuses to run as root.
    Its files then live under the system's data folder, with a link to them in the home.
    """
    local = home / "postgres"
    if local.is_symlink():
        return local.resolve()
    person = unprivileged()
    if person is None or reachable(home.parent, person):
        return local
    return SYSTEM_DATA / f"tms-{digest_of(home.resolve())}"


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX


def _own(path: Path, *, mode: int, owner: Person | None) -> Path:
    """Check and set owner and mode through one descriptor: no link can be slipped in."""
    uid = os.geteuid() if owner is None else owner.uid
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as problem:
        raise ConfigError(
            f"{path} is not a folder of ours (a link, a file or closed to us)."
        ) from problem
    try:
        status = os.fstat(folder)
        if owner is not None and status.st_uid == os.geteuid() and not os.listdir(folder):
            os.fchown(folder, owner.uid, owner.gid)
        elif status.st_uid != uid:
            raise ConfigError(
                f"{path} belongs to user id {status.st_uid}, expected {uid}: not touching it."
            )
        os.fchmod(folder, mode)
    finally:
        os.close(folder)
    return path
