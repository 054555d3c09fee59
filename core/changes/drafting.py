"""Run a write as a draft: the database notes what it would do, and nothing of it stays."""

import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

from django.db import connection, models, transaction

from core.changes.models import Operation
from core.changes.registry import governed_table
from core.crypto import EncryptedTextField, decrypt

T = TypeVar("T")
Columns = dict[str, Any]
DRAFT: Final = "draft"
_drafting: ContextVar[bool] = ContextVar("drafting", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row before and after; of encrypted columns digests, the ciphertext in `sealed`."""

    table: str
    id: str
    operation: str
    before: Columns
    after: Columns
    sealed: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it without the ciphertext, as it is approved."""
        facts = asdict(self)
        del facts["sealed"]
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted(Generic[T]):
    """What a draft returned, and which governed rows it would have written."""

    result: T
    rows: tuple[RowChange, ...]


def announce_change(mode: str) -> None:
    """Tell the database under which change this transaction writes: a draft, an id, or none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.change', %s, true)", [mode])


def draft(run: Callable[[], T]) -> Drafted[T]:
    """Run `run`; when it writes governed rows, note them and undo everything it did.

    A run that writes no governed row stays as it is.
    """
    with transaction.atomic():
        announce_change(DRAFT)
        token = _drafting.set(True)
        try:
            result = run()
        finally:
            _drafting.reset(token)
        rows = _noted()
        if rows:
            transaction.set_rollback(True)
        else:
            announce_change("")
    return Drafted(result=result, rows=tuple(rows))


def is_drafting() -> bool:
    """Return whether writes are only noted right now."""
    return _drafting.get()


def _noted() -> list[RowChange]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, row_id, operation, before::text, after::text"
            " FROM core_changedraft ORDER BY id"
        )
        noted = cursor.fetchall()
    merged: dict[tuple[str, str], RowChange] = {}
    for table, row_id, operation, before, after in noted:
        found = RowChange(
            table=table,
            id=row_id,
            operation=operation,
            before=_columns(before),
            after=_columns(after),
        )
        key = (table, row_id)
        merged[key] = _merged(merged[key], found) if key in merged else found
    shown = (_as_request(row) for row in merged.values())
    return [row for row in shown if row.before or row.after]


def _columns(text: str | None) -> Columns:
    """Read a row; numbers with a point stay exact, as text."""
    return json.loads(text, parse_float=lambda digits: str(Decimal(digits))) if text else {}


def _merged(first: RowChange, second: RowChange) -> RowChange:
    """Join two writes to one row into what both together do."""
    if second.operation == Operation.DELETE:
        before = {} if first.operation == Operation.INSERT else first.before
        return replace(second, before=before, after={})
    return replace(first, after=second.after)


def _as_request(row: RowChange) -> RowChange:
    """Keep what really changes, and put digests in the place of ciphertext."""
    known = governed_table(row.table)
    before, after, sealed = dict(row.before), dict(row.after), {}
    for name, column in known.columns.items():
        is_ours = name in known.stamped or _is_clockwork(column)
        if is_ours or (row.operation == Operation.UPDATE and _is_same(column, row)):
            before.pop(name, None)
            after.pop(name, None)
        elif isinstance(column, EncryptedTextField):
            # An empty value has a digest too: the guard computes one, and no ciphertext hides it.
            if after.get(name) is not None:
                sealed[name] = after[name]
                after[name] = digest(after[name])
            if before.get(name) is not None:
                before[name] = digest(before[name])
    return replace(row, before=before, after=after, sealed=sealed)


def _is_clockwork(column: models.Field[Any, Any]) -> bool:
    return bool(getattr(column, "auto_now", False) or getattr(column, "auto_now_add", False))


def _is_same(column: models.Field[Any, Any], row: RowChange) -> bool:
    was, becomes = row.before.get(str(column.column)), row.after.get(str(column.column))
    if was != becomes and was and becomes and isinstance(column, EncryptedTextField):
        # The same number is encrypted differently every time.
        context = column.context()
        return decrypt(was, context=context) == decrypt(becomes, context=context)
    return bool(was == becomes)


def digest(ciphertext: str) -> str:
    """Return what stands for an encrypted value in a request, as the guard computes it."""
    return f"sha256:{sha256(ciphertext.encode()).hexdigest()}"
