"""A pool that the bank runs: its own entries are paired, and nothing is ever instructed."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from core import clock
from tests.scenes import scene
from tests.treasury.pools.conftest import Pooled
from treasury.errors import PoolNotRun
from treasury.models import (
    BankAccount,
    BankEntry,
    BookingStatus,
    IntercompanyEntry,
    PoolPair,
    Proposal,
    Statement,
    StatementSource,
    Task,
)
from treasury.selectors import positions
from treasury.services import pools
from treasury.tasks import pair_bank_sweeps as pair_task

D = Decimal
DAY = date(2026, 11, 16)


def swept(account: BankAccount, amount: str, *, code: str = "ZABA", **more: object) -> BankEntry:
    """Book an entry as the bank writes it when it balances accounts by itself."""
    facts: dict[str, object] = {
        "booking_date": DAY,
        "value_date": DAY,
        "status": BookingStatus.BOOK,
        "transaction_code": f"CAMT/ACCB/{code}",
        "best_source": StatementSource.CAMT053,
        **more,
    }
    return BankEntry.objects.create(
        account=account,
        identity=uuid4().hex,
        identity_rule="test",
        amount=D(amount),
        statement=Statement.objects.filter(account=account)[0],
        first_seen_at=clock.now(),
        announced_at=clock.now(),
        **facts,
    )


@scene
def by_the_bank(pooled: Pooled) -> Pooled:
    pooled.pool.is_bank_run = True
    pools.save_pool(pool=pooled.pool)
    return pooled


def test_both_sides_become_a_pair_and_a_loan(by_the_bank: Pooled) -> None:
    out = swept(by_the_bank.payroll, "-75000.00")
    into = swept(by_the_bank.header, "75000.00")
    (pair,) = pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    assert (pair.debit_entry, pair.credit_entry, pair.amount) == (out, into, D(75_000))
    loan = IntercompanyEntry.objects.get()
    assert (loan.lender, loan.borrower) == (by_the_bank.daughter, by_the_bank.parent)
    assert (loan.pair, loan.transfer, loan.value_date) == (pair, None, DAY)
    assert pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk) == []


@pytest.mark.parametrize("code", ["ZABA", "SWEP", "TOPG"])
def test_each_of_the_codes_is_known(by_the_bank: Pooled, code: str) -> None:
    swept(by_the_bank.header, "-100.00", code=code)
    swept(by_the_bank.trading, "100.00", code=code)
    assert len(pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)) == 1
    # Inside one company nothing is lent.
    assert not IntercompanyEntry.objects.exists()


def test_the_codes_of_bai2_are_known_in_bai2_alone(by_the_bank: Pooled) -> None:
    """575 is a debit and 275 a credit of a zero balance account (BAI2 type codes)."""
    facts = {"best_source": StatementSource.BAI2}
    swept(by_the_bank.payroll, "-75000.00", transaction_code="PRTRY:575", **facts)
    swept(by_the_bank.header, "75000.00", transaction_code="PRTRY:275", **facts)
    swept(by_the_bank.trading, "-60000.00", transaction_code="PRTRY:575")
    swept(by_the_bank.header, "60000.00", transaction_code="PRTRY:275")
    (pair,) = pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    assert pair.amount == D(75_000)


def test_what_the_bank_balances_is_no_business_with_others(by_the_bank: Pooled) -> None:
    swept(by_the_bank.payroll, "-75000.00")
    swept(by_the_bank.payroll, "-10.00", transaction_code="PMNT/ICDT/ESCT")
    flows = positions.daily_flows(account_id=by_the_bank.payroll.pk, since=DAY, until=DAY)
    assert [one.outflow for one in flows] == [D(10)]


@pytest.mark.parametrize(
    "more",
    [
        {"transaction_code": "PMNT/RCDT/ESCT"},
        {"status": BookingStatus.PDNG},
        {"state": "NOT_IN_EOD"},
    ],
)
def test_other_entries_are_no_sweeps(by_the_bank: Pooled, more: dict[str, str]) -> None:
    swept(by_the_bank.payroll, "-75000.00", **more)
    swept(by_the_bank.header, "75000.00", **more)
    assert pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk) == []


def test_a_side_alone_waits_two_days_and_then_asks_a_person(by_the_bank: Pooled) -> None:
    swept(by_the_bank.payroll, "-75000.00")
    pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    assert not Task.objects.exists()
    with clock.frozen(clock.now() + timedelta(days=1)):
        pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
        assert "no other side" in Task.objects.get().title
        swept(by_the_bank.header, "75000.00")
        pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    assert Task.objects.get().done_at is not None


def test_an_entry_that_the_bank_takes_back_undoes_the_loan(by_the_bank: Pooled) -> None:
    swept(by_the_bank.payroll, "-75000.00")
    into = swept(by_the_bank.header, "75000.00")
    pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    BankEntry.objects.filter(pk=into.pk).update(state="WITHDRAWN")
    for _ in range(2):
        pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    loan, undone = IntercompanyEntry.objects.order_by("id")
    assert (undone.reverses, undone.lender) == (loan, loan.borrower)
    assert Task.objects.filter(kind="pool_pair_withdrawn").count() == 1


def test_what_is_left_of_an_undone_pair_is_paired_anew(by_the_bank: Pooled) -> None:
    out = swept(by_the_bank.payroll, "-75000.00")
    first = swept(by_the_bank.header, "75000.00")
    pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    BankEntry.objects.filter(pk=first.pk).update(state="WITHDRAWN")
    again = swept(by_the_bank.header, "75000.00")
    (pair,) = pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    assert (pair.debit_entry, pair.credit_entry) == (out, again)
    assert pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk) == []
    kinds = IntercompanyEntry.objects.order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["LOAN", "REVERSAL", "LOAN"]


def test_an_entry_is_in_one_standing_pair(by_the_bank: Pooled) -> None:
    """The negative control is the same row once the bank took the first pair's side back."""
    out = swept(by_the_bank.payroll, "-75000.00")
    first = swept(by_the_bank.header, "75000.00")
    pools.pair_bank_sweeps(pool_id=by_the_bank.pool.pk)
    facts = {
        "pool": by_the_bank.pool, "debit_entry": out,
        "credit_entry": swept(by_the_bank.header, "75000.00"), "amount": D(75_000),
        "value_date": DAY, "rate": D("0.0425"), "day_count": "ACT_365F",
        "paired_at": clock.now(),
    }  # fmt: skip
    with pytest.raises(DatabaseError, match="one standing pair"), transaction.atomic():
        PoolPair.objects.create(**facts)
    BankEntry.objects.filter(pk=first.pk).update(state="WITHDRAWN")
    PoolPair.objects.create(**facts)


