"""The sweep page, commands, metrics, the simulator, and what is governed."""

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.core.management import CommandError, call_command

from core import clock
from core.changes import services as changes
from core.changes.selectors import preview_of
from core.changes.services import open_tenant
from core.errors import FourEyesNeeded
from core.identity.models import User
from core.tenancy import bound
from tests.conftest import MakeUser
from tests.promises.realm import signed_in
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import QUARTER_PAST, Sweeping
from tests.treasury.sweeps.test_deciding import order_of
from treasury import metrics
from treasury import policies as knobs
from treasury.models import (
    BankEntry,
    Statement,
    SweepDecision,
    SweepEligibility,
    SweepMandate,
    SweepOrder,
    SweepProduct,
)
from treasury.selectors import positions
from treasury.selectors import sweeps as reads
from treasury.services import sweeps
from treasury.services.sweeps import Answer
from treasury.tasks import decide_sweeps, follow_sweeps, send_sweeps

D = Decimal


def test_the_page_says_what_will_move_and_why(sweeping: Sweeping, maker: User) -> None:
    page = signed_in(maker).get("/sweeps").content.decode()
    assert "760,000.00 USD go into TBILL_4W" in page
    assert "the risk is within its limit" in page
    assert "Liquidity buffer" in page
    assert "No bills are held. The ladder has a rung on 24 Nov, 1 Dec, 8 Dec, 15 Dec" in page
    assert "ladder-picture" not in page
    assert SweepDecision.objects.count() == 0
    order = order_of(sweeping)
    page = signed_in(maker).get("/sweeps").content.decode()
    assert order.order_id in page
    assert 'class="ladder-rung"' in page
    assert "No bills are held" not in page


def test_the_page_of_a_decision_replays_it(sweeping: Sweeping, maker: User) -> None:
    decided = sweeping.decide().decision
    page = signed_in(maker).get(f"/sweeps/decisions/{decided.pk}").content.decode()
    assert "the very same bytes came out" in page
    assert "the green product is not preferred" in page
    assert decided.record_sha256 in page


def test_an_empty_house_says_what_to_do(sweeping: Sweeping, maker: User) -> None:
    SweepMandate.objects.update(is_active=False)
    assert "No account is swept" in signed_in(maker).get("/sweeps").content.decode()


def test_beat_decides_sends_and_follows(sweeping: Sweeping) -> None:
    decide_sweeps()
    send_sweeps()
    follow_sweeps()
    with bound(sweeping.tenant.id, actor="system:test"):
        assert SweepOrder.objects.get().jws != ""


def test_the_commands_decide_and_replay(sweeping: Sweeping) -> None:
    said = StringIO()
    call_command("decide_sweeps", stdout=said)
    assert "decided: Dollars SWEEP WITHIN_LIMIT SWP-2026-11-17-0001 760,000.00 USD" in (
        said.getvalue()
    )
    held = SweepDecision.objects.get()
    printed = StringIO()
    call_command("replay_decision", str(held.pk), stdout=printed)
    assert printed.getvalue().strip() == held.record
    with pytest.raises(CommandError, match="no such decision"):
        call_command("replay_decision", str(sweeping.tenant.id))


def test_a_record_that_was_forged_does_not_replay(sweeping: Sweeping) -> None:
    """The negative control: whoever held the owner's rights could write it, not make it hold."""
    held = sweeping.decide().decision
    forged = held.record.replace('"excess":"1000000"', '"excess":"1000001"')
    universe = reads.universe_of(held)
    replay = sweeps.replay_record(
        record=forged, record_sha256=held.record_sha256, universe=universe
    )
    assert not replay.is_identical
    assert replay.differences == (("outcome.excess", '"1000001"', '"1000000"'),)
    assert not sweeps.replay_record(
        record=held.record, record_sha256="0" * 64, universe=universe
    ).is_identical


def test_the_figures_of_sweeps_are_told(sweeping: Sweeping) -> None:
    order = order_of(sweeping)
    assert metrics.swept_by_product() == {}
    sweeps.sign_due(tenant=sweeping.tenant.id)
    sweeps.answer_order(order_id=order.order_id, answer=Answer(status="ACK", bank_ref="B"))
    assert metrics.swept_by_product() == {"TBILL_4W": D(760_000)}
    assert metrics.largest_var_bps() == D(8)
    names = {sample.name for family in metrics.Sweeps().collect() for sample in family.samples}
    assert names == {"treasury_swept_usd_total", "treasury_var_bps"}


