"""Running PostgreSQL's own programs; passwords travel in the environment, never in arguments."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

from tms.ops.backup.errors import BackupFailed
from tms.run.addresses import DatabaseAddress
from tms.run.servers import postgres_program

PROGRAM_SECONDS_MAX: Final = 6 * 3_600
ERROR_LINES_SHOWN: Final = 5
BYPASS_HINT: Final = (
    " The role must see every tenant's rows: give it BYPASSRLS, or name a superuser in"
    " TMS_DATABASE_URL."
)


def dump(address: DatabaseAddress, *, to: Path) -> None:
    """Write the whole database in PostgreSQL's custom format, from one snapshot.

    Raises:
        BackupFailed: pg_dump refused.
    """
    _run("pg_dump", ("--format=custom", "--compress=6", f"--file={to}"), address)


def load(address: DatabaseAddress, *, source: Path) -> None:
    """Restore a dump into an empty database, completely or not at all.

    Raises:
        BackupFailed: pg_restore refused.
    """
    options = ("--exit-on-error", "--single-transaction", f"--dbname={address.name}", str(source))
    _run("pg_restore", options, address)


def connected(address: DatabaseAddress) -> "psycopg.Connection[Any]":
    """Return a connection on which every statement commits by itself."""
    return psycopg.connect(address.conninfo, autocommit=True)


def named(address: DatabaseAddress, name: str) -> DatabaseAddress:
    """Return the same address for another database."""
    return address.as_role(user=address.user, password=address.password, name=name)


def _run(name: str, options: Sequence[str], address: DatabaseAddress) -> None:
    """Run one program against the database."""
    environment = {
        **os.environ,
        "PGHOST": address.host,
        "PGPORT": address.port,
        "PGUSER": address.user,
        "PGPASSWORD": address.password,
        "PGDATABASE": address.name,
        **{f"PG{key.upper()}": value for key, value in address.options.items()},
    }
    outcome = subprocess.run(  # noqa: S603 - our own command
        [str(postgres_program(name)), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PROGRAM_SECONDS_MAX,
        check=False,
    )
    if outcome.returncode:
        words = " ".join(outcome.stderr.strip().splitlines()[:ERROR_LINES_SHOWN])
        hint = BYPASS_HINT if "row-level security" in words else ""
        raise BackupFailed(f"{name} ended with {outcome.returncode}: {words}{hint}")
