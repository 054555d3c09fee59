"""The whole system in the foreground: servers, migrations, programs, a demo, until Ctrl-C."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.metadata
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tms.run import adoption
from tms.run.config import RunConfig, Runtime, runtime
from tms.run.errors import AlreadyRunningError, ConfigError, ServerError, StartError
from tms.run.guard import Guard
from tms.run.parts import PROGRAM_NAMES, SERVER_NAMES, Programs, port_answers
from tms.run.places import make_home, walkable_mode
from tms.run.roles import ensure_roles
from tms.run.supervisor import NURSERY, REGISTER, Announcer, Supervisor

PORT_SECONDS_MAX = 4.0
MIGRATE_SECONDS_MAX = 600.0
WARM_SECONDS_MAX = 60.0
STEPS = ("migrate", "demo")
DEMO_COMMAND = ("manage.py", "seed_demo", "--tenants", "1", "--seed", "7", "--if-empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which parts to run."""

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse names that mean nothing."""
        known = {*PROGRAM_NAMES, *SERVER_NAMES, *STEPS, NURSERY}
        unknown = (self.only | self.without) - known
        if unknown:
            raise ConfigError(
                f"no part is called {', '.join(sorted(unknown))}; "
                f"there are {', '.join(sorted(known))}."
            )

    def wants(self, name: str) -> bool:
        """Servers and migrations run unless excluded; the rest also obeys `only`."""
        if name in self.without:
            return False
        always = (*SERVER_NAMES, NURSERY, "migrate")
        return not self.only or name in self.only or name in always


EVERYTHING = Selection()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="say everything as JSON lines")
    parser.add_argument("--only", default="", metavar="NAMES", help="run only these programs")
    parser.add_argument("--without", default="", metavar="NAMES", help="leave these parts out")


def selection(only: str, without: str) -> Selection:
    """Read the comma-separated options.

    Raises:
        ConfigError: a name is unknown.
    """
    return Selection(only=_names(only), without=_names(without))


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m tms.run`: the same as `manage.py up`, without waiting for Django to load."""
    parser = argparse.ArgumentParser(prog="python -m tms.run", description=__doc__)
    add_arguments(parser)
    given = parser.parse_args(arguments)
    return start(only=given.only, without=given.without, as_json=given.json)


def start(*, only: str, without: str, as_json: bool) -> int:
    """Run with options as text; refusals become one clear message and exit code 1."""
    try:
        return run_up(RunConfig.load(), json=as_json, parts=selection(only, without))
    except StartError as refusal:
        sys.stderr.write(f"Cannot start: {refusal}\n")
        return 1


def run_up(config: RunConfig, json: bool = False, parts: Selection = EVERYTHING) -> int:  # noqa: FBT001, FBT002
    """Run the system until it is asked to stop.

    Raises:
        StartError: something needed does not start; everything started is stopped again.
    """
    announcer = Announcer(as_json=json)
    with single_instance(config), Guard.started() as guard, adoption.adopting() as ours_before:
        register = config.home / REGISTER
        supervisor = Supervisor(
            register=register, guard=guard, announcer=announcer, ours_before=ours_before
        )
        with supervisor.catching_signals():
            try:
                _start_everything(config, supervisor, announcer, parts)
                supervisor.run()
            finally:
                announcer.say("stopping", "Stopping.")
                supervisor.stop()
                announcer.say("stopped", "Stopped; the data stays.")
    return 0


