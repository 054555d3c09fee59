"""One sweep from the bank's balance to the bank's entries, with the sandbox bank in its process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from calendars import selectors as calendars
from core import clock
from core.events.drain import drain
from core.events.models import OutboxEvent
from core.tenancy import Tenant, bound
from integrations import services as lines
from tests.chaos.live import PROJECT
from tests.conftest import make_user
from tests.treasury.movement.conftest import age, build_house, put_on_the_list
from tests.treasury.sweeps.conftest import make_mandate, make_products, read_risk
from tests.treasury.sweeps.paying import FUND
from tests.treasury.sweeps.test_demo_connector import ACCOUNT, SECRET
from tms.demo.bank import SandboxBank
from tms.demo.connector import bring_back
from treasury.models import SweepOrder, Task, Transfer
from treasury.selectors import sweeps as reads
from treasury.selectors.invariants import invariants
from treasury.selectors.sweep_way import way_of
from treasury.services import sweeps, transfers

ACTOR: Final = "system:test"
NEW_YORK: Final = ZoneInfo("America/New_York")
NUMBER: Final = ACCOUNT["number"]


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[SandboxBank]:
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "integrations.sandbox_bank", "serve", "--port", "0"),
            *("--home", str(tmp_path / "bank"), "--secret-env", "BANK_SECRET", "--pace", "0.001"),
            *("--interim-minutes", "0", "--follow-parent"),
        ],
        cwd=PROJECT,
        env={**os.environ, "BANK_SECRET": SECRET},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["listening"]
            found = SandboxBank(base_url=url, secret=SECRET)
            found.put_accounts([{**ACCOUNT, "channel": "http"}])
            yield found
        finally:
            process.terminate()


@dataclass(slots=True)
class Walk:
    """A tenant with its bank; our clock is the bank's."""

    tenant: UUID
    bank: SandboxBank

    @contextmanager
    def now(self) -> Iterator[None]:
        with clock.frozen(self.bank.now()):
            yield

    @contextmanager
    def at_home(self) -> Iterator[None]:
        with self.now(), bound(self.tenant, actor=ACTOR):
            yield

    def until(self, moment: datetime) -> None:
        """Let time go on at the bank; it works through everything on the way."""
        self.bank.advance(seconds=(moment - self.bank.now()).total_seconds())

    def trouble(self, **fault: Any) -> None:
        """Let something go wrong at the bank."""
        self.bank.plan([{"do": "fault", "fault": fault, "after_seconds": 0}])
        self.bank.advance(seconds=1)

    def hear(self) -> None:
        """Fetch what the bank has written, read it, and follow."""
        self.bank.advance(seconds=5)
        with self.now():
            lines.collect_inbound(tenant=self.tenant)
            drain(tenant=self.tenant)
        self.follow()

    def follow(self) -> None:
        with self.at_home():
            sweeps.follow_payments(now=clock.now())
            sweeps.follow_money(now=clock.now())
            sweeps.follow_money(now=clock.now())

    def leave(self) -> None:
        """Sign, pay, queue and hand over, as the workers do."""
        with self.now():
            sweeps.sign_due(tenant=self.tenant)
            transfers.execute_due(tenant=self.tenant)
            lines.dispatch_due(tenant=self.tenant)
            drain(tenant=self.tenant)
        self.follow()

    def order(self) -> SweepOrder:
        with self.at_home():
            return reads.orders().get()


@pytest.fixture
def walk(committed_tenant: UUID, bank: SandboxBank, tmp_path: Path, settings: Any) -> Walk:
    """A house of which our own bank pays the bills, ten minutes before a window is decided."""
    settings.TMS_SIGNING_DIR = str(tmp_path / "signing")
    made = Walk(tenant=committed_tenant, bank=bank)
    with made.at_home():
        people = [make_user(name, "treasury_checker") for name in ("anna", "bert")]
        keeper = make_user("keeper", "static_data")
        years = (clock.now().year, clock.now().year + 1)
        house = build_house(tmp_path / "files", years=years)
        day = clock.now().date() + timedelta(days=1)
        while not all(
            calendars.calendar_data("FED").is_open(day + timedelta(days=more)) for more in (0, 1)
        ):
            day += timedelta(days=1)
    assert len(people) == 2
    made.until(datetime.combine(day, time(15, 5), ZoneInfo("UTC")))
    with made.at_home():
        lines.save_connection(
            wish=lines.ConnectionIn(
                code="host", name="API", kind="HTTP", base_url=bank.base_url, secret=SECRET,
                rate_per_minute=6_000,
            )
        )  # fmt: skip
        make_products()
        account = house.usd
        read_risk(account)
        make_mandate(account, valid_from=day, valid_until=day + timedelta(days=60))
        fund = put_on_the_list(Tenant.objects.get(pk=committed_tenant), keeper, **FUND)
    with made.at_home():
        age()
    with made.at_home():
        sweeps.add_line(
            line=sweeps.LineIn(
                name="Bills over our bank", account_id=account.pk, product="TBILL_4W",
                beneficiary=fund.pk,
            )
        )  # fmt: skip
    return made


