"""Refusals of the database that its guards mean for people, in words that say what to do."""

import re
from typing import Final

from django.db import DatabaseError

from core.errors import FourEyesNeeded

GOVERNED: Final = "core_governed"
_TABLE: Final = re.compile(r" on [a-z]+_(\w+) needs a change request")


def four_eyes_needed(error: Exception) -> FourEyesNeeded | None:
    """Return what a refused write of a governed row means, or None for any other error."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    said = getattr(cause, "diag", None)
    if said is None or said.constraint_name != GOVERNED:
        return None
    found = _TABLE.search(said.message_primary or "")
    table = found.group(1) if found else "row"
    return FourEyesNeeded(
        "Here another person approves such a change first. Propose it: on its page or in the admin,"
        f" by POST to /api/v1/changes, or with `manage.py change {table} … --reason WHY`.",
        table=table,
    )
