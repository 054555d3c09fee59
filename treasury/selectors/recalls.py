"""Reads of recalls."""

import json
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from core.errors import NotFound
from treasury.models import Recall


def recalls() -> QuerySet[Recall]:
    """Return all recalls with their payments, newest first."""
    return Recall.objects.select_related("transfer__proposal__debit_account__bank", "requested_by")


def recall(recall_id: UUID) -> Recall:
    """Return one recall.

    Raises:
        NotFound: no such recall.
    """
    found = recalls().filter(pk=recall_id).first()
    if found is None:
        raise NotFound("There is no such recall.", field="recall")
    return found


def recall_content(recall_id: UUID) -> dict[str, Any]:
    """Return exactly what checkers approve, as the database builds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_recall_content(r)::text FROM treasury_recall r WHERE r.id = %s",
            [recall_id],
        )
        content: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return content
