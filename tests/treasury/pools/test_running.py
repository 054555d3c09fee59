"""A pool's day: forecasts become moves, moves become proposals, once a day."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from core import clock
from core.identity.models import User
from tests.treasury.movement.conftest import approve, propose, put_balance
from tests.treasury.pools.conftest import Pooled
from treasury.errors import PoolNotRun
from treasury.models import (
    Bank,
    BankAccount,
    CashPool,
    CashPoolMember,
    PoolMove,
    PoolRun,
    Proposal,
    Task,
)
from treasury.selectors import pools as reads
from treasury.services import pools
from treasury.services.flows import FlowIn, put_expected_flow

D = Decimal


def test_a_run_proposes_every_move_for_approval(pooled: Pooled) -> None:
    run = pooled.run()
    assert (run.swept, run.funded, run.short) == (D(440_000), D(120_000), D(0))
    assert (run.header_before, run.header_after) == (D(2_000_000), D(2_320_000))
    up, down = pooled.move(pooled.trading).proposal, pooled.move(pooled.payroll).proposal
    across = pooled.move(pooled.shop).proposal
    assert up is not None
    assert down is not None
    assert across is not None
    assert (up.state, up.purpose, up.maker) == ("PENDING", "POOL", None)
    assert (up.debit_account, up.credit_account, up.amount) == (
        pooled.trading,
        pooled.header,
        D(350_000),
    )
    assert (down.debit_account, down.credit_account) == (pooled.header, pooled.payroll)
    assert (up.rail, down.rail, across.rail) == ("BOOK", "BOOK", "CHAPS")
    assert up.maker_label == "system:treasury.pools"


def test_a_book_transfer_can_be_sent_until_six_in_the_evening(pooled: Pooled) -> None:
    pooled.run()
    up = pooled.move(pooled.trading).proposal
    across = pooled.move(pooled.shop).proposal
    assert up is not None
    assert across is not None
    assert up.cutoff_at == datetime(2026, 11, 17, 18, 0, tzinfo=UTC)
    assert across.cutoff_at < up.cutoff_at
    assert {up.value_date, across.value_date} == {date(2026, 11, 17)}


def test_the_why_says_everything_in_one_breath(pooled: Pooled) -> None:
    pooled.run()
    down = pooled.move(pooled.payroll).proposal
    assert down is not None
    for words in (
        "Payroll is forecast to end 17 Nov 2026 at -120,000.00 GBP",
        "120,000.00 GBP goes down from Pool header by BOOK",
        "North Remit Limited has lent it to North Payroll Limited at 4.2500%",
    ):
        assert words in down.why


def test_the_forecast_at_the_end_of_the_day_counts_not_the_ledger(pooled: Pooled) -> None:
    put_expected_flow(
        flow=FlowIn(
            account_id=pooled.trading.pk,
            source="PAYOUT",
            source_ref="rent",
            amount=D("-100000.00"),
            value_date=date(2026, 11, 17),
            description="Rent",
        )
    )
    put_expected_flow(
        flow=FlowIn(
            account_id=pooled.trading.pk,
            source="PAYOUT",
            source_ref="tomorrow",
            amount=D("-70000.00"),
            value_date=date(2026, 11, 18),
            description="Rent of tomorrow",
        )
    )
    pooled.run()
    assert pooled.move(pooled.trading).amount == D(250_000)


def test_what_waits_for_checkers_is_not_swept_away(pooled: Pooled, maker: User) -> None:
    propose(
        pooled.house, maker, "60000.00", debit_account=pooled.trading.pk,
        credit_account=pooled.payroll.pk,
    )  # fmt: skip
    pooled.run()
    assert pooled.move(pooled.trading).before == D(290_000)
    # What may come in does not count before it is agreed.
    assert pooled.move(pooled.payroll).before == D(-120_000)


def test_what_is_approved_and_on_its_way_counts(pooled: Pooled, maker: User, checker: User) -> None:
    made = propose(
        pooled.house, maker, "60000.00", debit_account=pooled.trading.pk,
        credit_account=pooled.payroll.pk,
    )  # fmt: skip
    approve(pooled.tenant, made, checker)
    pooled.run()
    assert pooled.move(pooled.trading).before == D(290_000)
    assert pooled.move(pooled.payroll).before == D(-60_000)


def test_the_same_day_again_changes_nothing(pooled: Pooled) -> None:
    first = pools.run_pool(pool_id=pooled.pool.pk)
    put_balance(pooled.trading, "900000.00", at=clock.now() + timedelta(seconds=1))
    with clock.frozen(clock.now() + timedelta(minutes=5)):
        again = pools.run_pool(pool_id=pooled.pool.pk)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.run == first.run
    assert PoolRun.objects.count() == 1
    assert Proposal.objects.count() == 3


def test_a_short_header_tells_a_person(pooled: Pooled) -> None:
    pooled.pool.header_floor = D(2_400_000)
    pools.save_pool(pool=pooled.pool)
    run = pooled.run()
    move = pooled.move(pooled.payroll)
    assert (run.short, move.amount, move.reason) == (D(80_000), D(40_000), "PARTLY_FUNDED")
    task = Task.objects.get(kind="pool_short")
    assert "Payroll 80,000.00 GBP" in task.detail


def test_a_member_with_an_old_balance_stays_and_the_others_move(pooled: Pooled) -> None:
    with clock.frozen(clock.now() + timedelta(days=2)):
        for account in (pooled.header, pooled.payroll, pooled.shop):
            put_balance(account, "800000.00", at=clock.now() - timedelta(minutes=1))
        pooled.run()
        assert pooled.move(pooled.trading).reason == "STALE_BALANCE"
        assert pooled.move(pooled.payroll).amount == D(800_000)


def test_a_header_with_an_old_balance_decides_nothing(pooled: Pooled) -> None:
    with clock.frozen(clock.now() + timedelta(days=2)):
        with pytest.raises(PoolNotRun, match="too old"):
            pooled.run()
        assert not PoolRun.objects.exists()


def test_nothing_is_run_on_a_closed_day(pooled: Pooled) -> None:
    saturday = datetime(2026, 11, 21, 12, tzinfo=UTC)
    with clock.frozen(saturday):
        put_balance(pooled.header, "1.00")
        with pytest.raises(PoolNotRun, match="does not settle on Saturday"):
            pooled.run()


def test_after_the_rails_cut_off_only_the_books_are_open(pooled: Pooled) -> None:
    with clock.frozen(datetime(2026, 11, 17, 17, 50, tzinfo=UTC)):
        pooled.run()
    assert pooled.move(pooled.shop).reason == "CUTOFF_PASSED"
    assert pooled.move(pooled.trading).proposal is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [({"is_active": False}, "switched off"), ({"is_bank_run": True}, "run by its bank")],
)
def test_pools_that_are_not_ours_to_run(
    pooled: Pooled, change: dict[str, bool], words: str
) -> None:
    CashPool.objects.update(**change)
    with pytest.raises(PoolNotRun, match=words):
        pooled.run()
    assert not Proposal.objects.exists()


def test_an_account_that_may_not_be_pooled_stays_with_its_reason(pooled: Pooled) -> None:
    CashPoolMember.objects.filter(account=pooled.shop).update(
        is_poolable=False, reason="Pledged to the landlord."
    )
    pooled.run()
    assert pooled.move(pooled.shop).reason == "NOT_POOLABLE"
    assert pooled.move(pooled.shop).proposal is None


def test_a_member_whose_bank_is_in_india_by_now_stays_and_a_person_is_told(pooled: Pooled) -> None:
    Bank.objects.filter(pk=pooled.shop.bank_id).update(country="IN")
    pooled.run()
    move = pooled.move(pooled.shop)
    assert (move.reason, move.amount, move.proposal) == ("NOT_POOLABLE", D(0), None)
    assert pooled.move(pooled.trading).amount == D(350_000)
    told = Task.objects.get(kind="pool_border_closed")
    assert "Shop may not be pooled" in told.title
    assert "IN allows no cross-border pooling" in told.detail


def test_a_pool_is_due_before_its_first_cut_off_and_once(pooled: Pooled) -> None:
    cutoff = reads.first_cutoff(pooled.pool, now=clock.now())
    assert cutoff is not None
    lead = timedelta(minutes=pooled.pool.lead_minutes)
    assert reads.due_pools(now=cutoff - lead - timedelta(seconds=1)) == []
    with clock.frozen(cutoff - lead):
        assert reads.due_pools(now=clock.now()) == [pooled.pool]
        (ran,) = pools.run_due_pools(tenant=pooled.tenant.id)
        assert ran.is_new
        assert reads.due_pools(now=clock.now()) == []
    assert PoolMove.objects.count() == 3


def test_what_cannot_be_decided_becomes_a_task_and_holds_up_no_other(pooled: Pooled) -> None:
    cutoff = reads.first_cutoff(pooled.pool, now=clock.now())
    assert cutoff is not None
    with clock.frozen(cutoff + timedelta(days=2) - timedelta(hours=1)):
        assert pools.run_due_pools(tenant=pooled.tenant.id) == []
    assert "Pool header: its newest balance is too old" in Task.objects.get().detail


def test_a_move_that_cannot_be_proposed_says_why(pooled: Pooled) -> None:
    BankAccount.objects.filter(pk=pooled.header.pk).update(is_active=False)
    run = pooled.run()
    move = pooled.move(pooled.trading)
    assert (move.proposal, move.problem) == (None, "There is no such active account.")
    assert Task.objects.filter(kind="pool_move_not_proposed").count() == 3
    assert run.moves.count() == 3


def test_a_run_replays_to_the_same_bytes(pooled: Pooled) -> None:
    run = pooled.run()
    assert pools.replay_run(run_id=run.pk).is_identical


def test_a_notional_pool_is_not_run(pooled: Pooled) -> None:
    made = pools.add_pool(
        pool=pools.PoolIn(code="SUM", name="Sum", kind="NOTIONAL", currency="GBP")
    )
    with pytest.raises(PoolNotRun, match="SUM is notional: nothing moves"):
        pools.run_pool(pool_id=made.pk)
    cutoff = reads.first_cutoff(pooled.pool, now=clock.now())
    assert cutoff is not None
    assert reads.due_pools(now=cutoff - timedelta(minutes=1)) == [pooled.pool]
