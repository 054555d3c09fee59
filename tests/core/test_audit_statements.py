"""INSERTs are written into the trail once a statement: the lines that row by row gave (P6)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.audit.operations import PERSONAL_TABLES, AuditedByStatement, audit_table
from core.identity.services import create_tenant
from core.tenancy import bound
from tests.conftest import as_owner, empty_database

# As it was attached before: one call for every row.
BY_ROW = (
    "CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON probe FOR EACH ROW"
    " EXECUTE FUNCTION core_audit_changes('secret,key', 'id')"
)
LINES = """
    SELECT tenant_id, actor, on_behalf_of, request, reason, database_role, table_name, row_id,
           action, before::text, after::text
      FROM core_auditentry WHERE table_name = 'probe' ORDER BY id
"""
# Some are called like variables of the trigger's function.
COLUMNS = "(id, tenant_id, secret, who, amount, at, day, asked, list, line)"
SAID = st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)
ROW = st.tuples(
    st.uuids(),
    SAID,
    SAID,
    st.none() | st.decimals(-(10**15), 10**15, places=4),
    st.none() | st.datetimes(),
    st.none() | st.dates(),
    st.none() | st.booleans(),
    st.none() | st.lists(st.text("ab ,\"'{}", max_size=3), max_size=3),
    st.sampled_from((None, "{}", '{"a": [1, null, "x"], "b": 1.50}', '"text"')),
)
NAMES = st.fixed_dictionaries(dict.fromkeys(("actor", "on_behalf_of", "request", "reason"), SAID))


@pytest.fixture(scope="module")
def owner(django_db_setup: None, django_db_blocker: Any) -> Iterator[UUID]:
    """Django's connection as the owner role, the id of a committed tenant."""
    with django_db_blocker.unblock():
        tenant = create_tenant(slug="north", name="North Remit").id
        with as_owner(connection.settings_dict["NAME"]):
            yield tenant
        empty_database()


@contextmanager
def probe(tenant: UUID, *, by_row: bool) -> Iterator[Any]:
    """A table of the owner's, audited in one of the two ways; nothing of it stays."""
    with bound(tenant, actor="system:test"), connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        cursor.execute(
            "CREATE TABLE probe (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, secret text,"
            " who text, amount numeric(20, 4), at timestamptz, day date, asked boolean,"
            " list text[], line jsonb)"
        )
        cursor.execute(BY_ROW)
        if not by_row:
            with connection.schema_editor(atomic=False) as editor:
                AuditedByStatement().database_forwards("core", editor, None, None)
        yield cursor
        cursor.execute("ROLLBACK TO before")


def _lines(cursor: Any) -> list[Any]:
    cursor.execute(LINES)
    found = cursor.fetchall()
    cursor.execute(
        "SELECT count(*) FROM core_auditentry e JOIN core_auditpending p ON p.entry_id = e.id"
        " AND p.tenant_id = e.tenant_id WHERE e.table_name = 'probe'"
    )
    assert cursor.fetchone() == (len(found),), "what is written waits for its link"
    return list(found)


def _insert(cursor: Any, tenant: UUID, rows: list[Any], names: dict[str, Any]) -> None:
    for name, value in names.items():
        cursor.execute("SELECT set_config(%s, %s, true)", [f"app.{name}", value or ""])
    if rows:
        places = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s::jsonb)"] * len(rows))
        values = [value for row in rows for value in (row[0], tenant, *row[1:])]
        cursor.execute(f"INSERT INTO probe {COLUMNS} VALUES {places}", values)
    else:
        cursor.execute("INSERT INTO probe SELECT * FROM probe")


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(ROW, max_size=6, unique_by=lambda row: row[0]), names=NAMES)
def test_a_statement_writes_the_lines_that_its_rows_wrote(
    owner: UUID, rows: list[Any], names: dict[str, Any]
) -> None:
    written = []
    for by_row in (True, False):
        with probe(owner, by_row=by_row) as cursor:
            _insert(cursor, owner, rows, names)
            written.append(_lines(cursor))
    assert written[0] == written[1]
    assert [line[7] for line in written[1]] == [str(row[0]) for row in rows]


FIRST, SECOND = UUID(int=1), UUID(int=2)
UPSERT = (
    "INSERT INTO probe (id, tenant_id, who) VALUES (%s, %s, 'a'), (%s, %s, 'b')"
    " ON CONFLICT (id) DO UPDATE SET who = excluded.who || '!'"
)
IGNORE = "INSERT INTO probe (id, tenant_id) VALUES (%s, %s), (%s, %s) ON CONFLICT DO NOTHING"
MERGE = (
    "MERGE INTO probe p USING (VALUES (%s::uuid, %s::uuid), (%s, %s)) v(id, tenant) ON p.id = v.id"
    " WHEN MATCHED THEN UPDATE SET who = 'merged'"
    " WHEN NOT MATCHED THEN INSERT (id, tenant_id) VALUES (v.id, v.tenant)"
)
TWICE = (
    "WITH a AS (INSERT INTO probe (id, tenant_id) VALUES (%s, %s) RETURNING id)"
    " INSERT INTO probe (id, tenant_id) VALUES (%s, %s)"
)