def test_what_the_bank_runs_is_never_instructed(by_the_bank: Pooled) -> None:
    with pytest.raises(PoolNotRun, match="never instructed"):
        by_the_bank.run()
    assert not Proposal.objects.exists()


def test_what_we_run_is_never_paired(pooled: Pooled) -> None:
    swept(pooled.payroll, "-75000.00")
    swept(pooled.header, "75000.00")
    assert pools.pair_bank_sweeps(pool_id=pooled.pool.pk) == []


def test_beat_pairs(by_the_bank: Pooled) -> None:
    swept(by_the_bank.payroll, "-75000.00")
    swept(by_the_bank.header, "75000.00")
    pair_task()
    assert PoolPair.objects.count() == 1


def test_the_database_takes_no_pair_that_is_none(by_the_bank: Pooled) -> None:
    """The same pair with the true amount goes in: the guard is what stands in the way."""
    out, into = swept(by_the_bank.payroll, "-75000.00"), swept(by_the_bank.header, "75000.00")
    facts = {
        "pool": by_the_bank.pool, "debit_entry": out, "credit_entry": into, "value_date": DAY,
        "rate": D("0.0425"), "day_count": "ACT_365F", "paired_at": clock.now(),
    }  # fmt: skip
    for wrong in ({"amount": D(74_999)}, {"amount": D(75_000), "rate": D("0.01")}):
        with pytest.raises(DatabaseError, match="two booked sides"), transaction.atomic():
            PoolPair.objects.create(**{**facts, **wrong})
    PoolPair.objects.create(**facts, amount=D(75_000))
