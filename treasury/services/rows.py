"""Writing many rows at once: a small batch as Django does it, a large one as arrays.

PostgreSQL refuses COPY into a table with row-level security, and the app role may not create
temporary tables; so a large batch travels as one array per column, and the walls check the
INSERT or UPDATE that unnests them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from django.db import connection, models

from core.crypto import EncryptedTextField

# Below this the arrays cost more than they save; above, one statement carries so many rows.
ARRAY_ROWS_MIN: Final = 100
ARRAY_ROWS_MAX: Final = 10_000
_SIZE: Final = re.compile(r"\(.*?\)")
# A column of many texts travels as one text, cut by the server at a sign that no bank may send.
_CUT: Final = "\x1f"


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


def insert_columns(
    *, model: type[models.Model], columns: Mapping[str, Sequence[str]], same: Mapping[str, Any]
) -> None:
    """Insert rows that are given as one list of texts per field; `same` holds for all of them.

    No object is made per row, and the server reads the texts. The walls and triggers see the rows
    as they see any.
    """
    fields: list[Any] = [model._meta.get_field(name) for name in columns]
    fixed: list[Any] = [model._meta.get_field(name) for name in same]
    names = ", ".join(_quoted(field.column) for field in (*fields, *fixed))
    constants = [_prepared(field, same[field.name]) for field in fixed]
    given = list(columns.values())
    for start in range(0, len(given[0]), ARRAY_ROWS_MAX):
        sources, arrays = [], []
        for field, texts in zip(fields, given, strict=True):
            shape, array = _texts(texts[start : start + ARRAY_ROWS_MAX])
            sources.append(f"{shape}::{_array_type(field)}")
            arrays.append(array)
        wanted = ", ".join(
            [f"u.c{number}" for number in range(len(fields))]
            + [f"%s::{_plain_type(field)}" for field in fixed]
        )
        made = ", ".join(f"c{number}" for number in range(len(fields)))
        # Names and types come from our own model, never from input.
        statement = (
            f"INSERT INTO {_table(model)} ({names}) SELECT {wanted}"  # noqa: S608
            f" FROM unnest({', '.join(sources)}) AS u({made})"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, [*constants, *arrays])


def plain_array(values: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array of ids, digests, numbers or instants.

    None of them holds a sign that would have to be quoted; None becomes NULL. The statement says
    what the elements are, as in `%s::uuid[]`.
    """
    return "{" + ",".join("NULL" if one is None else str(one) for one in values) + "}"


def text_array(texts: Sequence[str]) -> tuple[str, Any]:
    """Return the SQL of a text array with one placeholder, and what goes into it."""
    return _texts(texts)


def _texts(texts: Sequence[str]) -> tuple[str, Any]:
    joined = _CUT.join(texts)
    # A text of a bank with our signs in it, or too few to need them, travels as a plain array.
    if len(texts) < ARRAY_ROWS_MIN or joined.count(_CUT) != len(texts) - 1:
        return "%s::text[]", list(texts)
    return f"string_to_array(%s, '{_CUT}')", joined


def _prepared(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(getattr(value, "pk", value), connection)


def _plain_type(field: Any) -> str:
    return _array_type(field).removesuffix("[]")


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
