"""Writing many rows at once: a small batch as Django does it, a large one as arrays.

PostgreSQL refuses COPY into a table with row-level security, and the app role may not create
temporary tables; so a large batch travels as one array per column, and the walls check the
INSERT or UPDATE that unnests them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

from django.db import connection, models

from core.crypto import EncryptedTextField

# Below this the arrays cost more than they save; above, one statement carries so many rows.
ARRAY_ROWS_MIN: Final = 100
ARRAY_ROWS_MAX: Final = 10_000
_SIZE: Final = re.compile(r"\(.*?\)")


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model."""
    if not rows:
        return
    model = type(rows[0])
    if len(rows) < ARRAY_ROWS_MIN:
        model.objects.bulk_create(rows)  # type: ignore[attr-defined]
        return
    fields: list[Any] = list(model._meta.local_concrete_fields)
    columns = ", ".join(_quoted(field.column) for field in fields)
    # Names and types come from our own model, never from input.
    statement = f"INSERT INTO {_table(model)} ({columns}) SELECT * FROM {_unnest(fields)}"  # noqa: S608
    _run(statement, rows, fields)


def update(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write the named fields of rows of one model."""
    if not rows:
        return
    model = type(rows[0])
    if len(rows) < ARRAY_ROWS_MIN:
        model.objects.bulk_update(rows, names)  # type: ignore[attr-defined]
        return
    fields: list[Any] = [model._meta.get_field(name) for name in ("id", *names)]
    columns = [_quoted(field.column) for field in fields]
    changes = ", ".join(f"{column} = fresh.{column}" for column in columns[1:])
    statement = (
        f"UPDATE {_table(model)} stored SET {changes}"  # noqa: S608
        f" FROM {_unnest(fields)} AS fresh ({', '.join(columns)}) WHERE stored.id = fresh.id"
    )
    _run(statement, rows, fields)


def _run(statement: str, rows: Sequence[models.Model], fields: Sequence[Any]) -> None:
    with connection.cursor() as cursor:
        for arrays in _arrays(rows, fields):
            cursor.execute(statement, arrays)


def _arrays(rows: Sequence[models.Model], fields: Sequence[Any]) -> Iterator[list[list[Any]]]:
    """Yield one list per field for each batch of rows."""
    values = attrgetter(*(field.attname for field in fields))
    adapters = [(place, _adapter(field)) for place, field in enumerate(fields)]
    adapted = [(place, adapt) for place, adapt in adapters if adapt is not None]
    for start in range(0, len(rows), ARRAY_ROWS_MAX):
        cells = zip(*map(values, rows[start : start + ARRAY_ROWS_MAX]), strict=True)
        arrays = [list(column) for column in cells]
        for place, adapt in adapted:
            arrays[place] = [adapt(value) for value in arrays[place]]
        yield arrays


def _unnest(fields: Sequence[Any]) -> str:
    return f"unnest({', '.join(f'%s::{_array_type(field)}' for field in fields)})"


def _array_type(field: Any) -> str:
    """Return the array type without sizes: a cast to a size would cut values silently."""
    plain = _SIZE.sub("", field.db_type(connection))
    return f"{plain.replace('varchar', 'text')}[]"


def _adapter(field: Any) -> Callable[[Any], Any] | None:
    """Return what a value of this field needs before it is sent; most need nothing."""
    if isinstance(field, EncryptedTextField):
        return lambda value: field.get_db_prep_save(value, connection)
    return str if field.choices else None


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _table(model: type[models.Model]) -> str:
    return _quoted(model._meta.db_table)
