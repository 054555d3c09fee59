"""Reads of how deals end otherwise: what checkers approve of a cancellation, and fixings."""

import json
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.errors import NotFound
from fx.models import DealCancellation, DealState

# A deal in one of these closes nothing out.
GIVEN_UP: Final = (
    DealState.DRAFT,
    DealState.REJECTED,
    DealState.EXPIRED,
    DealState.CANCELLED,
)


def content_of(cancellation_id: UUID) -> dict[str, Any]:
    """Return exactly what checkers approve, as the database builds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT fx_cancellation_content(c)::text FROM fx_dealcancellation c WHERE c.id = %s",
            [cancellation_id],
        )
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise NotFound("There is no such cancellation.", field="cancellation")
    content: dict[str, Any] = json.loads(row[0])
    return content


def cancellation(cancellation_id: UUID) -> DealCancellation:
    """Return one cancellation with its deal.

    Raises:
        NotFound: there is none.
    """
    rows = DealCancellation.objects.select_related("deal__counterparty", "maker")
    found = rows.filter(pk=cancellation_id).first()
    if found is None:
        raise NotFound("There is no such cancellation.", field="cancellation")
    return found
