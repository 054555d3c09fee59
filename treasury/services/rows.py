"""Writing many rows at once: a small batch as one INSERT, a large one through COPY."""

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection, models

# Below this the two extra statements of the COPY way cost more than they save.
COPY_ROWS_MIN: Final = 400
UPDATE_BATCH_ROWS: Final = 1_000


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model.

    PostgreSQL refuses COPY into a table with row-level security, so large batches go into a
    temporary table first; the walls check the INSERT that follows.
    """
    if not rows:
        return
    model = type(rows[0])
    if len(rows) < COPY_ROWS_MIN:
        model.objects.bulk_create(rows)  # type: ignore[attr-defined]
        return
    fields: list[Any] = list(model._meta.local_concrete_fields)
    names = [connection.ops.quote_name(field.column) for field in fields]
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(names)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming_rows")
        # Names come from our own model, never from input.
        cursor.execute(
            "CREATE TEMP TABLE incoming_rows ON COMMIT DROP AS"  # noqa: S608
            f" SELECT {columns} FROM {table} LIMIT 0"
        )
        with cursor.copy(f"COPY pg_temp.incoming_rows ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(
                    [
                        field.get_db_prep_save(getattr(row, field.attname), connection)
                        for field in fields
                    ]
                )
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM pg_temp.incoming_rows"  # noqa: S608
        )
        cursor.execute("DROP TABLE pg_temp.incoming_rows")


def update(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write the named fields of rows of one model."""
    if rows:
        manager = type(rows[0]).objects  # type: ignore[attr-defined]
        manager.bulk_update(rows, fields, batch_size=UPDATE_BATCH_ROWS)
