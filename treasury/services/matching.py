"""Which expected flow a booked entry fulfils."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryState,
    ExpectedFlow,
    FlowSource,
    FlowState,
)

# Banks on the way may keep a fee: the same reference with a little less is still the payment.
FEE_SHARE_MAX: Final = Decimal("0.01")
PAYOUT_WINDOW_DAYS: Final = 2


# Few of a day's entries are waited for: by a transfer, or by an expected flow of the account.
_AWAITED: Final = """
SELECT e.id FROM treasury_bankentry e
 WHERE e.statement_id = ANY(%(statements)s) AND e.state = 'COUNTED' AND e.status = 'BOOK'
   AND ((e.end_to_end_id <> '' AND EXISTS (
             SELECT 1 FROM treasury_transfer t WHERE t.end_to_end_id = e.end_to_end_id))
     OR (e.uetr <> '' AND EXISTS (SELECT 1 FROM treasury_transfer t WHERE t.uetr = lower(e.uetr)))
     OR (e.end_to_end_id <> '' AND e.end_to_end_id IN (
             SELECT f.end_to_end_id FROM treasury_expectedflow f
              WHERE f.account_id = %(account)s AND f.state IN ('EXPECTED', 'STALE')))
     OR e.amount IN (
             SELECT f.amount FROM treasury_expectedflow f
              WHERE f.account_id = %(account)s AND f.state IN ('EXPECTED', 'STALE')
                AND f.source = 'PAYOUT'))
"""


def awaited_entries(*, account_id: UUID, statement_ids: Sequence[UUID]) -> list[BankEntry]:
    """Return the booked entries first read in these statements that somebody waits for."""
    with connection.cursor() as cursor:
        cursor.execute(_AWAITED, {"account": account_id, "statements": list(statement_ids)})
        ids = [row[0] for row in cursor.fetchall()]
    return list(BankEntry.objects.filter(pk__in=ids).order_by("id")) if ids else []


def match_by_reference(
    standing: QuerySet[ExpectedFlow], entries: Sequence[BankEntry]
) -> dict[UUID, ExpectedFlow]:
    """Return flows, by entry, that carry the entry's end-to-end id and about its amount."""
    named = {entry.end_to_end_id for entry in entries if entry.end_to_end_id}
    if not named:
        return {}
    waiting: dict[str, list[ExpectedFlow]] = defaultdict(list)
    for flow in standing.filter(end_to_end_id__in=named).order_by("value_date", "id"):
        waiting[flow.end_to_end_id].append(flow)
    found = {}
    for entry in entries:
        for flow in waiting.get(entry.end_to_end_id, ()):
            if flow.state != FlowState.MATCHED and _about_equal(flow.amount, entry.amount):
                found[entry.pk] = _matched(flow, entry)
                break
    return found


def match_by_amount(
    standing: QuerySet[ExpectedFlow], entries: Sequence[BankEntry]
) -> dict[UUID, ExpectedFlow]:
    """Return payout flows, by entry, where one flow and one entry alone fit each other."""
    if not entries:
        return {}
    amounts = {entry.amount for entry in entries}
    flows: dict[Decimal, list[ExpectedFlow]] = defaultdict(list)
    for flow in standing.filter(source=FlowSource.PAYOUT, amount__in=amounts):
        flows[flow.amount].append(flow)
    if not flows:
        return {}
    rivals: dict[Decimal, list[BankEntry]] = defaultdict(list)
    booked = BankEntry.objects.filter(
        account_id=entries[0].account_id,
        amount__in=list(flows),
        status=BookingStatus.BOOK,
        state=EntryState.COUNTED,
    ).exclude(pk__in=ExpectedFlow.objects.filter(state=FlowState.MATCHED).values("matched_entry"))
    for entry in booked:
        rivals[entry.amount].append(entry)
    found = {}
    for entry in entries:
        fitting = [flow for flow in flows.get(entry.amount, ()) if _near(flow, entry)]
        if len(fitting) == 1 and _alone(fitting[0], entry, rivals[entry.amount]):
            found[entry.pk] = _matched(fitting[0], entry)
    return found


def _alone(flow: ExpectedFlow, entry: BankEntry, rivals: Sequence[BankEntry]) -> bool:
    return {one.pk for one in rivals if _near(flow, one)} == {entry.pk}


def _near(flow: ExpectedFlow, entry: BankEntry) -> bool:
    return abs(flow.value_date - entry.value_date) <= timedelta(days=PAYOUT_WINDOW_DAYS)


def _about_equal(expected: Decimal, booked: Decimal) -> bool:
    if (expected > 0) is not (booked > 0):
        return False
    return abs(expected - booked) <= abs(expected) * FEE_SHARE_MAX


def _matched(flow: ExpectedFlow, entry: BankEntry) -> ExpectedFlow:
    flow.state, flow.matched_entry = FlowState.MATCHED, entry
    return flow
