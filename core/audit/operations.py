"""Migration operations that make the database write its own audit trail."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from core.tenancy.operations import APP_ROLE, _Reversible


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
    events: str,
    key: str,
    secrets: Sequence[str],
) -> None:
    """Attach the audit trigger to `table`."""
    editor.execute(f'DROP TRIGGER IF EXISTS audited ON "{table}"')
    editor.execute(
        f'CREATE TRIGGER audited AFTER {events} ON "{table}" FOR EACH ROW'
        f" EXECUTE FUNCTION core_audit_changes('{','.join(secrets)}', '{key}')"
    )


class AuditedTables(_Reversible):
    """Audit tables that have no tenant column; their rows count for the bound tenant."""

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
                events="INSERT OR UPDATE OR DELETE",
                key="id",
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
            events = (
                "UPDATE OR DELETE" if name in self.quiet_inserts else "INSERT OR UPDATE OR DELETE"
            )
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
