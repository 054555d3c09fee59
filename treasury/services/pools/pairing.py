"""Sweeps that banks make by themselves: both sides found on statements, booked as pairs."""

from datetime import date
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from core import clock
from core.tenancy import bound
from treasury.engine.pool_pairs import BAI2_CODES, CODES, Paired, Side, pair_up
from treasury.models import (
    BankEntry,
    BookingStatus,
    CashPool,
    EntryState,
    IntercompanyEntry,
    LoanKind,
    PoolPair,
)
from treasury.selectors import pools as reads
from treasury.services import tasks
from treasury.services.pools.lending import book_pair, undo_pair

AGENT: Final = "system:treasury.pools"
ENTRIES_MAX: Final = 5_000
PATIENCE_DAYS: Final = 2
ALONE: Final = "pool_entry_alone"
WITHDRAWN: Final = "pool_pair_withdrawn"


def pair_all(*, tenant: UUID) -> int:
    """Pair the sweeps of every pool of a tenant that its bank runs; return how many were new."""
    with bound(tenant, actor=AGENT):
        ids = list(reads.pools().filter(is_active=True, is_bank_run=True).values_list("pk"))
    made = 0
    for (pool_id,) in ids:
        with bound(tenant, actor=AGENT):
            made += len(pair_bank_sweeps(pool_id=pool_id))
    return made


@transaction.atomic
def pair_bank_sweeps(*, pool_id: UUID) -> list[PoolPair]:
    """Pair what the bank swept in one pool and book its loans; return the new pairs.

    An entry whose other side is still missing two days after its value date, or that could belong
    to several, becomes a task.

    Raises:
        NotFound: no such pool.
    """
    CashPool.objects.select_for_update().filter(pk=pool_id).first()
    pool = reads.pool(pool_id)
    if not pool.is_bank_run:
        return []
    _undo_withdrawn(pool)
    found = pair_up(*_sides(pool))
    entries = BankEntry.objects.select_related("account").in_bulk(
        [UUID(side.entry) for pair in found.pairs for side in (pair.debit, pair.credit)]
    )
    made = []
    for pair in found.pairs:
        kept = PoolPair.objects.create(
            pool=pool,
            debit_entry=entries[UUID(pair.debit.entry)],
            credit_entry=entries[UUID(pair.credit.entry)],
            amount=pair.credit.amount,
            value_date=pair.credit.day,
            rate=pool.intercompany_rate,
            day_count=pool.day_count,
            paired_at=clock.now(),
        )
        book_pair(pair=kept)
        made.append(kept)
    _tell_alone(pool, found, today=clock.now().date())
    return made


def _sides(pool: CashPool) -> tuple[list[Side], list[Side]]:
    """Return the unpaired entries of the header, and of its members."""
    accounts = [one.account_id for one in reads.members(pool)]
    undone = IntercompanyEntry.objects.filter(kind=LoanKind.REVERSAL, pair__isnull=False).values(
        "pair"
    )
    # As the guard has it: a pair stands while both entries count and its loan was not reversed.
    taken = PoolPair.objects.filter(
        debit_entry__state=EntryState.COUNTED, credit_entry__state=EntryState.COUNTED
    ).exclude(pk__in=undone)
    rows = (
        BankEntry.objects.filter(
            account__in=[pool.header_id, *accounts],
            status=BookingStatus.BOOK,
            state=EntryState.COUNTED,
        )
        .filter(
            Q(transaction_code__in=CODES)
            | Q(best_source__startswith="BAI2", transaction_code__in=BAI2_CODES)
        )
        .exclude(pk__in=taken.values("debit_entry"))
        .exclude(pk__in=taken.values("credit_entry"))
        .order_by("value_date", "id")[:ENTRIES_MAX]
    )
    sides = [
        Side(
            entry=str(row.pk),
            account=str(row.account_id),
            day=row.value_date,
            amount=row.amount,
            reference=row.end_to_end_id or row.uetr,
        )
        for row in rows
    ]
    header = str(pool.header_id)
    return (
        [one for one in sides if one.account == header],
        [one for one in sides if one.account != header],
    )


def _tell_alone(pool: CashPool, found: Paired, *, today: date) -> None:
    for side in found.alone:
        if (today - side.day).days < PATIENCE_DAYS:
            continue
        tasks.open_task(
            task=tasks.TaskIn(
                kind=ALONE,
                key=side.entry,
                title=f"{pool.code}: a sweep of the bank has no other side",
                detail=f"{side.amount:,.2f} {pool.currency} of {side.day}: no single entry of the"
                " opposite amount and the same value date is known in the pool.",
                severity="medium",
            )
        )
    for pair in found.pairs:
        for side in (pair.debit, pair.credit):
            tasks.answer_task(kind=ALONE, key=side.entry, note="Its other side came.")


def _undo_withdrawn(pool: CashPool) -> None:
    """Undo loans of pairs of which the bank took an entry back, and tell a person."""
    standing = PoolPair.objects.filter(pool=pool)
    gone = standing.exclude(debit_entry__state=EntryState.COUNTED) | standing.exclude(
        credit_entry__state=EntryState.COUNTED
    )
    for pair in gone.distinct():
        if undo_pair(pair=pair) is None:
            continue
        tasks.open_task(
            task=tasks.TaskIn(
                kind=WITHDRAWN,
                key=str(pair.pk),
                title=f"{pool.code}: the bank took a sweep back",
                detail=f"{pair.amount:,.2f} {pool.currency} of {pair.value_date}: an entry of the"
                " pair does not count any more. Its loan was reversed.",
            )
        )
