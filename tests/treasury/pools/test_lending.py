"""A move between two companies is a loan once it settled, and none any more once it came back."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from core import clock
from core.errors import NotFound
from core.identity.models import User
from tests.scenes import scene
from tests.treasury.movement.conftest import approve, guard_replaced, propose, put_balance
from tests.treasury.pools.conftest import Pooled
from treasury.models import (
    BankAccount,
    BankEntry,
    BookingStatus,
    CashPool,
    IntercompanyEntry,
    Proposal,
    Statement,
    StatementSource,
    Transfer,
)
from treasury.selectors import lending
from treasury.selectors.invariants import invariants
from treasury.selectors.netflows import net_flows
from treasury.services import answers, pools, transfers

D = Decimal
DAY = date(2026, 11, 17)


def booked(account: BankAccount, proposal: Proposal, amount: Decimal, **more: object) -> BankEntry:
    """Book an entry under a proposal's reference and tell of it."""
    facts: dict[str, object] = {
        "booking_date": proposal.value_date,
        "value_date": proposal.value_date,
        **more,
    }
    entry = BankEntry.objects.create(
        account=account,
        identity=uuid4().hex,
        identity_rule="test",
        amount=amount,
        status=BookingStatus.BOOK,
        best_source=StatementSource.CAMT054,
        end_to_end_id=proposal.reference,
        statement=Statement.objects.filter(account=account)[0],
        first_seen_at=clock.now(),
        announced_at=clock.now(),
        **facts,
    )
    answers.apply_entries(entries=[entry])
    return entry


def sent(pooled: Pooled, account: BankAccount, checker: User) -> Proposal:
    """Approve and send what the pool's run proposes for an account."""
    proposal = pooled.move(account).proposal
    assert proposal is not None
    approve(pooled.tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk)
    transfers.mark_sent(reference=proposal.reference, bank_reference="BANK-1")
    return Proposal.objects.get(pk=proposal.pk)


def settled(pooled: Pooled, account: BankAccount, checker: User) -> Proposal:
    """Have both sides of a move booked."""
    proposal = sent(pooled, account, checker)
    booked(proposal.debit_account, proposal, -proposal.amount)
    assert proposal.credit_account is not None
    booked(proposal.credit_account, proposal, proposal.amount)
    return Proposal.objects.get(pk=proposal.pk)


@scene
def ran(pooled: Pooled) -> Pooled:
    pooled.run()
    return pooled


def test_a_proposal_is_no_loan_and_neither_is_a_payment_on_its_way(
    ran: Pooled, checker: User
) -> None:
    proposal = sent(ran, ran.payroll, checker)
    booked(proposal.debit_account, proposal, -proposal.amount)
    assert Proposal.objects.get(pk=proposal.pk).state == "CONFIRMED"
    assert not IntercompanyEntry.objects.exists()


def test_a_settled_move_between_companies_is_a_loan(ran: Pooled, checker: User) -> None:
    proposal = settled(ran, ran.payroll, checker)
    assert proposal.state == "SETTLED"
    loan = IntercompanyEntry.objects.get()
    assert (loan.kind, loan.lender, loan.borrower) == ("LOAN", ran.parent, ran.daughter)
    assert (loan.amount, loan.currency, loan.value_date) == (D(120_000), "GBP", DAY)
    assert (loan.rate, loan.day_count) == (D("0.0425"), "ACT_365F")
    assert loan.transfer == Transfer.objects.get(proposal=proposal)


def test_a_move_inside_one_company_is_no_loan(ran: Pooled, checker: User) -> None:
    assert settled(ran, ran.trading, checker).state == "SETTLED"
    assert not IntercompanyEntry.objects.exists()


def test_the_banks_own_value_date_begins_the_loan(ran: Pooled, checker: User) -> None:
    proposal = sent(ran, ran.payroll, checker)
    later = DAY + timedelta(days=1)
    booked(proposal.debit_account, proposal, -proposal.amount, value_date=later)
    booked(ran.payroll, proposal, proposal.amount)
    assert IntercompanyEntry.objects.get().value_date == later


def test_what_came_back_is_reversed_whole_even_when_banks_kept_a_fee(
    ran: Pooled, checker: User
) -> None:
    proposal = settled(ran, ran.payroll, checker)
    booked(
        proposal.debit_account, proposal, proposal.amount - 15, return_reason="AC04",
        value_date=DAY + timedelta(days=2),
    )  # fmt: skip
    assert Proposal.objects.get(pk=proposal.pk).state == "RETURNED"
    loan, undone = IntercompanyEntry.objects.order_by("id")
    assert (undone.kind, undone.reverses, undone.amount) == ("REVERSAL", loan, loan.amount)
    assert (undone.lender, undone.borrower) == (loan.borrower, loan.lender)
    (pair,) = lending.balances(until=DAY + timedelta(days=5))
    # Two days' use: 120,000 at 4.25 % on 365 days is 13.97 a day, unrounded.
    assert (pair.balance, pair.interest) == (D(0), D("27.95"))


