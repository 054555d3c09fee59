"""What bounds a sweep besides its rule: shared caps, the age of what was measured, later debits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection

from core import clock
from core.events import publish
from core.events.relay import sequence_committed
from core.tenancy import Tenant, bound
from tests.conftest import MakeUser, make_user
from tests.promises.realm import machine
from tests.scenes import scene
from tests.treasury.bank.paper import E, S, camt
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import (
    QUARTER_PAST,
    Sweeping,
    build_sweeping,
    make_mandate,
    read_risk,
    set_policy,
)
from tests.treasury.sweeps.paying import hear
from treasury.engine.positions import Moved, booked_ahead
from treasury.errors import CursorGone
from treasury.events import SweepIntent
from treasury.models import BankAccount, RiskReading, SweepOrder
from treasury.policies import MAX_BALANCE_AGE_MINUTES, VAR_AS_OF_DAYS_MAX
from treasury.selectors import sweeps as reads
from treasury.selectors.intents import cursor_at, intents_after
from treasury.services import static, sweeps

D = Decimal
CAP: Final = D(1_000_000)
PATIENCE_SECONDS: Final = 1.0
A_DAY: Final = timedelta(days=1)

# --- a cap that several accounts share ------------------------------------------------------------


@pytest.fixture
def two(committed_tenant: UUID, tmp_path: Path) -> tuple[Sweeping, BankAccount]:
    """Two accounts that would each put 760,000 into a product that may hold a million."""
    with clock.frozen(QUARTER_PAST), bound(committed_tenant, actor="system:test"):
        for name in ("anna", "bert"):
            make_user(name, "treasury_checker")
        built = build_sweeping(Tenant.objects.get(pk=committed_tenant), tmp_path)
        like = built.account
        other = static.open_account(
            account=static.AccountIn(
                entity=like.entity, bank=like.bank, label="Other", currency="USD",
                number="7700000001", clearing_code="021000021", timezone=like.timezone,
            )
        )  # fmt: skip
        put_balance(other, "760000.00")
        read_risk(other)
        make_mandate(other)
        built.bill.cap = CAP
        sweeps.save_product(product=built.bill)
    return built, other


def overlapping(two: tuple[Sweeping, BankAccount]) -> list[Any]:
    """Decide the second account while the first one's decision is not committed yet."""
    built, other = two
    first_is_made, second_is_over = threading.Event(), threading.Event()

    def first() -> Any:
        with clock.frozen(QUARTER_PAST + timedelta(seconds=1)):
            try:
                with bound(built.tenant.id, actor="system:test"):
                    made = built.decide().order
                    first_is_made.set()
                    second_is_over.wait(PATIENCE_SECONDS)
                return made
            finally:
                connection.close()

    def second() -> Any:
        first_is_made.wait()
        with clock.frozen(QUARTER_PAST + timedelta(seconds=1)):
            try:
                with bound(built.tenant.id, actor="system:test"):
                    return sweeps.decide_account(account=other, window=built.window()).order
            except DatabaseError as refusal:
                return refusal
            finally:
                second_is_over.set()
                connection.close()

    with ThreadPoolExecutor(2) as pool:
        return [one.result() for one in (pool.submit(first), pool.submit(second))]


def held(tenant: Tenant) -> Decimal:
    with bound(tenant.id, actor="system:test"):
        return sum((one.amount for one in SweepOrder.objects.all()), D(0))


def test_two_accounts_at_one_instant_stay_below_the_cap(two: tuple[Sweeping, BankAccount]) -> None:
    first, second = overlapping(two)
    assert (first.amount, second.amount) == (D(760_000), D(240_000))
    assert held(two[0].tenant) == CAP


