"""Writing many rows at once: a small batch as one INSERT, a large one through COPY.

PostgreSQL refuses COPY into a table with row-level security, so a large batch goes into a temporary
table first; the walls check the INSERT or UPDATE that follows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, Final

from django.db import connection, models

from core.crypto import EncryptedTextField

# Below this the extra statements of the COPY way cost more than they save.
COPY_ROWS_MIN: Final = 100
_STAGE: Final = "pg_temp.incoming_rows"


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model."""
    if not rows:
        return
    model = type(rows[0])
    if len(rows) < COPY_ROWS_MIN:
        model.objects.bulk_create(rows)  # type: ignore[attr-defined]
        return
    fields: list[Any] = list(model._meta.local_concrete_fields)
    columns = ", ".join(_quoted(field.column) for field in fields)
    with _staged(rows, fields) as cursor:
        # Names come from our own model, never from input.
        cursor.execute(
            f"INSERT INTO {_table(model)} ({columns}) SELECT {columns} FROM {_STAGE}"  # noqa: S608
        )


def update(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write the named fields of rows of one model."""
    if not rows:
        return
    model = type(rows[0])
    if len(rows) < COPY_ROWS_MIN:
        model.objects.bulk_update(rows, names)  # type: ignore[attr-defined]
        return
    fields: list[Any] = [model._meta.get_field(name) for name in ("id", *names)]
    columns = [_quoted(field.column) for field in fields[1:]]
    changes = ", ".join(f"{column} = fresh.{column}" for column in columns)
    with _staged(rows, fields) as cursor:
        cursor.execute(
            f"UPDATE {_table(model)} stored SET {changes} FROM {_STAGE} fresh"  # noqa: S608
            " WHERE stored.id = fresh.id"
        )


@contextmanager
def _staged(rows: Sequence[models.Model], fields: Sequence[Any]) -> Iterator[Any]:
    """Copy the fields of rows into a temporary table for the length of a block."""
    columns = ", ".join(_quoted(field.column) for field in fields)
    values = attrgetter(*(field.attname for field in fields))
    adapters = [(place, _adapter(field)) for place, field in enumerate(fields)]
    adapted = [(place, adapt) for place, adapt in adapters if adapt is not None]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {_STAGE}")
        cursor.execute(
            f"CREATE TEMP TABLE incoming_rows ON COMMIT DROP AS"  # noqa: S608
            f" SELECT {columns} FROM {_table(type(rows[0]))} LIMIT 0"
        )
        with cursor.copy(f"COPY {_STAGE} ({columns}) FROM STDIN") as copy:
            for row in rows:
                cells = list(values(row))
                for place, adapt in adapted:
                    cells[place] = adapt(cells[place])
                copy.write_row(cells)
        yield cursor
        cursor.execute(f"DROP TABLE {_STAGE}")


def _adapter(field: Any) -> Callable[[Any], Any] | None:
    """Return what a value of this field needs before it is copied; most need nothing."""
    if isinstance(field, EncryptedTextField):
        return lambda value: field.get_db_prep_save(value, connection)
    return str if field.choices else None


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _table(model: type[models.Model]) -> str:
    return _quoted(model._meta.db_table)