def test_news_of_a_settled_move_again_books_nothing(ran: Pooled, checker: User) -> None:
    proposal = settled(ran, ran.payroll, checker)
    booked(proposal.debit_account, proposal, -proposal.amount)
    assert IntercompanyEntry.objects.count() == 1


def test_balances_and_statement_of_a_pair(ran: Pooled, checker: User) -> None:
    settled(ran, ran.payroll, checker)
    until = DAY + timedelta(days=9)
    (pair,) = lending.balances(until=until)
    assert (pair.lender, pair.borrower) == (ran.parent, ran.daughter)
    # 120,000 × 0.0425 × 10 / 365 = 139.7260…
    assert (pair.balance, pair.interest, pair.entries_count) == (D(120_000), D("139.73"), 1)
    asked: dict[str, Any] = {"currency": "GBP", "start": DAY - timedelta(days=3), "until": until}
    ours = lending.statement(lender_id=ran.parent.pk, borrower_id=ran.daughter.pk, **asked)
    theirs = lending.statement(lender_id=ran.daughter.pk, borrower_id=ran.parent.pk, **asked)
    assert (ours.opening, ours.closing, ours.interest) == (D(0), D(120_000), D("139.73"))
    assert (theirs.closing, theirs.interest) == (D(-120_000), D("-139.73"))
    assert len(ours.days) == 10
    with pytest.raises(NotFound):
        lending.statement(lender_id=ran.parent.pk, borrower_id=uuid4(), **asked)


def test_a_later_day_of_the_pool_pays_back(ran: Pooled, checker: User) -> None:
    settled(ran, ran.payroll, checker)
    with clock.frozen(clock.now() + timedelta(hours=23)):
        for account, amount in ((ran.header, "2000000"), (ran.payroll, "50000")):
            put_balance(account, f"{amount}.00", at=clock.now() - timedelta(minutes=1))
        pools.run_pool(pool_id=ran.pool.pk)
        settled(ran, ran.payroll, checker)
    (pair,) = lending.balances(until=DAY + timedelta(days=1))
    assert (pair.lender, pair.balance) == (ran.parent, D(70_000))


def test_the_header_keeps_the_pools_floor_when_a_funding_leaves(ran: Pooled, checker: User) -> None:
    """Had everything gone up the money would be there; meanwhile it left the header."""
    down = ran.move(ran.payroll).proposal
    assert down is not None
    approve(ran.tenant, down, checker)
    put_balance(ran.header, "619999.99", at=clock.now() + timedelta(seconds=1))
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        assert not transfers.execute(proposal_id=down.pk)
        put_balance(ran.header, "620000.00", at=clock.now() + timedelta(seconds=1))
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        assert transfers.execute(proposal_id=down.pk)


@pytest.mark.parametrize("floor", ["0", "500000.00"])
def test_a_header_funds_nobody_out_of_its_overdraft(
    ran: Pooled, checker: User, maker: User, floor: str
) -> None:
    """The negative control is another payment of the same money: that one may use the overdraft."""
    BankAccount.objects.filter(pk=ran.header.pk).update(overdraft_limit=D(1_000_000))
    CashPool.objects.update(header_floor=D(floor))
    down = ran.move(ran.payroll).proposal
    assert down is not None
    approve(ran.tenant, down, checker)
    enough = D(floor) + 120_000
    put_balance(ran.header, str(enough - D("0.01")), at=clock.now() + timedelta(seconds=1))
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        assert not transfers.execute(proposal_id=down.pk)
        put_balance(ran.header, str(enough), at=clock.now() + timedelta(seconds=1))
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        assert transfers.execute(proposal_id=down.pk)
        other = propose(
            ran.house, maker, "600000.00", debit_account=ran.header.pk,
            credit_account=ran.trading.pk,
        )  # fmt: skip
        approve(ran.tenant, other, checker)
        assert transfers.execute(proposal_id=other.pk)


def test_loans_and_transfers_agree(ran: Pooled, checker: User) -> None:
    settled(ran, ran.payroll, checker)
    codes = {"pool_move_is_not_its_loan", "pool_run_is_not_its_moves"}
    assert codes.isdisjoint(one.code for one in invariants())


def test_a_move_without_its_loan_is_found(ran: Pooled, checker: User) -> None:
    """The negative control: a loan of another amount, with the guard away."""
    proposal = sent(ran, ran.payroll, checker)
    with guard_replaced("treasury_intercompanyentry", "guard"):
        IntercompanyEntry.objects.create(
            kind="LOAN", lender=ran.parent, borrower=ran.daughter, currency="GBP", amount=D(1),
            value_date=DAY, rate=D("0.0425"), day_count="ACT_365F", booked_at=clock.now(),
            transfer=Transfer.objects.get(proposal=proposal),
        )  # fmt: skip
    assert "pool_move_is_not_its_loan" in {one.code for one in invariants()}


def test_pooling_is_no_net_flow(ran: Pooled, checker: User) -> None:
    settled(ran, ran.payroll, checker)
    found = net_flows([ran.payroll.pk], since=DAY, until=DAY)[ran.payroll.pk]
    assert found.by_day == {}
