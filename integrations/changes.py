"""What the integrations room puts under four eyes: where messages to banks go."""

import json
from dataclasses import fields
from typing import Any

from django.db import models

from core.changes.registry import Hooks, Values, govern
from core.changes.services import set_values
from core.errors import Invalid
from integrations import services
from integrations.models import BankConnection, BankProfile

GUARDS = frozenset({"integrations_bankconnection.governed", "integrations_bankprofile.governed"})
WISHES = tuple(one.name for one in fields(services.ConnectionIn))
PROFILE_FIELDS = tuple(one.name for one in fields(services.ProfileIn))


def write_connection(row: models.Model | None, values: Values) -> models.Model:
    """Open a line, or change the settings of one.

    Raises:
        Invalid: a value cannot be right.
        LineMisconfigured: an address that cannot work or is not safe.
    """
    facts: dict[str, Any] = {}
    for name, value in values.items():
        column = BankConnection._meta.get_field(name)
        is_named = isinstance(column, models.ForeignKey)
        facts[name] = str(value or "") if is_named else column.to_python(value)  # type: ignore[union-attr]
    if isinstance(row, BankConnection):
        if facts.get("code", row.code) != row.code:
            raise Invalid("A line keeps its code: accounts refer to it.", field="code")
        kept = {name: getattr(row, name) for name in WISHES if name not in ("secret", "profile")}
        kept["profile"] = row.profile.code if row.profile else ""
        facts = kept | facts
    for name in ("code", "name", "kind"):
        if not facts.get(name):
            raise Invalid(f"{name} is missing.", field=name)
    return services.save_connection(wish=services.ConnectionIn(**facts))


def write_profile(row: models.Model | None, values: Values) -> models.Model:
    """Enter a profile, or change one.

    Raises:
        Invalid: a value cannot be right.
        ProfileInvalid: a key is unknown or cannot be right.
    """
    if isinstance(row, BankProfile) and values.get("code", row.code) != row.code:
        raise Invalid("A profile keeps its code: connections name it.", field="code")
    profile = set_values(row=row or BankProfile(), values=_decoded(values))
    facts = {name: getattr(profile, name) for name in PROFILE_FIELDS}
    return services.save_profile(wish=services.ProfileIn(**facts))


def _decoded(values: Values) -> dict[str, Any]:
    """Return the values with both sides as objects, also where they were written as text."""
    facts = dict(values)
    for side in ("reading", "writing"):
        if isinstance(facts.get(side), str):
            try:
                facts[side] = json.loads(facts[side] or "{}")
            except ValueError as error:
                raise Invalid(f"{side} is not JSON: {error}", field=side) from error
    return facts


def govern_lines() -> None:
    """Name what this room governs."""
    govern(
        BankProfile,
        fields=PROFILE_FIELDS,
        label="bank profile",
        known_by="code",
        hooks=Hooks(write=write_profile),
    )
    govern(
        BankConnection,
        fields=WISHES,
        label="bank connection",
        known_by="code",
        hooks=Hooks(write=write_connection),
    )
