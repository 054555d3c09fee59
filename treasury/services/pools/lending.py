"""What our companies lend each other by pooling: booked when it moved, undone when it is back."""

from datetime import date

from django.db import transaction

from core import clock
from treasury.models import (
    IntercompanyEntry,
    LoanKind,
    PoolMove,
    PoolPair,
    Proposal,
    Purpose,
    Transfer,
)


@transaction.atomic
def book_loan(*, held: Transfer, proposal: Proposal) -> IntercompanyEntry | None:
    """Book the loan of a settled move of a pool between two companies; of any other, nothing.

    The lender is who paid, from the day that the bank gives the debit as its value date.
    """
    if proposal.purpose != Purpose.POOL or held.debit_entry is None:
        return None
    move = PoolMove.objects.select_related("run").filter(proposal=proposal).first()
    debit, credit = proposal.debit_account, proposal.credit_account
    if move is None or credit is None or debit.entity_id == credit.entity_id:
        return None
    return IntercompanyEntry.objects.create(
        kind=LoanKind.LOAN,
        lender_id=debit.entity_id,
        borrower_id=credit.entity_id,
        currency=debit.currency,
        amount=proposal.amount,
        value_date=held.debit_entry.value_date,
        rate=move.run.rate,
        day_count=move.run.day_count,
        transfer=held,
        booked_at=clock.now(),
    )


@transaction.atomic
def reverse_loan(*, held: Transfer, proposal: Proposal) -> IntercompanyEntry | None:
    """Undo the loan of a move that came back, whole, from the day that it was back.

    What banks kept on the way is a charge of who paid, and no loan.
    """
    if proposal.purpose != Purpose.POOL or held.return_entry is None:
        return None
    lent = IntercompanyEntry.objects.filter(transfer=held, kind=LoanKind.LOAN).first()
    return _reversed(lent, on=held.return_entry.value_date) if lent is not None else None


@transaction.atomic
def book_pair(*, pair: PoolPair) -> IntercompanyEntry | None:
    """Book the loan of a sweep that the bank made between two companies."""
    debit, credit = pair.debit_entry.account, pair.credit_entry.account
    if debit.entity_id == credit.entity_id:
        return None
    return IntercompanyEntry.objects.create(
        kind=LoanKind.LOAN,
        lender_id=debit.entity_id,
        borrower_id=credit.entity_id,
        currency=debit.currency,
        amount=pair.amount,
        value_date=pair.value_date,
        rate=pair.rate,
        day_count=pair.day_count,
        pair=pair,
        booked_at=clock.now(),
    )


@transaction.atomic
def undo_pair(*, pair: PoolPair) -> IntercompanyEntry | None:
    """Undo the loan of a pair of which the bank took an entry back; once."""
    lent = IntercompanyEntry.objects.filter(pair=pair, kind=LoanKind.LOAN).first()
    if lent is None or IntercompanyEntry.objects.filter(reverses=lent).exists():
        return None
    return _reversed(lent, on=lent.value_date)


def _reversed(lent: IntercompanyEntry, *, on: date) -> IntercompanyEntry:
    return IntercompanyEntry.objects.create(
        kind=LoanKind.REVERSAL,
        lender_id=lent.borrower_id,
        borrower_id=lent.lender_id,
        currency=lent.currency,
        amount=lent.amount,
        value_date=on,
        rate=lent.rate,
        day_count=lent.day_count,
        transfer_id=lent.transfer_id,
        pair_id=lent.pair_id,
        reverses=lent,
        booked_at=clock.now(),
    )
