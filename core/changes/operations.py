"""The migration operation that puts a table under four eyes."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from core.tenancy.operations import _Reversible


class Governed(_Reversible):
    """Refuse writes to `columns` (all of them when none is named) without an approved change.

    `sealed` names encrypted columns: requests bind to the digest of what is stored there.
    `when` narrows the updates that need a change; then inserts and deletes stay free.
    """

    def __init__(
        self,
        table: str,
        *,
        columns: Sequence[str] = (),
        sealed: Sequence[str] = (),
        when: str = "",
    ) -> None:
        self.table, self.when = table, when
        self.columns, self.sealed = tuple(columns), tuple(sealed)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Attach the guard."""
        events = "UPDATE" if self.when else "INSERT OR UPDATE OR DELETE"
        condition = f" WHEN ({self.when})" if self.when else ""
        schema_editor.execute(f'DROP TRIGGER IF EXISTS governed ON "{self.table}"')
        schema_editor.execute(
            f'CREATE TRIGGER governed AFTER {events} ON "{self.table}" FOR EACH ROW{condition}'
            " EXECUTE FUNCTION"
            f" core_guard_governed('{','.join(self.columns)}', '{','.join(self.sealed)}')"
        )

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"Put {self.table} under four eyes"
