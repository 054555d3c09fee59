"""What the integrations room puts under four eyes: where messages to banks go."""

from dataclasses import fields
from typing import Any

from django.db import models

from core.changes.registry import Hooks, Values, govern
from core.errors import Invalid
from integrations import services
from integrations.models import BankConnection

GUARDS = frozenset({"integrations_bankconnection.governed"})
WISHES = tuple(one.name for one in fields(services.ConnectionIn))


def write_connection(row: models.Model | None, values: Values) -> models.Model:
    """Open a line, or change the settings of one.

    Raises:
        Invalid: a value cannot be right.
        LineMisconfigured: an address that cannot work or is not safe.
    """
    facts: dict[str, Any] = {}
    for name, value in values.items():
        column = BankConnection._meta.get_field(name)
        facts[name] = column.to_python(value)  # type: ignore[union-attr]
    if isinstance(row, BankConnection):
        if facts.get("code", row.code) != row.code:
            raise Invalid("A line keeps its code: accounts refer to it.", field="code")
        kept = {name: getattr(row, name) for name in WISHES if name != "secret"}
        facts = kept | facts
    for name in ("code", "name", "kind"):
        if not facts.get(name):
            raise Invalid(f"{name} is missing.", field=name)
    return services.save_connection(wish=services.ConnectionIn(**facts))


def govern_lines() -> None:
    """Name what this room governs."""
    govern(
        BankConnection,
        fields=WISHES,
        label="bank connection",
        known_by="code",
        hooks=Hooks(write=write_connection),
    )
