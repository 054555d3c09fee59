"""Reads: is the tenant open, and what a change does, in words."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import models

from core.changes.drafting import digest
from core.changes.models import ChangeRequest, ChangeRequestQuerySet, Operation
from core.changes.registry import Preview, governed_table, rows_of
from core.crypto import EncryptedTextField
from core.identity.models import User
from core.tenancy import Tenant, current_actor, current_tenant_id

EMPTY: Final = "–"
DIGEST_CHARS_SHOWN: Final = 12
PLUMBING: Final = {"id", "tenant_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field of a change: how it was, how it shall be."""

    row: str
    field: str
    old: str
    new: str


def opened() -> bool:
    """Return whether the bound tenant is under four eyes."""
    return Tenant.objects.filter(pk=current_tenant_id(), opened_at__isnull=False).exists()


def acting() -> User | None:
    """Return the person who acts right now, or None for the system."""
    try:
        return User.objects.filter(pk=UUID(current_actor())).first()
    except ValueError:
        return None


def changes() -> ChangeRequestQuerySet:
    """Return the tenant's changes with their makers."""
    return ChangeRequest.objects.select_related("maker")


def preview_of(change: ChangeRequest) -> Preview | None:
    """Return what the change would have done to the past, where its room can tell."""
    for table in dict.fromkeys(entry["table"] for entry in change.rows):
        preview = governed_table(table).hooks.preview
        if preview is not None:
            return preview(change)
    return None


def lines(change: ChangeRequest) -> list[Line]:
    """Return the change field by field."""
    return [line for entry in change.rows for line in _lines(entry)]


def _lines(entry: dict[str, Any]) -> Iterator[Line]:
    name = name_of(entry)
    before, after = entry["before"], entry["after"]
    for key, column in governed_table(entry["table"]).columns.items():
        if key in PLUMBING or (key not in before and key not in after):
            continue
        old, new = shown(column, before.get(key)), shown(column, after.get(key))
        if entry["operation"] == Operation.INSERT and new == EMPTY:
            continue
        yield Line(row=name, field=str(column.verbose_name), old=old, new=new)


def shown(column: models.Field[Any, Any], value: Any) -> str:
    """Return a column's value as people read it; encrypted ones masked, bound by a digest."""
    if value in (None, "") or value == digest(""):
        return EMPTY
    if isinstance(column, EncryptedTextField):
        return f"•••• ({str(value).removeprefix('sha256:')[:DIGEST_CHARS_SHOWN]})"
    if isinstance(column, models.ForeignKey):
        found = rows_of(column.related_model).filter(pk=value).first()
        return str(found) if found is not None else str(value)
    if isinstance(column, models.BooleanField):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    choices = dict(column.flatchoices or ())
    return str(choices.get(value, value))


def name_of(entry: dict[str, Any]) -> str:
    """Return how people call the row of an entry."""
    known = governed_table(entry["table"])
    columns, facts = known.columns, {**entry["before"], **entry["after"]}
    if known.hooks.name is not None:
        return known.hooks.name(facts)
    found = None
    if entry["operation"] != Operation.INSERT:
        found = known.rows.filter(pk=entry["id"]).first()
    if found is not None:
        return str(found)
    attributes = {
        columns[name].attname: columns[name].to_python(value)
        for name, value in facts.items()
        if name in columns and not isinstance(columns[name], EncryptedTextField)
    }
    try:
        return str(known.model(**attributes))
    except (AttributeError, TypeError, ValueError, models.ObjectDoesNotExist):
        return str(entry["id"])


def facts(change: ChangeRequest) -> tuple[tuple[str, str], ...]:
    """Return the change as label and text, for the checkers' page."""
    return tuple(_facts(lines(change), rows_count=len(change.rows)))


def _facts(found: Iterable[Line], *, rows_count: int) -> Iterator[tuple[str, str]]:
    for line in found:
        label = f"{line.row}: {line.field}" if rows_count > 1 else line.field.capitalize()
        yield label, line.new if line.old == EMPTY else f"{line.old} → {line.new}"
