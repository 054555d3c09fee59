"""Taking away what a test committed: from the tables that hold something, not from all of them.

TRUNCATE makes every file of a hundred and fifty tables and their indexes anew, whatever is in
them; what one test leaves behind are some rows in some of them.
"""

from contextlib import suppress
from typing import Any, Final

import psycopg
from django.conf import settings
from psycopg import sql

from tms.run.config import runtime

ROOTS: Final = (
    "core_tenant", "core_auditentry", "core_auditpending", "core_auditlink", "django_session",
)  # fmt: skip
ATTEMPTS_MAX: Final = 10
# What points at a root, directly or by way of others: what TRUNCATE … CASCADE would reach.
REACHED: Final = """
WITH RECURSIVE reached(oid) AS (
    SELECT unnest(%s::regclass[])::oid
    UNION
    SELECT conrelid FROM pg_constraint JOIN reached ON confrelid = reached.oid WHERE contype = 'f'
)
SELECT oid::regclass::text FROM reached
"""
EMPTY: Final = """
DO $$
DECLARE
    holding boolean;
    name text;
BEGIN
    FOREACH name IN ARRAY {names}::text[] LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO holding;
        IF holding THEN EXECUTE 'DELETE FROM ' || name; END IF;
    END LOOP;
END $$
"""
Server = psycopg.Connection[Any]


def empty() -> None:
    """Take everything committed away from the tables of tenants; wait for who still writes there.

    No trigger and no foreign key is asked, which takes a superuser; without one, all is truncated.

    Raises:
        AssertionError: somebody keeps working on the database.
    """
    database = psycopg.conninfo.conninfo_to_dict(settings.TMS_OWNER_CONNINFO)["dbname"]
    conninfo = psycopg.conninfo.make_conninfo(runtime().admin.conninfo, dbname=database)
    with psycopg.connect(conninfo, autocommit=True) as server:
        take = _delete if server.info.parameter_status("is_superuser") == "on" else _truncate
        for _ in range(ATTEMPTS_MAX):
            with suppress(psycopg.errors.DeadlockDetected), server.transaction():
                take(server)
                return
    raise AssertionError("somebody still works on the database")


def _delete(server: Server) -> None:
    server.execute("SET LOCAL session_replication_role = replica")
    server.execute(_listed("LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    server.execute(sql.SQL(EMPTY).format(names=sql.Literal(_reached(server))))


def _truncate(server: Server) -> None:
    server.execute(_listed("TRUNCATE {names} CASCADE"))


def _listed(statement: str) -> sql.Composed:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in ROOTS)
    return sql.SQL(statement).format(names=names)


def _reached(server: Server) -> list[str]:
    return [str(name) for (name,) in server.execute(REACHED, [list(ROOTS)])]
