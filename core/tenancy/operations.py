"""Migration operations that put the tenant wall into the database."""

from hashlib import sha256
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

APP_ROLE = "tms_app"
NAME_LENGTH_MAX = 63
_TENANT = "(SELECT NULLIF(current_setting('app.tenant', true), '')::uuid)"
_NARROW_KEYS = """
SELECT held_by.relname, narrow.conname
  FROM pg_constraint narrow JOIN pg_class held_by ON held_by.oid = narrow.conrelid
 WHERE held_by.relname = ANY (%s) AND narrow.contype = 'f' AND cardinality(narrow.conkey) = 1
   AND EXISTS (
       SELECT 1 FROM pg_constraint wider
        WHERE wider.conrelid = narrow.conrelid AND wider.contype = 'f'
          AND cardinality(wider.conkey) = 2 AND wider.conkey @> narrow.conkey
          AND (wider.confrelid = narrow.confrelid OR narrow.confrelid = 'core_tenant'::regclass))
"""


def _constraint_exists(editor: BaseDatabaseSchemaEditor, name: str) -> bool:
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = %s", [name])
        return cursor.fetchone() is not None


def short_name(name: str) -> str:
    """Return `name`, cut to PostgreSQL's 63 bytes with a digest that keeps it unique."""
    return (
        name
        if len(name) <= NAME_LENGTH_MAX
        else f"{name[:50]}_{sha256(name.encode()).hexdigest()[:12]}"
    )


def wall(editor: BaseDatabaseSchemaEditor, table: str, condition: str) -> None:
    """Enable and force row-level security on `table` with `condition` as the only way in."""
    editor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    editor.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    editor.execute(f'DROP POLICY IF EXISTS tenant_wall ON "{table}"')
    editor.execute(
        f'CREATE POLICY tenant_wall ON "{table}" USING ({condition}) WITH CHECK ({condition})'
    )


class _Reversible(Operation):
    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Leave the model state alone: only the database changes."""

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Leave the walls standing: the tables go with the migrations that made them."""


class EnforceTenancy(_Reversible):
    """Row-level security, tenant keys and same-tenant foreign keys for all models of an app."""

    def __init__(self, app: str) -> None:
        self.app = app

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Apply the wall to every model of the app that has a tenant."""
        found = to_state.apps.get_app_config(self.app).get_models(include_auto_created=True)
        walled = [model for model in found if _has_tenant(model)]
        for model in walled:
            wall(schema_editor, model._meta.db_table, f"tenant_id = {_TENANT}")
            if model._meta.pk.column == "id" and isinstance(model._meta.pk, models.UUIDField):
                self._unique_with_tenant(schema_editor, model)
        for model in walled:
            self._same_tenant_keys(schema_editor, model)

    def _unique_with_tenant(self, editor: BaseDatabaseSchemaEditor, model: Any) -> None:
        table = model._meta.db_table
        name = short_name(f"{table}_tenant_id_key")
        if not _constraint_exists(editor, name):
            editor.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" UNIQUE (tenant_id, id)')

    def _same_tenant_keys(self, editor: BaseDatabaseSchemaEditor, model: Any) -> None:
        table = model._meta.db_table
        for field in model._meta.local_fields:
            if not isinstance(field, models.ForeignKey) or not field.db_constraint:  # type: ignore[attr-defined]
                continue
            target = field.related_model
            if field.name == "tenant" or not _has_tenant(target):
                continue
            name = short_name(f"{table}_{field.column}_same_tenant")
            if not _constraint_exists(editor, name):
                editor.execute(
                    f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}"'
                    f' FOREIGN KEY (tenant_id, "{field.column}")'
                    f' REFERENCES "{target._meta.db_table}" (tenant_id, id)'
                    " DEFERRABLE INITIALLY DEFERRED"
                )

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Wall in the tenant tables of {self.app}"


class TenantItself(_Reversible):
    """Row-level security for the table of tenants: each sees itself."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Let a tenant see its own row only."""
        wall(schema_editor, "core_tenant", f"id = {_TENANT}")

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return "Wall in the tenants themselves"


class EnforceTenancyThrough(_Reversible):
    """Row-level security for a table without a tenant column, through its owner's row."""

    def __init__(self, table: str, *, column: str, parent: str) -> None:
        self.table, self.column, self.parent = table, column, parent

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Let a row be seen only by who sees its parent."""
        seen = f'SELECT id FROM "{self.parent}"'  # noqa: S608 - names from our own migrations
        wall(schema_editor, self.table, f"{self.column} IN ({seen})")

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Wall in {self.table} through {self.parent}"


def _has_tenant(model: Any) -> bool:
    return any(field.name == "tenant" for field in model._meta.local_fields)


class KeysOnce(_Reversible):
    """Let the foreign keys of busy tables hold once: with the tenant.

    A key of one column goes where another key of the same table contains that column and the
    tenant, which is part of the referenced row's own key. It says nothing more, and costs a
    look-up and a lock on the referenced row with every change.
    """

    def __init__(self, *tables: str) -> None:
        self.tables = tables

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Drop every key of the named tables that a wider one contains."""
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(_NARROW_KEYS, [list(self.tables)])
            found = cursor.fetchall()
        for table, key in found:
            schema_editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{key}"')

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Let keys hold once: {', '.join(self.tables)}"
