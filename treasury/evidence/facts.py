"""Rows as facts: every stored column in plain words, account numbers never beyond their hint."""

import json
from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection, models

from core import clock
from core.crypto import EncryptedTextField
from core.identity.models import User

# Bytes are told by their sha256; the tenant stands once at the top; histories repeat.
_SKIPPED: Final = frozenset({"tenant_id", "body"})
STEP_UP_TABLE: Final = "core_stepup"


def plain(value: Any) -> Any:
    """Return a value as JSON has it: amounts, ids and instants are strings."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | date):
        return str(value)
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def facts_of(row: models.Model, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return every stored column of a row, encrypted ones excepted."""
    return {
        str(field.column): plain(getattr(row, field.attname))
        for field in row._meta.concrete_fields
        if field.column not in _SKIPPED
        and field.name not in without
        and not isinstance(field, EncryptedTextField)
    }


class People:
    """Names of people by id, read once."""

    def __init__(self) -> None:
        self._names = {str(user.pk): user.display_name for user in User.objects.all()}

    def name(self, person: Any) -> str:
        """Return the name behind an id; the system's own actors and nobody stay as they are."""
        return self._names.get(str(person), str(person or ""))


def step_up_of(row_facts: dict[str, Any]) -> dict[str, Any] | None:
    """Return the proof of presence that a decision names, whole, for an auditor to check."""
    proof = row_facts.get("step_up_id") or row_facts.get("step_up")
    if not proof:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{STEP_UP_TABLE}"])
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(f"SELECT to_jsonb(s) FROM {STEP_UP_TABLE} s WHERE s.id = %s", [proof])  # noqa: S608 - our own table
        row = cursor.fetchone()
    if row is None:
        return None
    return {"id": str(proof), "row": json.loads(row[0]) if isinstance(row[0], str) else row[0]}


def now_text() -> str:
    """Return the present instant as text."""
    return clock.now().isoformat()