def test_the_database_counts_again(
    two: tuple[Sweeping, BankAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the service's lock the second order is refused, not made."""
    monkeypatch.setattr(reads, "hold_capped_products", lambda: None)
    _, second = overlapping(two)
    assert "above its cap" in str(second)
    assert held(two[0].tenant) == D(760_000)


def test_without_lock_and_guard_the_cap_is_passed(
    two: tuple[Sweeping, BankAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the race exists."""
    monkeypatch.setattr(reads, "hold_capped_products", lambda: None)
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        name = "treasury_product_over_cap(treasury_sweeporder)"
        row = owner.execute(f"SELECT pg_get_functiondef('{name}'::regprocedure)").fetchone()
        assert row is not None
        owner.execute(
            "CREATE OR REPLACE FUNCTION treasury_product_over_cap(o treasury_sweeporder)"
            " RETURNS numeric LANGUAGE sql AS 'SELECT NULL::numeric'"
        )
        try:
            overlapping(two)
        finally:
            owner.execute(row[0])
    assert held(two[0].tenant) > CAP


# --- the age of a value at risk -------------------------------------------------------------------


@pytest.mark.parametrize(("days", "state"), [(5, "FRESH"), (6, "STALE")])
def test_a_value_at_risk_of_old_flows_is_too_old(sweeping: Sweeping, days: int, state: str) -> None:
    """However lately it was measured: what counts is the newest day that it rests on."""
    row = RiskReading.objects.get(account=sweeping.account)
    clone = {one.attname: getattr(row, one.attname) for one in row._meta.local_fields}
    del clone["id"]
    clone |= {"as_of": date(2026, 11, 17) - days * A_DAY, "observed_at": clock.now()}
    RiskReading.objects.create(**clone)
    inputs = reads.present_inputs(account=sweeping.account)
    assert inputs.risk.state == state
    decided = sweeping.decide()
    product = "TBILL_4W" if state == "FRESH" else "FED_RRP"
    assert decided.decision.product_code == product


def test_how_old_is_a_policy(sweeping: Sweeping) -> None:
    assert reads.present_inputs(account=sweeping.account).risk.state == "FRESH"
    set_policy(VAR_AS_OF_DAYS_MAX, 1)
    assert reads.present_inputs(account=sweeping.account).risk.state == "FRESH"
    with clock.frozen(clock.now() + A_DAY):
        assert reads.present_inputs(account=sweeping.account).risk.state == "STALE"


# --- what is booked and leaves later --------------------------------------------------------------


def test_what_leaves_later_is_netted_by_its_day() -> None:
    def moved(day: int, amount: int, **more: bool) -> Moved:
        facts = {"in_base": False, "is_pending": False, **more}
        return Moved(value_date=date(2026, 11, day), amount=D(amount), **facts)

    on = date(2026, 11, 17)
    assert booked_ahead([moved(17, -5), moved(16, -5)], on=on) == 0
    assert booked_ahead([moved(18, -5), moved(19, 7)], on=on) == -5
    assert booked_ahead([moved(18, -5), moved(18, 3, in_base=True)], on=on) == -2
    assert booked_ahead([moved(18, -5), moved(18, 9)], on=on) == 0
    assert booked_ahead([moved(18, -5, is_pending=True)], on=on) == 0


def entry(amount: str, number: int) -> bytes:
    one = E(
        amount=amount, currency="USD", ref=f"R{number}", booked=date(2026, 11, 18),
        value=date(2026, 11, 20),
    )  # fmt: skip
    said = S(
        id=f"N{number}", iban="", number="3000000001", currency="USD", entries=(one,),
        created="2026-11-18T14:00:00Z",
    )  # fmt: skip
    return camt("054", said, message=f"M{number}")


def test_a_debit_booked_today_for_a_later_day_is_not_swept(sweeping: Sweeping) -> None:
    set_policy(MAX_BALANCE_AGE_MINUTES, 2_880)
    with clock.frozen(clock.now() + A_DAY):
        before = reads.present_inputs(account=sweeping.account).money.available
        hear(entry("700000.00", 1))
        assert reads.present_inputs(account=sweeping.account).money.available == before
        hear(entry("-1000000.00", 2))
        found = reads.present_inputs(account=sweeping.account).money.available
    assert found == before - D(300_000)


# --- a cursor that is too old ---------------------------------------------------------------------


@scene
def items(tenant: Tenant) -> list[str]:
    """Cursors of three orders: two of a hundred days ago, one of today."""
    now = QUARTER_PAST
    for days, name in ((100, "0001"), (99, "0002"), (0, "0003")):
        with clock.frozen(now - days * A_DAY):
            publish(
                SweepIntent(type="ORDER", order_id=f"SWP-2026-11-17-{name}", jws="a.b", reason="")
            )
            sequence_committed(tenant=tenant.id)
    with clock.frozen(now - 100 * A_DAY):
        found = intents_after(cursor="")
    return [item["cursor"] for item in found.items]


def test_a_cursor_before_what_is_kept_is_gone(items: list[str]) -> None:
    with clock.frozen(QUARTER_PAST):
        with pytest.raises(CursorGone, match="more than 90 days old") as refusal:
            intents_after(cursor=items[0])
        assert refusal.value.status == 410
        # Idle for a hundred days, and nothing missed: the next item is of today.
        names = [one["order_id"] for one in intents_after(cursor=items[1]).items]
        assert names == ["SWP-2026-11-17-0003"]
        assert intents_after(cursor=items[2]).items == ()


def test_the_beginning_is_the_oldest_that_is_kept(items: list[str]) -> None:
    with clock.frozen(QUARTER_PAST):
        names = [one["order_id"] for one in intents_after(cursor="").items]
    assert names == ["SWP-2026-11-17-0003"]
    assert cursor_at(0) != items[0]


def test_the_pull_says_gone_in_words(items: list[str], user_with: MakeUser) -> None:
    caller = machine(user_with("integration", name="connector", is_service=True))
    with clock.frozen(QUARTER_PAST):
        answer = caller.get(f"/api/v1/sweep-intent?after={items[0]}")
    assert answer.status_code == 410
    problem = answer.json()
    assert problem["code"] == "cursor_gone"
    assert "Begin anew without a cursor" in problem["detail"]
