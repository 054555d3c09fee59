"""Write what was approved: row by row, exactly, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models

from core.changes.drafting import announce_change, digest
from core.changes.errors import ChangeConflict
from core.changes.models import ChangeRequest, Operation
from core.changes.registry import governed_table
from core.crypto import EncryptedTextField, Sealed

Entry = dict[str, Any]


@contextmanager
def _under(change: ChangeRequest) -> Iterator[None]:
    announce_change(str(change.pk))
    yield
    # Constraints that wait for the commit speak now, while the refusal can still be told.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    announce_change("")


def replay(change: ChangeRequest) -> list[models.Model]:
    """Write every row of an approved change and return the rows in force.

    Raises:
        ChangeConflict: a row is not any more what the change was made for.
    """
    written = []
    with _under(change):
        for entry in change.rows:
            row = _write(entry, change.sealed)
            if row is not None:
                written.append(row)
    return written


def _write(entry: Entry, sealed: dict[str, str]) -> models.Model | None:
    known = governed_table(entry["table"])
    columns = known.columns
    if entry["operation"] == Operation.INSERT:
        made = known.model(**_attributes(entry, columns, sealed))
        made.save(force_insert=True)
        return made
    row = known.rows.select_for_update(of=("self",)).filter(pk=entry["id"]).first()
    if row is None:
        raise ChangeConflict("The row does not exist any more.", row=entry["id"])
    _refuse_conflict(row, entry, columns)
    if entry["operation"] == Operation.DELETE:
        row.delete()
        return None
    attributes = _attributes(entry, columns, sealed)
    for name, value in attributes.items():
        setattr(row, name, value)
    row.save(update_fields=[columns[name].name for name in entry["after"]])
    fresh: models.Model = known.rows.get(pk=row.pk)
    return fresh


def _attributes(
    entry: Entry, columns: dict[str, models.Field[Any, Any]], sealed: dict[str, str]
) -> dict[str, Any]:
    values = {}
    for name, value in entry["after"].items():
        column = columns[name]
        key = sealed_key(entry["table"], entry["id"], name)
        values[column.attname] = Sealed(sealed[key]) if key in sealed else column.to_python(value)
    return values


def sealed_key(table: str, row_id: str, column: str) -> str:
    """Return under which name a change keeps the ciphertext of a column."""
    return f"{table}/{row_id}/{column}"


def _refuse_conflict(
    row: models.Model, entry: Entry, columns: dict[str, models.Field[Any, Any]]
) -> None:
    for name, value in entry["before"].items():
        column = columns[name]
        if isinstance(column, EncryptedTextField):
            same = not value or _stored_digest(row, column) == value
        else:
            same = getattr(row, column.attname) == column.to_python(value)
        if not same:
            raise ChangeConflict(
                f"Its {column.verbose_name} changed meanwhile.", row=entry["id"], field=name
            )


def _stored_digest(row: models.Model, column: models.Field[Any, Any]) -> str:
    with connection.cursor() as cursor:
        name, table = str(column.column), row._meta.db_table
        quote = connection.ops.quote_name
        cursor.execute(
            f"SELECT {quote(name)} FROM {quote(table)} WHERE id = %s",  # noqa: S608 - our own names
            [row.pk],
        )
        return digest(str(cursor.fetchone()[0]))
