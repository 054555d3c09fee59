"""Migration operations that make the database write its own audit trail."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from core.audit.sql import INSERTS
from core.tenancy.operations import APP_ROLE, _Reversible

# What people are called stays out of the chain; that is arranged row by row.
PERSONAL_TABLES = frozenset({"core_user"})
EVENTS = ("INSERT", "UPDATE", "DELETE")
_BY_ROW = """
    SELECT c.relname, encode(t.tgargs, 'escape') FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid
     WHERE t.tgname = 'audited' AND t.tgtype & 5 = 5 ORDER BY c.relname
"""


def _names_tenant(editor: BaseDatabaseSchemaEditor, table: str) -> bool:
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'tenant_id'",
            [table],
        )
        return cursor.fetchone() is not None


def append_only(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Refuse UPDATE, DELETE and TRUNCATE on `table`, by grant and by trigger."""
    editor.execute(f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP_ROLE}')
    editor.execute(f'DROP TRIGGER IF EXISTS append_only ON "{table}"')
    editor.execute(
        f'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "{table}"'
        " FOR EACH ROW EXECUTE FUNCTION core_refuse_change()"
    )


class AppendOnly(_Reversible):
    """Make tables append-only for everyone, the owner's own UPDATE included."""

    def __init__(self, *tables: str) -> None:
        self.tables = tables

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Refuse changes on every named table."""
        for table in self.tables:
            append_only(schema_editor, table)

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Make append-only: {', '.join(self.tables)}"


def audit_table(
    editor: BaseDatabaseSchemaEditor,
    table: str,
    *,
    events: Sequence[str] = EVENTS,
    key: str = "id",
    secrets: Sequence[str],
) -> None:
    """Attach the audit triggers to `table`, in place of those that it has.

    A statement's INSERTs are written at once where rows name their tenant and no person; changes
    and deletions, and every event of other tables, row by row.
    """
    arguments = f"('{','.join(secrets)}', '{key}')"
    by_row = list(events)
    editor.execute(f'DROP TRIGGER IF EXISTS audited ON "{table}"')
    editor.execute(f'DROP TRIGGER IF EXISTS audited_inserts ON "{table}"')
    if "INSERT" in events and table not in PERSONAL_TABLES and _names_tenant(editor, table):
        by_row.remove("INSERT")
        # An installation may come to this operation before the migration that brings it.
        editor.execute(INSERTS)
        editor.execute(
            f'CREATE TRIGGER audited_inserts AFTER INSERT ON "{table}"'
            " REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"
            f" EXECUTE FUNCTION core_audit_inserts{arguments}"
        )
    editor.execute(
        f'CREATE TRIGGER audited AFTER {" OR ".join(by_row)} ON "{table}" FOR EACH ROW'
        f" EXECUTE FUNCTION core_audit_changes{arguments}"
    )


class AuditedTables(_Reversible):
    """Audit tables by name; rows without a tenant column count for the bound tenant."""

    def __init__(self, *tables: str, secret_columns: Sequence[str] = ("key",)) -> None:
        self.tables = tables
        self.secret_columns = tuple(secret_columns)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Attach the trigger to every named table."""
        for table in self.tables:
            audit_table(
                schema_editor,
                table,
                secrets=self.secret_columns,
            )

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Audit {', '.join(self.tables)}"


class Audited(_Reversible):
    """Audit every tenant table of an app by trigger, bulk writes and raw SQL included.

    `exclude` names models that are not audited, `quiet_inserts` those whose INSERTs are not
    (rows proven otherwise, such as bank entries by the archived bytes they were read from);
    `secret_columns` never enter the trail.
    """

    def __init__(
        self,
        app: str,
        *,
        exclude: Sequence[str] = (),
        quiet_inserts: Sequence[str] = (),
        secret_columns: Sequence[str] = ("password",),
    ) -> None:
        self.app = app
        self.exclude, self.quiet_inserts = tuple(exclude), tuple(quiet_inserts)
        self.secret_columns = tuple(secret_columns)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Attach the trigger to every audited model's table."""
        for model in to_state.apps.get_app_config(self.app).get_models():
            fields = {field.name for field in model._meta.local_fields}
            name = model._meta.model_name
            if "tenant" not in fields or name in self.exclude or name.startswith("historical"):
                continue
            events = EVENTS[1:] if name in self.quiet_inserts else EVENTS
            audit_table(
                schema_editor,
                model._meta.db_table,
                events=events,
                key=model._meta.pk.column,
                secrets=self.secret_columns,
            )

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Audit the tables of {self.app}"


class AuditedByStatement(_Reversible):
    """Let every table that is audited row by row write its INSERTs once a statement."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Attach the triggers anew, with what each was told to leave out."""
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(_BY_ROW)
            found = cursor.fetchall()
        for table, arguments in found:
            secrets, key = arguments.split("\\000")[:2]
            audit_table(schema_editor, table, key=key, secrets=secrets.split(","))

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return "Audit INSERTs by statement"
