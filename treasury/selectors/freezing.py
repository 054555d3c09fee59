"""Reads of the emergency stop."""

import json
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from core.errors import NotFound
from treasury.models import Freeze, FreezeState


def freezes() -> QuerySet[Freeze]:
    """Return all freezes, newest first."""
    return Freeze.objects.select_related("frozen_by", "release_asked_by")


def standing_freeze() -> Freeze | None:
    """Return the freeze that stands now, if one does."""
    return freezes().exclude(state=FreezeState.RELEASED).first()


def freeze(freeze_id: UUID) -> Freeze:
    """Return one freeze.

    Raises:
        NotFound: no such freeze.
    """
    found = freezes().filter(pk=freeze_id).first()
    if found is None:
        raise NotFound("There is no such freeze.", field="freeze")
    return found


def freeze_content(freeze_id: UUID) -> dict[str, Any]:
    """Return exactly what checkers approve, as the database builds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_freeze_content(f)::text FROM treasury_freeze f WHERE f.id = %s",
            [freeze_id],
        )
        content: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return content