@pytest.mark.parametrize(
    ("statement", "known", "lines"),
    [
        (UPSERT, True, {("INSERT", SECOND), ("UPDATE", FIRST)}),
        (IGNORE, True, {("INSERT", SECOND)}),
        (MERGE, True, {("INSERT", SECOND), ("UPDATE", FIRST)}),
        (TWICE, False, {("INSERT", FIRST), ("INSERT", SECOND)}),
    ],
)
def test_only_what_a_statement_inserted_is_an_insert(
    owner: UUID, statement: str, known: bool, lines: set[Any]
) -> None:
    for by_row in (True, False):
        with probe(owner, by_row=by_row) as cursor:
            if known:
                cursor.execute("INSERT INTO probe (id, tenant_id) VALUES (%s, %s)", [FIRST, owner])
            before = len(_lines(cursor))
            cursor.execute(statement, [FIRST, owner, SECOND, owner])
            found = [(line[8], UUID(line[7])) for line in _lines(cursor)[before:]]
            assert set(found) == lines
            assert len(found) == len(lines)


def test_what_is_copied_in_is_written(owner: UUID) -> None:
    written = []
    for by_row in (True, False):
        with probe(owner, by_row=by_row) as cursor:
            with cursor.copy("COPY probe (id, tenant_id, who) FROM STDIN") as stream:
                for number in range(1, 40):
                    stream.write_row((UUID(int=number), owner, f"n{number}"))
            written.append(_lines(cursor))
    assert written[0] == written[1]
    assert len(written[1]) == 39


def test_attaching_again_changes_nothing(owner: UUID) -> None:
    with probe(owner, by_row=False) as cursor:
        defined = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname ~ '^audited'"
        cursor.execute(f"{defined} ORDER BY oid::regclass::text, 1")
        once = sorted(cursor.fetchall())
        with connection.schema_editor(atomic=False) as editor:
            AuditedByStatement().database_forwards("core", editor, None, None)
            audit_table(editor, "probe", secrets=("secret", "key"))
        cursor.execute(defined)
        assert sorted(cursor.fetchall()) == once


# Tables of rows that no statement's set could speak for, each with the reason.
ROW_BY_ROW = {
    "core_user": "what people are called lies beside the chain, salted name by name",
    "core_tenant": "a tenant's row names no tenant: the bound one is asked for",
    "core_user_groups": "a role's row names no tenant: the bound one is asked for",
    "otp_totp_totpdevice": "a device's row names no tenant: the bound one is asked for",
}


def test_every_audited_table_misses_no_event(owner: UUID) -> None:
    """Each has one trigger for changes; its INSERTs have one by statement, or by row, or none.

    A table in parts, or one that others inherit from, would take rows past a statement's set.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, string_agg(t.tgname || t.tgtype, ',' ORDER BY t.tgname),"
            " c.relkind::text, EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN"
            "  (i.inhparent, i.inhrelid)), bool_and(t.tgenabled = 'O')"
            " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE t.tgname ~ '^audited' GROUP BY c.oid"
        )
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    # AFTER each row: 1; INSERT 4, DELETE 8, UPDATE 16.
    ways = {"audited29": "row", "audited25,audited_inserts4": "statement", "audited25": "quiet"}
    assert {kind for _, kind, _, _ in found.values()} == {"r"}
    assert not any(inherited for _, _, inherited, _ in found.values())
    assert all(is_awake for *_, is_awake in found.values())
    way = {table: ways[triggers] for table, (triggers, *_) in found.items()}
    assert {table for table, one in way.items() if one == "row"} == set(ROW_BY_ROW)
    assert set(ROW_BY_ROW) >= PERSONAL_TABLES
    assert sum(one == "statement" for one in way.values()) > 80


def test_a_row_trigger_that_writes_the_same_table_first_is_named(owner: UUID) -> None:
    """A line of a change comes after the line of its INSERT: no row trigger after an INSERT writes.

    AFTER INSERT row triggers come before a statement's, but for those that wait for the commit;
    those that are there only ask.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE NOT t.tgisinternal AND t.tgtype & 7 = 5 AND t.tgname <> 'audited'"
            " AND EXISTS (SELECT FROM pg_trigger a WHERE a.tgrelid = t.tgrelid"
            "             AND a.tgname = 'audited_inserts')"
        )
        assert {name for (name,) in cursor.fetchall()} == {
            "core_guard_governed", "fx_day_holds", "fx_difference_booked",
            "fx_fixing_is_its_days",
        }  # fmt: skip
