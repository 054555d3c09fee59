"""The migration operation that puts a table under four eyes."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from core.tenancy.operations import _Reversible


class Governed(_Reversible):
    """Refuse writes to `columns` (all of them when none is named) without an approved change.

    `sealed` names encrypted columns: requests bind to the digest of what is stored there.
    `stamped` names columns that the database writes itself; they need no change.
    `when` narrows the updates that need a change; then inserts and deletes stay free.
    """

    def __init__(
        self,
        table: str,
        *,
        columns: Sequence[str] = (),
        sealed: Sequence[str] = (),
        stamped: Sequence[str] = (),
        when: str = "",
    ) -> None:
        self.table, self.when = table, when
        self.columns, self.sealed, self.stamped = tuple(columns), tuple(sealed), frozenset(stamped)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Attach the guard."""
        columns = self.columns or self._unstamped(schema_editor)
        events = "UPDATE" if self.when else "INSERT OR UPDATE OR DELETE"
        condition = f" WHEN ({self.when})" if self.when else ""
        schema_editor.execute(f'DROP TRIGGER IF EXISTS governed ON "{self.table}"')
        schema_editor.execute(
            f'CREATE TRIGGER governed AFTER {events} ON "{self.table}" FOR EACH ROW{condition}'
            " EXECUTE FUNCTION"
            f" core_guard_governed('{','.join(columns)}', '{','.join(self.sealed)}')"
        )

    def _unstamped(self, schema_editor: BaseDatabaseSchemaEditor) -> Sequence[str]:
        """Return all columns but the stamped ones; none, which means all, where none is stamped."""
        if not self.stamped:
            return ()
        with schema_editor.connection.cursor() as cursor:
            found = schema_editor.connection.introspection.get_table_description(cursor, self.table)
        return [column.name for column in found if column.name not in self.stamped]

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Put {self.table} under four eyes"