def proposed(policy: Any, value: str, actor: User) -> Any:
    """Propose a policy's value in the bound tenant and return the change."""
    from core import policies

    return changes.propose_writes(
        run=lambda: policies.write_version(
            policy=policy, value=value, actor=actor, reason="simulate"
        ),
        maker=actor,
        reason="simulate",
    )


@pytest.mark.parametrize(
    ("policy", "value", "words"),
    [
        (knobs.LIQ_BUFFER_PCT, "0.50", "600,000.00 USD into TBILL_4W"),
        (knobs.VAR_LIMIT_BPS, "7", "1,000,000.00 USD into FED_RRP"),
        (knobs.MIN_SWEEP_USD, "760001", "nothing: BELOW_MINIMUM"),
        (knobs.SWEEP_ESG_PREFERENCE, "true", "760,000.00 USD into CARBON_NOTE"),
    ],
)
def test_the_simulator_says_what_would_have_been(
    sweeping: Sweeping, user_with: MakeUser, policy: Any, value: str, words: str
) -> None:
    sweeping.decide()
    manager = user_with("treasury_manager", name="manager")
    user_with("treasury_manager", name="manager2")
    with bound(sweeping.tenant.id, actor=manager.pk):
        change = proposed(policy, value, manager)
        preview = preview_of(change)
    assert preview is not None
    assert "1 would have come out otherwise" in preview.summary
    assert [line[1:] for line in preview.lines] == [("760,000.00 USD into TBILL_4W", words)]


def test_products_and_mandates_need_two_people_once_opened(
    sweeping: Sweeping, user_with: MakeUser
) -> None:
    admin = user_with("tenant_admin", name="admin")
    user_with("treasury_manager", name="manager")
    with bound(sweeping.tenant.id, actor=admin.pk):
        open_tenant(actor=admin)
    for run in (
        lambda: sweeps.save_product(product=_dearer(sweeping.bill)),
        lambda: sweeps.save_mandate(mandate=_wider(sweeping.mandate)),
        lambda: sweeps.save_eligibility(
            eligibility=SweepEligibility(product=sweeping.bill, entity=sweeping.account.entity)
        ),
    ):
        with pytest.raises(FourEyesNeeded), bound(sweeping.tenant.id, actor=admin.pk):
            run()


def _dearer(product: SweepProduct) -> SweepProduct:
    product.rate = D("0.05")
    return product


def _wider(mandate: SweepMandate) -> SweepMandate:
    mandate.order_max = mandate.day_max
    return mandate


def test_sweeps_are_no_business_with_others(sweeping: Sweeping) -> None:
    """Flows that risk is measured on leave our own sweeps out; the same entry counts without."""
    order = order_of(sweeping)
    day = date(2026, 11, 18)

    def flows() -> Decimal:
        found = positions.daily_flows(account_id=sweeping.account.pk, since=day, until=day)
        return sum((one.outflow for one in found), D(0))

    _book(sweeping, "-759000.00", order.order_id, day)
    assert flows() == 0
    _book(sweeping, "-10.00", "SOMEBODY-ELSE", day)
    assert flows() == 10


def _book(sweeping: Sweeping, amount: str, end_to_end_id: str, day: date) -> BankEntry:
    put_balance(sweeping.account, "1000000.00", at=QUARTER_PAST - timedelta(days=1))
    statement = Statement.objects.filter(account=sweeping.account).latest("id")
    return BankEntry.objects.create(
        account=sweeping.account,
        statement=statement,
        amount=D(amount),
        booking_date=day,
        value_date=day,
        end_to_end_id=end_to_end_id,
        status="BOOK",
        state="COUNTED",
        announced_at=clock.now(),
        first_seen_at=clock.now(),
        best_source="CAMT053",
        identity=end_to_end_id,
        identity_rule="TEST",
    )


def test_the_admin_knows_the_nouns_of_sweeps() -> None:
    shown = {model.__name__ for model in site._registry}
    nouns = {"SweepProduct", "SweepMandate", "SweepEligibility", "SweepDecision", "SweepOrder"}
    assert nouns <= shown


def test_the_dashboard_asks_for_figures_that_are_told() -> None:
    board = json.loads((Path(__file__).parents[3] / "deploy/grafana/treasury.json").read_text())
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    told = {family.name for family in metrics.Sweeps().describe()}
    assert told == {"treasury_swept_usd", "treasury_var_bps"}
    for name in ("treasury_swept_usd_total", "treasury_var_bps", "sweep_decision_latency_seconds"):
        assert name in asked
    assert metrics.DECISION_SECONDS._name == "sweep_decision_latency_seconds"
