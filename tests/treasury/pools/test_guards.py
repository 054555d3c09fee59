"""What the database refuses by itself, each beside what it lets pass."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from core import clock
from core.identity.models import User
from core.money import minor_units
from core.tenancy import Tenant
from tests.treasury.movement.conftest import guard_replaced, propose, sql
from tests.treasury.pools.conftest import Pooled, open_indian
from tests.treasury.pools.test_lending import sent, settled
from treasury.engine.pool_records import inputs_of, record_of
from treasury.engine.pools import pool_moves
from treasury.engine.sweep_records import digest
from treasury.models import (
    Bank,
    CashPool,
    CashPoolMember,
    IntercompanyEntry,
    PoolMove,
    PoolRun,
    Transfer,
)

D = Decimal


def refused(words: str, write: Any) -> None:
    with pytest.raises(DatabaseError, match=words), transaction.atomic():
        write()


def member_of(pooled: Pooled, account: Any, **more: Any) -> CashPoolMember:
    return CashPoolMember(pool=pooled.pool, account=account, **more)


def test_a_member_holds_the_pools_currency(pooled: Pooled) -> None:
    refused("currency of its pool", member_of(pooled, pooled.house.usd).save)


def test_the_header_is_no_member(pooled: Pooled) -> None:
    refused("header is no member", member_of(pooled, pooled.header).save)
    CashPoolMember.objects.filter(account=pooled.trading).delete()
    pooled.pool.header = pooled.shop
    refused("header is no member", pooled.pool.save)
    pooled.pool.header = pooled.trading
    pooled.pool.save()


def test_an_account_has_one_place_among_pools_that_move_money(pooled: Pooled) -> None:
    other = CashPool(
        code="OTHER", name="Other", kind="TARGET_BALANCE", currency="GBP", header=pooled.trading
    )
    refused("its place in GBP-ZBA", other.save)
    other.is_active = False
    other.save()
    member = CashPoolMember(pool=other, account=pooled.payroll)
    member.save()  # a pool that is switched off claims nobody
    other.is_active = True
    refused("its place in GBP-ZBA", other.save)


def test_nothing_is_summed_across_indias_border(pooled: Pooled) -> None:
    rupees = CashPool(code="INR", name="Rupees", kind="NOTIONAL", currency="INR")
    rupees.save()
    CashPoolMember(pool=rupees, account=pooled.house.home).save()
    place = CashPoolMember(pool=rupees, account=open_indian(pooled.house))
    refused("across this border", place.save)


def test_a_notional_pool_beside_one_that_moves_money_is_fine(pooled: Pooled) -> None:
    other = CashPool(code="SUM", name="Sum", kind="NOTIONAL", currency="GBP")
    other.save()
    CashPoolMember(pool=other, account=pooled.payroll).save()
    third = CashPool(code="SUM2", name="Sum", kind="NOTIONAL", currency="GBP")
    third.save()
    refused("its place in SUM", CashPoolMember(pool=third, account=pooled.payroll).save)


def test_a_pool_keeps_its_kind_and_currency(pooled: Pooled) -> None:
    for change in ({"currency": "USD"}, {"kind": "TARGET_BALANCE"}, {"code": "NEW"}):
        refused("keeps its code", lambda change=change: CashPool.objects.update(**change))
    CashPool.objects.update(name="Pounds, renamed")


def test_a_pool_is_never_deleted(pooled: Pooled) -> None:
    CashPoolMember.objects.all().delete()
    refused("never deleted", lambda: CashPool.objects.all().delete())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": D(1)}, "zero-balance"),
        ({"minimum": D("0.001")}, "fewer decimals"),
        ({"multiple": D("0.005")}, "fewer decimals"),
        ({"multiple": D(0)}, "multiple_is_positive"),
        ({"minimum": D(-1)}, "not_negative"),
        ({"upper": D(-1)}, "not_negative|band"),
        ({"lower": D(1)}, "band"),
        ({"is_poolable": False}, "says_why_not"),
        ({"credit_rate": D(2)}, "rates_are_shares"),
    ],
)
def test_terms_that_cannot_be_right(pooled: Pooled, change: dict[str, Any], words: str) -> None:
    place = CashPoolMember.objects.filter(account=pooled.shop)
    with pytest.raises((DatabaseError, ArithmeticError), match=words), transaction.atomic():
        place.update(**change)
    place.update(minimum=D("0.01"), is_poolable=False, reason="Pledged.")


@pytest.mark.parametrize("value", ["'NaN'", "'Infinity'"])
def test_amounts_are_finite(pooled: Pooled, value: str) -> None:
    for column in ("target", "minimum", "multiple", "lower", "upper"):
        with pytest.raises(DatabaseError):
            sql(f"UPDATE treasury_cashpoolmember SET {column} = {value}")


def test_nothing_is_pooled_across_indias_border(pooled: Pooled) -> None:
    house = pooled.house
    rupees = CashPool(
        code="INR", name="Rupees", kind="ZERO_BALANCE", currency="INR", header=house.near
    )
    rupees.save()
    CashPoolMember(pool=rupees, account=house.home).save()
    place = CashPoolMember(pool=rupees, account=open_indian(house))
    refused("across this border", place.save)
    place.is_poolable, place.reason = False, "India allows no cross-border pooling."
    place.save()
    refused(
        "across this border",
        lambda: CashPoolMember.objects.filter(pk=place.pk).update(is_poolable=True),
    )


# --- runs and moves ---------------------------------------------------------------------------


def forged(run: PoolRun, **change: Any) -> PoolRun:
    """Return a copy of a run for the next day, with something changed."""
    day = run.day + timedelta(days=1)
    inputs = replace(inputs_of(run.record), day=day)
    record = record_of(inputs, pool_moves(inputs))
    facts = {
        one.attname: getattr(run, one.attname)
        for one in PoolRun._meta.local_fields
        if one.name != "id"
    }
    facts |= {"day": day, "record": record, "record_sha256": digest(record), **change}
    return PoolRun(**facts)


def test_a_run_says_what_its_record_says(pooled: Pooled) -> None:
    run = pooled.run()
    for change in (
        {"record_sha256": "0" * 64},
        {"swept": run.swept + 1, "header_after": run.header_after + 1},
        {"day": run.day + timedelta(days=2)},
        {"decided_at": run.decided_at + timedelta(seconds=1)},
    ):
        refused("says what its record says", forged(run, **change).save)
    refused("active pool", forged(run, rate=D("0.09")).save)
    forged(run).save()


def test_a_day_is_run_once(pooled: Pooled) -> None:
    run = pooled.run()
    again = forged(run, day=run.day, record=run.record, record_sha256=run.record_sha256)
    refused("pool_run_once_a_day", again.save)


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"is_bank_run": True}], ids=["off", "by the bank"]
)
def test_no_run_of_a_pool_that_is_not_run(pooled: Pooled, change: dict[str, bool]) -> None:
    run = pooled.run()
    CashPool.objects.update(**change)
    refused("active pool of ours", forged(run).save)


def copied(move: PoolMove, run: PoolRun, **change: Any) -> PoolMove:
    facts = {
        one.attname: getattr(move, one.attname)
        for one in PoolMove._meta.local_fields
        if one.name != "id"
    }
    return PoolMove(**{**facts, "run_id": run.pk, **change})


def test_a_move_is_exactly_what_is_recorded_and_proposed(pooled: Pooled, maker: User) -> None:
    run = pooled.run()
    next_run = forged(run)
    next_run.save()
    move = pooled.move(pooled.trading)
    kept = {"proposal_id": None, "problem": "by hand"}
    refused(
        "what the record",
        copied(move, next_run, **kept, amount=move.amount - 1, after=move.after + 1).save,
    )
    # A proposal of the same accounts and amount that is for another purpose, or day.
    by_hand = propose(
        pooled.house, maker, "350000.00", debit_account=pooled.trading.pk,
        credit_account=pooled.header.pk,
    )  # fmt: skip
    refused("exactly what is proposed", copied(move, next_run, proposal_id=by_hand.pk).save)
    copied(move, next_run, **kept).save()


def test_a_bank_that_is_in_india_by_now_is_pooled_no_more(pooled: Pooled) -> None:
    """The border is looked at when money is to move, not when the member came in alone."""
    run = pooled.run()
    move = pooled.move(pooled.shop)
    kept = {"proposal_id": None, "problem": "by hand"}
    next_run = forged(run)
    next_run.save()
    with transaction.atomic():
        copied(move, next_run, **kept).save()
        transaction.set_rollback(True)
    Bank.objects.filter(pk=pooled.shop.bank_id).update(country="IN")
    refused("across this border", copied(move, next_run, **kept).save)
    copied(pooled.move(pooled.trading), next_run, **kept).save()


def test_runs_moves_and_loans_are_append_only(pooled: Pooled, checker: User) -> None:
    pooled.run()
    settled(pooled, pooled.payroll, checker)
    for table in ("treasury_poolrun", "treasury_poolmove", "treasury_intercompanyentry"):
        for attack in (f"UPDATE {table} SET tenant_id = tenant_id", f"DELETE FROM {table}"):
            with pytest.raises(DatabaseError, match="permission denied"):
                sql(attack)


def test_the_owner_cannot_change_a_loan_either(
    pooled: Pooled, owner_connection: psycopg.Connection[Any]
) -> None:
    found = owner_connection.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgname = 'append_only' AND tgrelid IN"
        " ('treasury_poolrun'::regclass, 'treasury_poolmove'::regclass,"
        "  'treasury_poolpair'::regclass, 'treasury_intercompanyentry'::regclass)"
    ).fetchone()
    assert found == (4,)


# --- loans ------------------------------------------------------------------------------------


def loan_of(pooled: Pooled, transfer: Transfer, **change: Any) -> IntercompanyEntry:
    facts = {
        "kind": "LOAN", "lender": pooled.parent, "borrower": pooled.daughter, "currency": "GBP",
        "amount": D(120_000), "value_date": transfer.proposal.value_date, "rate": D("0.0425"),
        "day_count": "ACT_365F", "transfer": transfer, "booked_at": clock.now(), **change,
    }  # fmt: skip
    return IntercompanyEntry(**facts)


def test_no_loan_before_the_money_has_moved(pooled: Pooled, checker: User) -> None:
    pooled.run()
    proposal = sent(pooled, pooled.payroll, checker)
    transfer = Transfer.objects.get(proposal=proposal)
    refused("money that moved, exactly", loan_of(pooled, transfer).save)


def test_a_loan_is_exactly_the_settled_transfer(pooled: Pooled, checker: User) -> None:
    pooled.run()
    proposal = settled(pooled, pooled.payroll, checker)
    transfer = Transfer.objects.get(proposal=proposal)
    for change in (
        {"amount": D("119999.99")},
        {"lender": pooled.daughter, "borrower": pooled.parent},
        {"rate": D("0.05")},
        {"day_count": "ACT_360"},
        {"value_date": proposal.value_date + timedelta(days=1)},
        {"amount": D("120000.001")},
    ):
        refused(
            "money that moved, exactly|fewer decimals", loan_of(pooled, transfer, **change).save
        )
    refused("intercompany_once_per_transfer", loan_of(pooled, transfer).save)


def test_without_its_guard_the_table_takes_an_invented_loan(pooled: Pooled, checker: User) -> None:
    """The negative control: constraints alone let a loan of another amount in."""
    pooled.run()
    proposal = sent(pooled, pooled.payroll, checker)
    transfer = Transfer.objects.get(proposal=proposal)
    with guard_replaced("treasury_intercompanyentry", "guard"):
        loan_of(pooled, transfer, amount=D(1)).save()
    assert IntercompanyEntry.objects.get().amount == D(1)


def test_a_loan_is_not_reversed_while_the_money_is_there(pooled: Pooled, checker: User) -> None:
    pooled.run()
    proposal = settled(pooled, pooled.payroll, checker)
    transfer = Transfer.objects.get(proposal=proposal)
    loan = IntercompanyEntry.objects.get()
    refused(
        "money that moved, exactly",
        loan_of(
            pooled, transfer, kind="REVERSAL", reverses=loan, lender=pooled.daughter,
            borrower=pooled.parent,
        ).save,
    )  # fmt: skip


def test_whole_units_are_those_of_iso_4217(tenant: Tenant) -> None:
    for currency in ("USD", "JPY", "KWD", "CLF", "INR", "BHD", "XPF", "UYW", "GBP", "AED"):
        unit = D(1).scaleb(-minor_units(currency))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT treasury_is_whole(%s, %s), treasury_is_whole(%s, %s)",
                [unit, currency, unit / 10, currency],
            )
            assert cursor.fetchone() == (True, False), currency
