"""Pages, API, admin and commands of pools."""

import csv
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from core.identity.models import User
from core.tenancy import bound
from tests.promises.realm import signed_in
from tests.scenes import scene
from tests.treasury.pools.conftest import Pooled, open_account
from tests.treasury.pools.test_lending import settled
from treasury import metrics
from treasury.models import (
    CashPool,
    CashPoolMember,
    IntercompanyEntry,
    PoolMove,
    PoolPair,
    PoolRun,
)
from treasury.selectors import pool_page
from treasury.selectors import pools as reads
from treasury.services import pools
from treasury.services.pools import MemberIn, PoolIn
from treasury.tasks import run_pools

D = Decimal
Look = Callable[[str], str]


@pytest.fixture
def look(pooled: Pooled, maker: User) -> Look:
    client = signed_in(maker)

    def fetch(address: str) -> str:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code, answer.content[:300])
        return str(answer.content.decode())

    return fetch


@scene
def notional(pooled: Pooled) -> CashPool:
    made = pools.add_pool(
        pool=PoolIn(
            code="GBP-SUM", name="Pounds together", kind="NOTIONAL", currency="GBP",
            credit_rate=D("0.02"), debit_rate=D("0.05"),
        )
    )  # fmt: skip
    for account, credit, debit in (
        (pooled.trading, "0.01", "0.08"),
        (pooled.payroll, "0.01", "0.08"),
    ):
        pools.add_member(
            member=MemberIn(
                pool="GBP-SUM", account=account.pk, credit_rate=D(credit), debit_rate=D(debit)
            )
        )
    pools.add_member(
        member=MemberIn(
            pool="GBP-SUM", account=pooled.shop.pk, is_poolable=False, reason="Pledged."
        )
    )
    return made


def test_the_page_says_what_will_move_and_why(pooled: Pooled, look: Look) -> None:
    page = look("/pools")
    assert (
        "440,000.00 GBP goes up to Pool header from 2 accounts and 120,000.00 GBP comes down to"
        " 1 account; Pool header ends the day at 2,320,000.00 GBP." in page
    )
    assert "until then this is what would move" in page
    assert "pool-after" in page
    assert "Nobody owes anybody" in page
    assert not PoolRun.objects.exists()


def test_after_the_run_the_page_leads_to_its_proposals(pooled: Pooled, look: Look) -> None:
    run = pooled.run()
    page = look("/pools")
    proposal = pooled.move(pooled.payroll).proposal
    assert proposal is not None
    assert f"/pools/runs/{run.pk}" in page
    assert proposal.reference in page
    assert "Awaiting approval" in page


def test_the_page_of_a_run_replays_it(pooled: Pooled, look: Look) -> None:
    run = pooled.run()
    page = look(f"/pools/runs/{run.pk}")
    assert "the very same bytes came out" in page
    assert run.record_sha256 in page


def test_the_page_of_a_pool_shows_its_terms_and_runs(pooled: Pooled, look: Look) -> None:
    pooled.run()
    page = look(f"/pools/{pooled.pool.pk}")
    for words in ("Pool header at London Bank", "actual/365 fixed", "North Payroll Limited, GB"):
        assert words in page


def test_what_is_lacking_is_said(pooled: Pooled, look: Look) -> None:
    pooled.pool.header_floor = D(2_400_000)
    pools.save_pool(pool=pooled.pool)
    assert "80,000.00 GBP is lacking, because the header keeps its floor." in look("/pools")


def test_a_pool_that_cannot_be_decided_says_why(pooled: Pooled, look: Look) -> None:
    with clock.frozen(clock.now() + timedelta(days=2)):
        assert "its newest balance is too old" in look("/pools")


def test_an_empty_house_says_what_to_do(pooled: Pooled, look: Look) -> None:
    CashPool.objects.update(is_active=False)
    page = look("/pools")
    assert "No pools yet" in page
    assert "No runs yet" in page


def test_a_border_is_flagged(pooled: Pooled, look: Look) -> None:
    pooled.daughter.country = "DE"
    pooled.daughter.save()
    assert "Crosses a border (DE to GB)" in look("/pools")


def test_the_notional_benefit_is_reckoned_and_handed_out(
    pooled: Pooled, notional: CashPool, look: Look
) -> None:
    """350,000 and -120,000: 2 % on 230,000 together; alone 1 % is earned and 8 % paid, on 365."""
    page = look(f"/pools/{notional.pk}")
    assert "Nothing moves; over 30 days interest on the sum brought" in page
    assert "Shop (Pledged.)" in page
    asked = f"/pools/{notional.pk}/notional.csv?start=2026-11-17&until=2026-11-17"
    (row,) = csv.DictReader(StringIO(look(asked)))
    pooled_interest = (D(230_000) * D("0.02") / 365).quantize(D("0.01"))
    alone = ((D(350_000) * D("0.01") - D(120_000) * D("0.08")) / 365).quantize(D("0.01"))
    assert (D(row["balance"]), D(row["pooled"])) == (D(230_000), pooled_interest)
    assert D(row["alone"]) == alone
    assert D(row["advantage"]) == pooled_interest - alone


def test_only_a_notional_pool_has_days(pooled: Pooled, maker: User) -> None:
    answer = signed_in(maker).get(f"/pools/{pooled.pool.pk}/notional.csv")
    assert answer.status_code == 422


