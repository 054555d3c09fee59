"""Which expected flow a booked entry fulfils."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryPart,
    EntryState,
    ExpectedFlow,
    FlowSource,
    FlowState,
    Transfer,
)

# Banks on the way may keep a fee: the same reference with a little less is still the payment.
FEE_SHARE_MAX: Final = Decimal("0.01")
PAYOUT_WINDOW_DAYS: Final = 2
# What we pay for an order or a deal of ours, and what others pay us for it under their own names.
_COME_IN: Final = (FlowSource.SWEEP, FlowSource.DEAL)


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
                AND (f.source = 'PAYOUT' OR f.source IN ('SWEEP', 'DEAL') AND f.amount > 0)))
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
    paid_by_us = _paid_by_us(waiting)
    found = {}
    for entry in sorted(entries, key=lambda one: not _is_dealt(one, waiting)):
        for flow in waiting.get(entry.end_to_end_id, ()):
            is_exact = flow.amount < 0 and flow.end_to_end_id in paid_by_us
            if flow.state != FlowState.MATCHED and _fits(flow, entry, is_exact=is_exact):
                found[entry.pk] = _matched(flow, entry)
                break
    return found


def _is_dealt(entry: BankEntry, waiting: dict[str, list[ExpectedFlow]]) -> bool:
    """Say whether an entry is to the cent what comes for a deal: it goes before one with a fee."""
    return any(
        flow.source == FlowSource.DEAL and 0 < flow.amount == entry.amount
        for flow in waiting.get(entry.end_to_end_id, ())
    )


def _paid_by_us(waiting: dict[str, list[ExpectedFlow]]) -> set[str]:
    """Return the names of what our own bank pays for sweeps and deals: its debit has no fee."""
    names = [
        name
        for name, flows in waiting.items()
        if any(flow.source in _COME_IN and flow.amount < 0 for flow in flows)
    ]
    if not names:
        return set()
    found = Transfer.objects.filter(end_to_end_id__in=names)
    return set(found.values_list("end_to_end_id", flat=True))


def _fits(flow: ExpectedFlow, entry: BankEntry, *, is_exact: bool) -> bool:
    if _only_came_back(flow, entry):
        return False
    return flow.amount == entry.amount if is_exact else _about_equal(flow.amount, entry.amount)


def _only_came_back(flow: ExpectedFlow, entry: BankEntry) -> bool:
    """Say whether an entry is a payment of ours thrown back, and not what others owe."""
    is_thrown_back = bool(entry.return_reason) or entry.is_reversal
    return flow.source in _COME_IN and flow.amount > 0 and is_thrown_back


def match_by_parts(
    standing: QuerySet[ExpectedFlow], entries: Sequence[BankEntry]
) -> list[ExpectedFlow]:
    """Return flows whose payment is inside one of these entries, by end-to-end id and amount."""
    nameless = {entry.pk: entry for entry in entries if not entry.end_to_end_id}
    if not nameless:
        return []
    parts = EntryPart.objects.filter(entry__in=list(nameless)).exclude(end_to_end_id="")
    inside = {(one.end_to_end_id, one.amount): nameless[one.entry_id] for one in parts}
    if not inside:
        return []
    waiting = standing.filter(end_to_end_id__in={name for name, _ in inside})
    found = []
    for flow in waiting.order_by("value_date", "id"):
        entry = inside.pop((flow.end_to_end_id, flow.amount), None)
        if entry is not None:
            found.append(_matched(flow, entry))
    return found


def match_by_amount(
    standing: QuerySet[ExpectedFlow], entries: Sequence[BankEntry]
) -> dict[UUID, ExpectedFlow]:
    """Return flows, by entry, where one flow and one entry alone fit each other.

    So are matched payouts, and what comes back of sweeps, or in for deals, where the payer names
    no order or deal of ours.
    """
    if not entries:
        return {}
    amounts = {entry.amount for entry in entries}
    flows: dict[Decimal, list[ExpectedFlow]] = defaultdict(list)
    nameless = Q(source=FlowSource.PAYOUT) | Q(source__in=_COME_IN, amount__gt=0)
    for flow in standing.filter(nameless, amount__in=amounts):
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
    if _only_came_back(flow, entry):
        return False
    return abs(flow.value_date - entry.value_date) <= timedelta(days=PAYOUT_WINDOW_DAYS)


def _about_equal(expected: Decimal, booked: Decimal) -> bool:
    if (expected > 0) is not (booked > 0):
        return False
    return abs(expected - booked) <= abs(expected) * FEE_SHARE_MAX


def _matched(flow: ExpectedFlow, entry: BankEntry) -> ExpectedFlow:
    flow.state, flow.matched_entry = FlowState.MATCHED, entry
    return flow
