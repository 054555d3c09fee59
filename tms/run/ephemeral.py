"""Throw-away servers for a test run: one pair for the controller and all its workers."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tms.run.addresses import ServerAddresses, embedded_addresses
from tms.run.config import RunConfig, Runtime
from tms.run.guard import Guard
from tms.run.places import make_home, reachable, unprivileged
from tms.run.servers import servers_up

READY_VARIABLE = "TMS_TEST_SERVERS"


@contextmanager
def ephemeral_servers() -> Iterator[Runtime]:
    """Run servers in a temporary home, published through the environment for child processes.

    With TMS_DATABASE_URL or TMS_REDIS_URL set, those are used instead of our own.

    Raises:
        StartError: a server cannot start, or the roles cannot be made.
    """
    home = _temporary_home()
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, home, ignore_errors=True)
        guard = cleanup.enter_context(Guard.started())
        guard.remove_at_end(home)
        changes = {
            "TMS_HOME": str(home),
            "TMS_ENV_FILE": "",
            "TMS_MODE": "test",
        }
        before = {name: os.environ.get(name) for name in (*changes, READY_VARIABLE)}
        cleanup.callback(_restore, before)
        os.environ.update(changes)
        up = cleanup.enter_context(servers_up(RunConfig.load(), fast=True))
        os.environ[READY_VARIABLE] = str(home)
        yield up


def servers_for_tests() -> ServerAddresses:
    """Start the servers in the first process that asks; every child process finds them.

    They stop when that first process ends, in whatever way it ends.
    """
    home = os.environ.get(READY_VARIABLE)
    if home is None:
        keeper = ExitStack()
        atexit.register(keeper.close)
        home = str(keeper.enter_context(ephemeral_servers()).home)
    return embedded_addresses(Path(home))


def _temporary_home() -> Path:
    """A private folder under the system's temporary one, reachable for PostgreSQL's user."""
    base = Path(tempfile.gettempdir())
    person = unprivileged()
    if person is not None and not reachable(base, person):
        base = Path("/tmp")  # noqa: S108 - mkdtemp makes it private
    return make_home(Path(tempfile.mkdtemp(prefix="tms-test-", dir=base)))


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
