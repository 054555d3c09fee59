"""A database of its own for the benchmarks: migrated as the owner, used as the app role."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import django
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg.conninfo import make_conninfo

from benchmarks.measure import CPU, WALL, Clock
from tms.run.config import runtime
from tms.run.roles import prepare_database

NAME = "tms_bench"
# What the house is made of: emptying the tenants empties everything.
_ROOTS = "core_tenant, django_session"


# A code of an authenticator works once in half a minute: proofs come through a door of their own.
_DOOR = """
CREATE SCHEMA door;
GRANT USAGE ON SCHEMA door TO tms_app;
CREATE FUNCTION door.step_up(p_user uuid, p_content_hash text) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)
    SELECT gen_random_uuid(), tenant_id, id, 'totp', p_content_hash, clock_timestamp(), '{}'
      FROM core_user WHERE id = p_user
    RETURNING id
$$;
"""


def stepped_up(user: UUID, content_hash: str) -> UUID:
    """Return the proof that a person showed a second factor for `content_hash` just now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT door.step_up(%s, %s)", [user, content_hash])
        return UUID(str(cursor.fetchone()[0]))


def prepare() -> dict[str, str]:
    """Make and migrate the database, connect as the app role, and return the server's facts."""
    django.setup()
    owner = runtime().owner
    with psycopg.connect(_conninfo(owner.conninfo, owner.name), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{NAME}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{NAME}"')
    prepare_database(_conninfo(owner.conninfo))
    app = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(NAME=NAME, USER=owner.user, PASSWORD=owner.password)
    call_command("migrate", verbosity=0)
    connection.close()
    connection.settings_dict.update(app, NAME=NAME)
    settings.DATABASES["default"]["NAME"] = NAME
    settings.TMS_OWNER_CONNINFO = _conninfo(owner.conninfo)
    with administrator() as server:
        server.execute(_DOOR)
        return {
            name: str(_value(server, f"SHOW {setting}"))
            for name, setting in (
                ("postgres", "server_version"),
                ("fsync", "fsync"),
                ("shared_buffers", "shared_buffers"),
            )
        }


def connect() -> None:
    """Connect a further process to the database that another one has prepared."""
    django.setup()
    connection.settings_dict.update(NAME=NAME)
    settings.DATABASES["default"]["NAME"] = NAME


def _conninfo(base: str, name: str = NAME) -> str:
    return make_conninfo(base, dbname=name)


def administrator() -> psycopg.Connection[Any]:
    """Return a connection past all walls: for peers, limits and preparations, never for ours."""
    return psycopg.connect(_conninfo(runtime().admin.conninfo), autocommit=True)


def _value(server: psycopg.Connection[Any], query: str) -> Any:
    row = server.execute(query).fetchone()
    assert row is not None
    return row[0]


def busy_clock(server: psycopg.Connection[Any] | None = None) -> Clock:
    """Return a clock of the processor time that this process and its database backend use.

    Other work on the machine stretches wall time, but hardly this. Where the backend's time cannot
    be read (a server elsewhere) it is the wall clock.
    """
    pid = _django_pid() if server is None else server.info.backend_pid
    spent = Path(f"/proc/{pid}/schedstat")
    if not spent.is_file():
        return WALL
    return lambda: CPU() + int(spent.read_text().split()[0]) / 1e9


def all_busy_clock() -> Clock:
    """Return a clock of the processor time of this process and all backends of the database.

    Requests may be answered over one connection or another.
    """
    watching = administrator()

    def read() -> float:
        pids = watching.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = %s"
            " AND pid <> pg_backend_pid()",
            [NAME, "client backend"],
        ).fetchall()
        spent = (Path(f"/proc/{pid}/schedstat") for (pid,) in pids)
        return CPU() + sum(int(one.read_text().split()[0]) for one in spent if one.is_file()) / 1e9

    return read


def _django_pid() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


def empty() -> None:
    """Take every row away that a benchmark made."""
    with administrator() as server:
        server.execute(f"TRUNCATE {_ROOTS} CASCADE")


def analyse(tables: Sequence[str]) -> None:
    """Let the planner know what a preparation loaded."""
    with administrator() as server:
        server.execute(f"VACUUM ANALYZE {', '.join(tables)}")


@contextmanager
def indexed_afterwards(server: psycopg.Connection[Any], tables: Sequence[str]) -> Iterator[None]:
    """Take away the indexes that hold no constraint while rows are loaded, and build them anew.

    What stands afterwards is what the migrations made: every index by its own definition.
    """
    found = server.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " WHERE i.indrelid = ANY(%s::text[]::regclass[]) AND NOT i.indisunique"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
        [list(tables)],
    ).fetchall()
    for name, _ in found:
        server.execute(f"DROP INDEX {name}")
    yield
    for _, definition in found:
        server.execute(definition)


def rows_written() -> int:
    """Return how many rows this database has ever taken, by its own statistics."""
    connection.close()
    with administrator() as server:
        return int(_value(server, "SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables"))


def copied_out(table: str, *, tenant: UUID) -> list[bytes]:
    """Return a tenant's rows of a table as the text that COPY reads."""
    query = f"COPY (SELECT * FROM {table} WHERE tenant_id = '{tenant}') TO STDOUT"
    with administrator() as server, server.cursor() as cursor, cursor.copy(query) as copy:
        return [bytes(block) for block in copy]
