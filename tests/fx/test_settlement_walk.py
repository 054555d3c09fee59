"""One deal from the dealer to the banks' entries, with the sandbox bank in its own process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest

from calendars import selectors as calendars
from calendars import services as calendar_services
from core import clock
from core.events.drain import drain
from core.tenancy import Tenant, bound
from fx.engine.pairs import parse_pair
from fx.models import Deal, DealLeg, SettlementAlarm
from fx.services.rates import Origin, RateIn, record_rates
from fx.services.settling import follow_open
from fx.services.sources import FEED, install_usual_sources
from integrations import services as lines
from tests.fx.settling import Settling, fresh, leg
from tests.fx.settling import build_settling as build
from tests.treasury.sweeps.test_demo_connector import ACCOUNT, SECRET
from tests.treasury.sweeps.test_paying_walk import bank
from tms.demo.bank import SandboxBank
from treasury.models import Task
from treasury.selectors.invariants import invariants
from treasury.services import transfers

__all__ = ["bank"]

ACTOR: Final = "system:test"
USD: Final = {**ACCOUNT, "number": "4010000000", "channel": "http"}
INR: Final = {
    **USD,
    "bank_bic": "SBNKINBBXXX",
    "number": "4010000004",
    "clearing_system": "INFSC",
    "clearing_code": "SBNK0000001",
    "currency": "INR",
    "timezone": "Asia/Kolkata",
}


@dataclass(slots=True)
class Walk:
    """A house that deals, with its banks; our clock is theirs."""

    tenant: UUID
    bank: SandboxBank
    settling: Settling

    @contextmanager
    def at_home(self) -> Iterator[None]:
        with clock.frozen(self.bank.now()), bound(self.tenant, actor=ACTOR):
            yield

    def work(self) -> None:
        """Fetch, send, deliver and follow, as the workers do."""
        self.bank.advance(seconds=5)
        with clock.frozen(self.bank.now()):
            lines.collect_inbound(tenant=self.tenant)
            drain(tenant=self.tenant)
            transfers.execute_due(tenant=self.tenant)
            lines.dispatch_due(tenant=self.tenant)
            drain(tenant=self.tenant)
        with self.at_home():
            follow_open()

    def hear(self) -> None:
        """Let both banks report, and work."""
        for account in (USD, INR):
            self.bank.report(account=account["number"])
        self.work()
        self.work()

    def pays(self, one: DealLeg) -> None:
        """Let the counterparty pay what it owes."""
        step: dict[str, Any] = {
            "do": "book",
            "after_seconds": 1,
            "account": INR["number"],
            "amount": f"{one.amount:.2f}",
            "name": "Dealing Bank",
            "text": "FX",
            "end_to_end_id": "THEIRS-1",
        }
        self.bank.plan([step])
        self.bank.advance(seconds=2)


@pytest.fixture
def walk(committed_tenant: UUID, bank: SandboxBank, tmp_path: Any, settings: Any) -> Walk:
    """A house with fresh prices on a morning when New York and Mumbai are open."""
    settings.TMS_SIGNING_DIR = str(tmp_path / "signing")
    bank.put_accounts([{**USD, "opening_balance": "5000000.00"}, INR])
    with clock.frozen(bank.now()), bound(committed_tenant, actor=ACTOR):
        years = (clock.now().year, clock.now().year + 1)
        calendar_services.install_reference_calendars(years=years)
        settling = build(
            Tenant.objects.get(pk=committed_tenant),
            lines.ConnectionIn(
                code="host",
                name="API",
                kind="HTTP",
                base_url=bank.base_url,
                secret=SECRET,
                rate_per_minute=6_000,
            ),
        )
        day = clock.now().date() + timedelta(days=1)
        while not all(calendars.calendar_data(code).is_open(day) for code in ("FED", "MUMBAI_FX")):
            day += timedelta(days=1)
    bank.advance(seconds=(datetime.combine(day, time(14, 0), UTC) - bank.now()).total_seconds())
    with clock.frozen(bank.now()), bound(committed_tenant, actor=ACTOR):
        install_usual_sources()
        rate = RateIn(
            row=1, pair=parse_pair("USD/INR"), bid=Decimal("84.9950"), ask=Decimal("85.0050"),
            as_of=clock.now(),
        )  # fmt: skip
        record_rates(
            origin=Origin(source=FEED, name="w", data=b"w", received_from="test"), rates=[rate]
        )
    return Walk(tenant=committed_tenant, bank=bank, settling=settling)


def test_from_the_dealer_to_settled(walk: Walk) -> None:
    with walk.at_home():
        deal = walk.settling.confirmed()
    walk.work()  # the confirmation is heard, and the payment proposed
    with walk.at_home():
        assert leg(deal, 1).state == "INSTRUCTED"
        walk.settling.approve(deal)
    walk.work()
    walk.bank.advance(seconds=3 * 3_600)
    walk.hear()
    with walk.at_home():
        paid, open_leg = leg(deal, 1), leg(deal, 2)
        assert (paid.state, open_leg.state, fresh(deal).state) == (
            "SETTLED", "EXPECTED", "CONFIRMED",
        )  # fmt: skip
        assert SettlementAlarm.objects.filter(closed_at=None).count() == 1
    walk.pays(open_leg)
    walk.hear()
    with walk.at_home():
        settled: Deal = fresh(deal)
        assert (leg(deal, 2).state, settled.state) == ("SETTLED", "SETTLED")
        assert not SettlementAlarm.objects.filter(closed_at=None).exists()
        assert walk.bank.executed() == {paid.reference: 1}
        assert list(Task.objects.open().values_list("kind", "detail")) == []
        assert invariants() == []
