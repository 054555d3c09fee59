"""What is expected to move, and what became of it."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from treasury.models import ExpectedFlow, FlowState


def expected(
    *, account_id: UUID, start: date, end: date, sources: Iterable[str] | None = None
) -> QuerySet[ExpectedFlow]:
    """Return the flows of an account that still stand, with value dates from `start` to `end`.

    A manual flow past its expiry does not stand any more.
    """
    found = ExpectedFlow.objects.filter(
        account_id=account_id, state=FlowState.EXPECTED, value_date__range=(start, end)
    ).exclude(expires_on__lt=start)
    return found if sources is None else found.filter(source__in=list(sources))


_OUTFLOWS: Final = """
SELECT a.currency, -sum(f.amount)
  FROM treasury_expectedflow f JOIN treasury_bankaccount a ON a.id = f.account_id
 WHERE f.account_id = ANY(%(accounts)s) AND f.state = 'EXPECTED' AND f.source = ANY(%(sources)s)
   AND f.value_date BETWEEN %(start)s AND %(end)s AND f.amount < 0
   AND (f.expires_on IS NULL OR f.expires_on >= %(start)s)
 GROUP BY a.currency
"""


def outflows(
    account_ids: Iterable[UUID], *, start: date, end: date, sources: Iterable[str]
) -> dict[str, Decimal]:
    """Return what flows that still stand take out of accounts, by currency, as positive sums."""
    facts: dict[str, Any] = {
        "accounts": list(account_ids),
        "sources": list(sources),
        "start": start,
        "end": end,
    }
    with connection.cursor() as cursor:
        cursor.execute(_OUTFLOWS, facts)
        return dict(cursor.fetchall())


def flow(*, account_id: UUID, source: str, source_ref: str) -> ExpectedFlow | None:
    """Return one flow by what it came from, whatever its state."""
    return ExpectedFlow.objects.filter(
        account_id=account_id, source=source, source_ref=source_ref
    ).first()


def flows_named(*, source: str, refs: Iterable[str]) -> dict[str, ExpectedFlow]:
    """Return flows of a source by what they came from, each with the entry that proved it."""
    found = ExpectedFlow.objects.select_related("matched_entry").filter(
        source=source, source_ref__in=list(refs)
    )
    return {one.source_ref: one for one in found}


def matched_refs(*, source: str, refs: Iterable[str]) -> list[str]:
    """Return which of these expectations of a source an entry has fulfilled."""
    found = ExpectedFlow.objects.filter(
        source=source, source_ref__in=list(refs), state=FlowState.MATCHED
    )
    return list(found.values_list("source_ref", flat=True))
