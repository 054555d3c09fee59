"""Many changes of models in one step leave the tables that they leave one after the other."""

from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from core.migrating import InOneStep
from tests.conftest import as_owner

BEFORE: tuple[Operation, ...] = (
    migrations.CreateModel("Old", [("id", models.BigAutoField(primary_key=True))]),
)


def _changes() -> list[Operation]:
    """A new model that is completed later, and an older one that gains a key to it."""
    return [
        migrations.CreateModel(
            "New",
            [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())],
        ),
        migrations.AddField(
            "new", "old", models.ForeignKey("steps.old", models.PROTECT, related_name="+")
        ),
        migrations.AddIndex("new", models.Index(fields=["name"], name="steps_new_name")),
        migrations.AddConstraint(
            "new",
            models.CheckConstraint(condition=~models.Q(name=""), name="steps_new_has_a_name"),
        ),
        migrations.AddField(
            "old", "newest", models.ForeignKey("steps.new", models.PROTECT, null=True)
        ),
        migrations.AddField("old", "size", models.IntegerField(default=7)),
    ]


def _applied(operations: list[Operation]) -> dict[str, Any]:
    """Apply what was before, then the operations; return what the tables became; undo it all."""
    seen: dict[str, Any] = {}
    with connection.schema_editor(atomic=False) as editor, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        state = ProjectState()
        for operation in (*BEFORE, *operations):
            before = state.clone()
            operation.state_forwards("steps", state)
            operation.database_forwards("steps", editor, before, state)
        for statement in editor.deferred_sql:
            cursor.execute(str(statement))
        editor.deferred_sql.clear()
        for table in ("steps_old", "steps_new"):
            described = connection.introspection.get_table_description(cursor, table)
            seen[table] = {(one.name, one.type_code, one.null_ok) for one in described}
            constraints = connection.introspection.get_constraints(cursor, table)
            seen[f"{table} holds"] = sorted(
                str((one["columns"], one["unique"], one["check"], one["foreign_key"]))
                for one in constraints.values()
            )
        seen["state"] = {key: sorted(model.fields) for key, model in state.models.items()}
        cursor.execute("ROLLBACK")
    return seen


@pytest.fixture
def owner(django_db_setup: None, django_db_blocker: Any) -> Any:
    with django_db_blocker.unblock(), as_owner(connection.settings_dict["NAME"]):
        yield


def test_one_step_makes_what_its_changes_make_one_by_one(owner: None) -> None:
    one_by_one, together = _applied(_changes()), _applied([InOneStep(_changes())])
    assert together == one_by_one
    assert together["steps_new holds"], "nothing was compared"


def test_a_step_that_lacks_a_change_is_seen(owner: None) -> None:
    """The negative control of the comparison."""
    assert _applied([InOneStep(_changes()[:-1])]) != _applied(_changes())