def test_the_statement_of_a_pair(pooled: Pooled, checker: User, look: Look) -> None:
    pooled.run()
    settled(pooled, pooled.payroll, checker)
    assert "North Payroll Limited" in look("/pools")
    address = f"/pools/loans/{pooled.parent.pk}/{pooled.daughter.pk}"
    page = look(f"{address}?until=2026-11-26")
    assert "North Remit Limited to North Payroll Limited: lent" in page
    assert "139.73" in page
    rows = list(csv.DictReader(StringIO(look(f"{address}?until=2026-11-26&as=csv"))))
    assert len(rows) == 10
    assert (rows[-1]["balance"], rows[-1]["accrued"]) == ("120000.0000", "139.73")


def test_strangers_to_each_other_have_no_statement(pooled: Pooled, maker: User) -> None:
    answer = signed_in(maker).get(f"/pools/loans/{pooled.parent.pk}/{pooled.daughter.pk}")
    assert answer.status_code == 404


def test_days_the_wrong_way_round_are_refused(
    pooled: Pooled, notional: CashPool, maker: User
) -> None:
    address = f"/pools/{notional.pk}/notional.csv?start=2026-11-18&until=2026-11-17"
    assert signed_in(maker).get(address).status_code == 422


def test_the_api_tells_pools_runs_and_loans(
    pooled: Pooled, notional: CashPool, maker: User, checker: User
) -> None:
    pooled.run()
    settled(pooled, pooled.payroll, checker)
    client = signed_in(maker)

    def get(address: str) -> Any:
        answer = client.get(f"/api/v1/{address}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    found = {one["code"]: one for one in get("pools")["results"]}
    assert len(found["GBP-ZBA"]["members"]) == 3
    (run,) = get(f"pools/{pooled.pool.pk}/runs")["results"]
    moves = {move["account"]: move for move in run["moves"]}
    assert moves[str(pooled.payroll.pk)]["amount"] == "120000.0000"
    (loan,) = get("intercompany?currency=GBP")["results"]
    assert (loan["kind"], loan["amount"]) == ("LOAN", "120000.0000")
    (pair,) = get("intercompany/balances?until=2026-11-26")
    assert (pair["balance"], pair["interest"]) == ("120000.0000", "139.73")
    days = get(f"pools/{notional.pk}/notional?start=2026-11-17&until=2026-11-17")
    assert days[0]["balance"] == "230000.0000"
    wrong = client.get(f"/api/v1/pools/{pooled.pool.pk}/notional")
    assert wrong.status_code == 422


def test_the_admin_lists_everything(pooled: Pooled, checker: User, maker: User) -> None:
    pooled.run()
    settled(pooled, pooled.payroll, checker)
    client = signed_in(maker)
    for model in (CashPool, CashPoolMember, PoolRun, PoolMove, PoolPair, IntercompanyEntry):
        assert model in site._registry
        name = model._meta.model_name
        assert client.get(f"/admin/treasury/{name}/").status_code == 200, name


def test_beat_runs_what_is_due(pooled: Pooled) -> None:
    cutoff = reads.first_cutoff(pooled.pool, now=clock.now())
    assert cutoff is not None
    with clock.frozen(cutoff - timedelta(hours=1)):
        run_pools()
    with bound(pooled.tenant.id, actor="system:test"):
        assert PoolRun.objects.get().day == date(2026, 11, 17)


def test_the_command_runs_one_pool_now_and_once(pooled: Pooled) -> None:
    said = StringIO()
    for _ in range(2):
        call_command("run_pools", pool="GBP-ZBA", stdout=said)
    first, second = said.getvalue().splitlines()
    assert "run: GBP-ZBA 2026-11-17 up 440,000.00 down 120,000.00 short 0.00 GBP" in first
    assert "stands: GBP-ZBA" in second
    call_command("run_pools", stdout=said)


def test_the_command_says_why_not(pooled: Pooled) -> None:
    CashPool.objects.update(is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        call_command("run_pools", pool="GBP-ZBA", stdout=StringIO())


def test_the_figures_of_pools_are_told(pooled: Pooled, checker: User) -> None:
    pooled.pool.header_floor = D(2_400_000)
    pools.save_pool(pool=pooled.pool)
    pooled.run()
    assert metrics.pooled_by_currency() == {}
    settled(pooled, pooled.trading, checker)
    assert metrics.pooled_by_currency() == {("GBP", "UP"): D(350_000)}
    assert metrics.short_by_currency() == {"GBP": D(80_000)}
    names = {sample.name for family in metrics.Pools().collect() for sample in family.samples}
    assert names == {"treasury_pooled_total", "treasury_pool_short"}


def test_a_further_account_at_a_known_bank_costs_no_query(pooled: Pooled) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            reads.inputs_for(pooled.pool, now=clock.now())
        return len(captured)

    queries()  # reads what the transaction remembers
    before = queries()
    more = open_account("More", entity=pooled.parent, bank=pooled.shop.bank, number="20000002")
    pools.add_member(member=MemberIn(pool="GBP-ZBA", account=more.pk))
    assert queries() == before


def test_every_reason_has_words() -> None:
    assert {one.value for one in pool_page.REASONS} == {
        reason.value for reason in type(next(iter(pool_page.REASONS)))
    }
