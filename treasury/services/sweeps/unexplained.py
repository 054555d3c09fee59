"""Money that left a swept account like a sweep, and that no order of ours explains."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast

from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryState,
    ExpectedFlow,
    FlowState,
    PoolPair,
    SweepLine,
    SweepOrder,
    Task,
    Transfer,
)
from treasury.services import tasks

UNEXPLAINED: Final = "sweep_debit_unexplained"
# As long as a bank may take to show what it did; older entries were looked at then.
LOOKED_BACK: Final = timedelta(days=10)
NAME_STARTS: Final = "SWP-"
ENTRIES_MAX: Final = 500


@transaction.atomic
def tell_unexplained(*, now: datetime) -> list[Task]:
    """Open a task for each debit that looks like a sweep through our own bank and is none of ours.

    It looks like one on an account with an active line when it names an order, when it pays who
    takes the line's money, or when its amount is what an order of these days paid. It is explained
    by a transfer, an expected flow or a pair of the bank's own; one that bears the marks of a
    transfer of ours and does not fit it is asked about there. A person is asked once, and no more
    when the entry ceases to count or turns out to be explained.
    """
    lines = list(SweepLine.objects.filter(is_active=True).select_related("beneficiary"))
    since = now - LOOKED_BACK
    _answer_explained()
    if not lines:
        return []
    accounts = {one.account_id for one in lines}
    paid = SweepOrder.objects.filter(
        account__in=accounts, line__isnull=False, created_at__gte=since
    )
    looks = Q(end_to_end_id__startswith=NAME_STARTS)
    looks |= Q(amount__in={-amount for amount in paid.values_list("paid_out", flat=True)})
    for name in {one.beneficiary.name for one in lines if one.beneficiary is not None}:
        looks |= Q(counterparty__iexact=name)
    # Also a task that a person has closed: the entry stays as unexplained as it was.
    told = Task.objects.filter(kind=UNEXPLAINED, key=Cast(OuterRef("pk"), CharField()))
    found = (
        _unexplained()
        .filter(~Exists(told), looks, account__in=accounts, booking_date__gte=since.date())
        .select_related("account")
        .order_by("id")[:ENTRIES_MAX]
    )
    return [_tell(one) for one in found]


def _unexplained() -> QuerySet[BankEntry]:
    """Return booked debits that no transfer, expected flow or pair accounts for."""
    own = OuterRef("pk")
    # Every transfer has both marks.
    named = Transfer.objects.filter(end_to_end_id=OuterRef("end_to_end_id"))
    marked = Transfer.objects.filter(uetr=OuterRef("uetr"))
    return BankEntry.objects.filter(
        ~Exists(Transfer.objects.filter(debit_entry=own)),
        ~Exists(named),
        ~Exists(marked),
        ~Exists(ExpectedFlow.objects.filter(matched_entry=own, state=FlowState.MATCHED)),
        ~Exists(PoolPair.objects.filter(debit_entry=own)),
        amount__lt=0,
        is_reversal=False,
        state=EntryState.COUNTED,
        status=BookingStatus.BOOK,
    )


def _tell(entry: BankEntry) -> Task:
    amount = f"{Decimal(-entry.amount):,.2f} {entry.account.currency}"
    whom = entry.counterparty or "nobody that the bank names"
    named = f", under the name {entry.end_to_end_id}" if entry.end_to_end_id else ""
    return tasks.open_task(
        task=tasks.TaskIn(
            kind=UNEXPLAINED,
            key=str(entry.pk),
            title=f"{entry.account.label}: {amount} left like a sweep, and no order explains it",
            detail=f"Booked on {entry.booking_date} to {whom}{named}. Ask the bank who ordered it;"
            " the account's sweeps go on.",
        )
    )


def _answer_explained() -> None:
    """Close what was asked about entries that are explained by now, or count no more."""
    standing = Task.objects.open().filter(kind=UNEXPLAINED).values_list("key", flat=True)
    ids = {UUID(key) for key in standing}
    if not ids:
        return
    still = set(_unexplained().filter(pk__in=ids).values_list("pk", flat=True))
    for entry in ids - still:
        tasks.answer_task(kind=UNEXPLAINED, key=str(entry), note="It is explained, or gone.")