def sent(walk: Walk) -> SweepOrder:
    """Hear the balance, decide on it, and let the order leave."""
    walk.bank.report(account=NUMBER)
    walk.hear()
    walk.bank.advance(seconds=11 * 60)
    with walk.now():
        (decided,) = sweeps.decide_sweeps(tenant=walk.tenant)
    assert decided.order is not None
    walk.leave()
    return walk.order()


def test_from_the_balance_to_the_money_that_is_back(walk: Walk) -> None:
    order = sent(walk)
    assert (order.state, order.amount) == ("SENT", Decimal(1_000_000))
    walk.hear()
    order = walk.order()
    assert (order.state, order.settlement) == ("ACK", "PENDING")
    assert walk.bank.executed().get(order.order_id, 0) == 0  # its day has not come

    walk.until(datetime.combine(order.settles_on, time(16, 0), NEW_YORK))
    walk.hear()
    assert walk.bank.executed()[order.order_id] == 1
    walk.until(datetime.combine(order.settles_on + timedelta(days=1), time(8, 0), NEW_YORK))
    walk.hear()
    assert walk.order().settlement == "SETTLED"

    assert bring_back(tenant=walk.tenant, bank=walk.bank) == 0  # not before its day
    walk.until(datetime.combine(order.matures_on, time(9, 30), NEW_YORK))
    assert bring_back(tenant=walk.tenant, bank=walk.bank) == 1
    assert bring_back(tenant=walk.tenant, bank=walk.bank) == 0
    walk.hear()
    walk.until(datetime.combine(order.matures_on + timedelta(days=1), time(8, 0), NEW_YORK))
    walk.hear()
    order = walk.order()
    assert (order.state, order.settlement) == ("ACK", "RETURNED")
    with walk.at_home():
        about_it = Task.objects.open().filter(key__startswith=order.order_id)
        assert list(about_it.values_list("kind", "detail")) == []
        assert invariants() == []
    assert walk.bank.executed()[order.order_id] == 1
    _one_trace(walk, order)


def _one_trace(walk: Walk, order: SweepOrder) -> None:
    """From the balance that came in to the bank's last word everything names the same trace."""
    with walk.at_home():
        rows = OutboxEvent.objects.filter(correlation_id=order.trace_id or "").order_by("id")
        topics = list(dict.fromkeys(rows.values_list("topic", flat=True)))
        transfer = Transfer.objects.get(end_to_end_id=order.order_id)
        held = lines.message_bytes(transfer.message_id or "")
        message = transfer.message_id
        way = way_of(order.decision, order)
        told = [
            row.correlation_id
            for row in OutboxEvent.objects.filter(topic="ops.fund.movement.status")
        ]
    assert topics[:3] == [
        "integrations.message.received", "ops.nostro.balance.update", "sweep.order.created",
    ]  # fmt: skip
    assert {
        "integrations.payment.sent", "ops.fund.movement.status", "sweep.order.sent",
        "sweep.order.acked",
    } <= set(topics)  # fmt: skip
    assert transfer.trace_id == order.trace_id
    assert len(told) > 3
    assert set(told[1:]) == {order.trace_id}
    assert order.order_id.encode() in held
    titles = [one.title for one in way]
    assert titles[:3] == ["The balance came", "Decided", f"Ordered as {order.order_id}"]
    assert titles.index("Handed to the bank") < titles.index("The bank: ACSP")
    assert titles.index("The bank: ACSP") < titles.index("Booked out")
    assert titles[-1] == "Back with interest"
    assert {one.message_id for one in way if one.title.startswith("Handed to")} == {message}
    assert all(one.message_id for one in way if one.title.startswith(("The b", "Booked", "Back")))


def test_an_answer_that_is_lost_is_asked_for_and_nothing_is_sent_twice(walk: Walk) -> None:
    """The bank takes the order and its answer does not arrive."""
    walk.trouble(kind="accept_then_timeout", count=1)
    order = sent(walk)
    walk.hear()
    for _ in range(3):
        walk.bank.advance(seconds=120)
        with walk.now():
            lines.enquire_unknown(tenant=walk.tenant)
            drain(tenant=walk.tenant)
        walk.leave()
        walk.hear()
    assert walk.order().state == "ACK"
    walk.until(datetime.combine(order.settles_on + timedelta(days=1), time(8, 0), NEW_YORK))
    walk.hear()
    assert walk.bank.executed() == {order.order_id: 1}
    assert walk.order().settlement == "SETTLED"


def test_what_the_bank_refuses_leaves_the_money_where_it_is(walk: Walk) -> None:
    walk.trouble(kind="reject", code="AC06")
    order = sent(walk)
    walk.hear()
    order = walk.order()
    assert (order.state, order.reason.partition(":")[2][:28]) == (
        "FAILED",
        " The bank answered RJCT AC06",
    )
    assert walk.bank.executed() == {}
    with walk.at_home():
        assert invariants() == []
