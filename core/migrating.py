"""Migration operations: many changes of models at once, and tables that are tidied slowly."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunSQL
from django.db.migrations.operations import CreateModel
from django.db.migrations.operations.base import Operation


class InOneStep(Operation):
    """Change the state of all models first, then the database.

    Django renders every model that is related to a changed one anew after every operation, which
    here is most of them; in one step they are rendered once. A model that the step creates is
    created in its final form, so operations that complete it have nothing left to do in the
    database. A step changes one thing of another model once only: from before to after.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = list(operations)

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Apply every change to the state, without rendering in between."""
        state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(app_label, state)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Apply every change to the database, from the state before to the state after."""
        for operation in self._left_to_do():
            operation.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,
        to_state: Any,
    ) -> None:
        """Undo every change, the last one first."""
        for operation in reversed(self._left_to_do()):
            operation.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        """Name the operation for `migrate` and `sqlmigrate`."""
        return f"{len(self.operations)} changes in one step"

    def _left_to_do(self) -> list[Operation]:
        made = {one.name_lower for one in self.operations if isinstance(one, CreateModel)}
        return [
            one
            for one in self.operations
            if isinstance(one, CreateModel) or getattr(one, "model_name", "").lower() not in made
        ]


def unhurried(*tables: str) -> RunSQL:
    """Let autovacuum read these tables at a fifth of its pace.

    For tables that only grow: there is little to clear away, and whoever waits for what is being
    written does not wait for that.
    """
    return RunSQL(
        "".join(f"ALTER TABLE {one} SET (autovacuum_vacuum_cost_delay = 10);" for one in tables),
        "".join(f"ALTER TABLE {one} RESET (autovacuum_vacuum_cost_delay);" for one in tables),
    )