@contextmanager
def single_instance(config: RunConfig) -> Iterator[None]:
    """Hold the home's lock for the block.

    Raises:
        AlreadyRunningError: another runner holds it.
    """
    make_home(config.home)
    folder = config.home / "run"
    folder.mkdir(mode=walkable_mode(), exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            lock.seek(0)
            raise AlreadyRunningError(
                f"the system already runs from {config.home} (process {lock.read().strip()}). "
                "Stop it first, or set another TMS_HOME, TMS_PORT and TMS_BANK_PORT."
            ) from problem
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def migration_stamp(known: Runtime) -> str:
    """A fingerprint of the code's migrations and of what this very database has had applied.

    Equal stamps mean that `migrate` has nothing to do; Django needs seconds to find that out.
    """
    code = hashlib.sha256()
    for path in sorted(known.config.project.glob("*/migrations/*.py")):
        code.update(str(path.relative_to(known.config.project)).encode() + path.read_bytes())
    for package in sorted(f"{d.name}=={d.version}" for d in importlib.metadata.distributions()):
        code.update(package.encode())
    return f"{code.hexdigest()} {_database_identity(known)}"


def _start_everything(
    config: RunConfig, supervisor: Supervisor, announcer: Announcer, parts: Selection
) -> None:
    known = runtime()
    programs = Programs(config=config, secrets=known.secrets)
    names = [name for name in PROGRAM_NAMES if parts.wants(name) and _belongs(name, config, parts)]
    _refuse_busy_ports(config, names)
    announcer.say("starting", f"Starting from {config.home}", home=str(config.home))
    if names and parts.wants(NURSERY) and adoption.is_possible():
        supervisor.use_nursery(programs.nursery())  # it imports while the servers start
    supervisor.start(part for part in programs.servers() if parts.wants(part.name))
    if supervisor.asked_to_stop():
        return
    ensure_roles(known.admin.conninfo, known.secrets, database=known.app.name)
    if parts.wants("migrate"):
        _migrate(known, programs, supervisor, announcer)
    supervisor.await_nursery(seconds_max=WARM_SECONDS_MAX)
    supervisor.start(programs.part(name) for name in names)
    if supervisor.asked_to_stop():
        return
    _tell_ready(config, supervisor, announcer)
    if config.demo and parts.wants("demo"):
        announcer.say("demo", "  Demo data is being made in the background (log/demo.log).")
        supervisor.add(programs.once("demo", *DEMO_COMMAND))


def _belongs(name: str, config: RunConfig, parts: Selection) -> bool:
    """The sandbox bank stays out of production, the intake where nothing is to be taken in.

    Unless they are asked for by name.
    """
    if name == "bank":
        return config.mode != "production" or name in parts.only
    return name != "intake" or bool(config.positions_topic) or name in parts.only


def _migrate(
    known: Runtime, programs: Programs, supervisor: Supervisor, announcer: Announcer
) -> None:
    """Apply migrations where there may be any."""
    stamp = known.home / "run" / "migrated"
    if stamp.exists() and stamp.read_text() == migration_stamp(known):
        announcer.say("migrated", "  database  up to date")
        return
    announcer.say("migrating", "  database  applying migrations (the first time takes a while)")
    command = ("manage.py", "migrate", "--noinput")
    part = programs.once("migrate", *command, environment={"TMS_DB_ROLE": "owner"})
    supervisor.complete(part, seconds_max=MIGRATE_SECONDS_MAX)
    if not supervisor.asked_to_stop():
        stamp.write_text(migration_stamp(known))


def _tell_ready(config: RunConfig, supervisor: Supervisor, announcer: Announcer) -> None:
    rows = supervisor.table()
    lines = [f"  {row['name']:<9} {row['pid'] or '':>7}  {row['address']}" for row in rows]
    people = _demo_people(config)
    text = "\n".join(["", *lines, "", f"Ready: {config.url}   (Ctrl-C stops)", people])
    announcer.say("up", text, url=config.url, processes=rows, people=people)


def _demo_people(config: RunConfig) -> str:
    path = config.home / "demo_people.txt"
    return path.read_text() if path.exists() else ""


def _database_identity(known: Runtime) -> str:
    query = (
        "SELECT d.oid, m.applied, m.rows FROM pg_database d, (SELECT min(applied) AS applied,"
        " count(*) AS rows FROM django_migrations) m WHERE d.datname = current_database()"
    )
    with psycopg.connect(known.owner.conninfo) as connection:
        try:
            return repr(connection.execute(query).fetchone())
        except psycopg.errors.UndefinedTable:
            return "empty"


def _refuse_busy_ports(config: RunConfig, names: Sequence[str]) -> None:
    """Give the children of a killed runner time to go; then say which variable to change."""
    wanted = {
        "web": (config.host, config.port, "TMS_PORT"),
        "bank": ("127.0.0.1", config.bank_port, "TMS_BANK_PORT"),
    }
    for name, (host, port, variable) in wanted.items():
        deadline = time.monotonic() + PORT_SECONDS_MAX
        while name in names and port_answers(host, port):
            if time.monotonic() > deadline:
                raise ServerError(f"port {port} ({name}) is in use: set {variable} to a free one.")
            time.sleep(0.1)


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
