"""One day of the desk in a browser, with the sandbox bank in a process of its own.

Rupees are needed, a deal is suggested, drafted, approved, dealt, confirmed, paid and received; the
bank's entries settle it, the exposure is closed and the profit is on the page. Time is a clock
that all processes share, on the first day when New York and Mumbai are both open.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, expect

from calendars import selectors as calendars
from calendars import services as calendar_services
from core import clock
from core.events.drain import drain
from core.identity.models import User
from core.tenancy import Tenant, bound
from fx.engine.pairs import parse_pair
from fx.models import Deal
from fx.services.exposing import watch_exposure
from fx.services.rates import Origin, RateIn, record_rates
from fx.services.settling import follow_open
from fx.services.sources import FEED, install_usual_sources
from fx.services.suggesting import suggest_all
from integrations import services as lines
from tests.approvals.stepping import code_of
from tests.browser.conftest import OpenDesk, served
from tests.conftest import make_user
from tests.fx.settling import Settling, build_settling
from tests.fx.test_settlement_walk import INR, USD
from tests.treasury.sweeps.test_demo_connector import SECRET
from tests.treasury.sweeps.test_paying_walk import bank
from tms.demo.bank import SandboxBank
from treasury.models import Task
from treasury.selectors.invariants import invariants
from treasury.services import flows, transfers
from treasury.services.flows import FlowIn

__all__ = ["bank"]

ACTOR = "system:test"
MORNING = time(4, 30)  # 10:00 in Mumbai
EVENING = time(20, 0)  # 15:00 in New York
NEED = Decimal("900000000.00")  # 500 million are there
MIDDLE, BETTER_BY = Decimal("85.0000"), Decimal("0.02")
DEALT_AT = "85.0200"  # two paise a dollar better for us than the middle of the market


@pytest.fixture(scope="module")
def clock_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clock that this process and the server read, and that can be moved forward."""
    path = tmp_path_factory.mktemp("clock") / "clock.json"
    clock.configure(path)
    yield path
    clock.configure(django_settings.TMS_CLOCK_FILE)


@pytest.fixture(scope="module")
def address(django_db_setup: None, clock_file: Path) -> Iterator[str]:
    with served(clock_file) as url:
        yield url


@dataclass(slots=True)
class Day:
    """The desk, its bank, and what beat and the workers do."""

    tenant: UUID
    bank: SandboxBank
    settling: Settling

    @contextmanager
    def as_system(self) -> Iterator[None]:
        with bound(self.tenant, actor=ACTOR):
            yield

    def until(self, moment: datetime) -> None:
        """Let time go on, at the bank too."""
        self.bank.advance(seconds=(moment - self.bank.now()).total_seconds())
        clock.advance(moment - clock.now())
        self.price()

    def price(self) -> None:
        """Let the feed quote."""
        rate = RateIn(
            row=1, pair=parse_pair("USD/INR"), bid=Decimal("84.9950"), ask=Decimal("85.0050"),
            as_of=clock.now(),
        )  # fmt: skip
        with self.as_system():
            record_rates(
                origin=Origin(source=FEED, name="feed", data=repr(rate).encode(), received_from=""),
                rates=[rate],
            )

    def work(self) -> None:
        """Fetch, send and deliver."""
        self.bank.advance(seconds=5)
        clock.advance(timedelta(seconds=5))
        for _ in range(2):
            lines.collect_inbound(tenant=self.tenant)
            drain(tenant=self.tenant)
            transfers.execute_due(tenant=self.tenant)
            lines.dispatch_due(tenant=self.tenant)
            drain(tenant=self.tenant)
        with self.as_system():
            follow_open()
            watch_exposure(now=clock.now())
            suggest_all(now=clock.now())

    def hear(self) -> None:
        """Let both banks report, and work."""
        for account in (USD, INR):
            self.bank.report(account=account["number"])
        self.work()
        self.work()

    def the_deal(self) -> Deal:
        with self.as_system():
            return Deal.objects.get()

    def manager(self) -> User:
        with self.as_system():
            return make_user("manager", "treasury_manager")

    def counterparty_pays(self) -> None:
        deal = self.the_deal()
        step: dict[str, Any] = {
            "do": "book",
            "after_seconds": 1,
            "account": INR["number"],
            "amount": f"{deal.quote_amount:.2f}",
            "name": "Dealing Bank",
            "text": "FX",
            "end_to_end_id": "THEIRS-1",
        }
        self.bank.plan([step])
        self.bank.advance(seconds=2)


@pytest.fixture
def day(
    committed_tenant: UUID, bank: SandboxBank, clock_file: Path, tmp_path: Path, settings: Any
) -> Day:
    """A morning on which 400 million rupees are missing."""
    settings.TMS_SIGNING_DIR = str(tmp_path / "signing")
    bank.put_accounts(
        [{**USD, "opening_balance": "5000000.00"}, {**INR, "opening_balance": "500000000.00"}]
    )
    with bound(committed_tenant, actor=ACTOR):
        years = (clock.now().year, clock.now().year + 1)
        calendar_services.install_reference_calendars(years=years)
        morning = datetime.combine(_open_day(clock.now().date()), MORNING, UTC)
    # What the accounts hold was stated at the end of the day before.
    eve = morning - timedelta(days=1)
    if eve > clock.now():
        clock.advance(eve - clock.now())
    with bound(committed_tenant, actor=ACTOR):
        line = lines.ConnectionIn(
            code="host", name="API", kind="HTTP", base_url=bank.base_url, secret=SECRET,
            rate_per_minute=6_000,
        )  # fmt: skip
        settling = build_settling(Tenant.objects.get(pk=committed_tenant), line)
        install_usual_sources()
    found = Day(tenant=committed_tenant, bank=bank, settling=settling)
    found.until(morning)
    with found.as_system():
        flows.put_expected_flow(
            flow=FlowIn(
                account_id=settling.desk.accounts["INR"].pk,
                source="PAYOUT",
                source_ref="PLAN-1",
                amount=-NEED,
                value_date=clock.today("Asia/Kolkata"),
                description="Payouts of the day",
            )
        )
    return found


@pytest.fixture
def office(day: Day) -> Day:
    """The desk is all there is of the house."""
    return day


def _open_day(today: date) -> date:
    found = today + timedelta(days=1)
    while not all(calendars.calendar_data(code).is_open(found) for code in ("FED", "MUMBAI_FX")):
        found += timedelta(days=1)
    return found


def _approve(page: Page, day: Day, checker: User) -> None:
    page.goto("/approvals")
    page.keyboard.press("a")
    with day.as_system():
        code = code_of(checker)
    expect(page.get_by_label("Six digits of your authenticator")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator(".toast-success")).to_contain_text("Approved")


def _draft(page: Page) -> str:
    """Make the draft of what is suggested, and submit it; return where it is shown."""
    page.goto("/fx/suggestions")
    expect(page.get_by_role("heading", name="INR")).to_contain_text("400,000,000.00")
    page.get_by_role("button", name="Make a draft").first.click()
    expect(page.get_by_role("heading", name="FXD-000001")).to_be_visible()
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.get_by_text("Waits for approval").first).to_be_visible()
    return page.url


def _deal(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("All-in rate").fill(DEALT_AT)
    page.get_by_label("Counterparty's reference").fill("CP-1")
    page.get_by_role("button", name="Record the deal").click()
    expect(page.get_by_text("Executed").first).to_be_visible()


def _confirm(page: Page, deal: Deal) -> None:
    for label, value in (
        ("Pair", "USD/INR"),
        ("USD", f"{deal.base_amount:.2f}"),
        ("INR", f"{deal.quote_amount:.2f}"),
        ("Value date", deal.value_date.isoformat()),
        ("Their reference", "CP-1"),
    ):
        page.get_by_label(label, exact=True).fill(value)
    page.locator("#c-rate").fill(DEALT_AT)
    page.locator("#c-side").select_option("SELL")
    page.get_by_role("button", name="Hold it against the deal").click()
    expect(page.get_by_text("Confirmed").first).to_be_visible()


def _value(page: Page, gain: str) -> None:
    page.get_by_role("button", name="Value now").click()
    expect(page.locator("main")).to_contain_text(gain)


def test_one_day_from_the_need_to_the_profit(day: Day, open_desk: OpenDesk) -> None:
    desk = day.settling.desk
    day.work()
    dealer = open_desk(desk.dealer, "/fx/exposure")
    expect(dealer.locator("main")).to_contain_text("400,000,000.00")
    address = _draft(dealer)
    checker = open_desk(desk.checker, "/approvals")
    _approve(checker, day, desk.checker)
    _deal(dealer, address)
    deal = day.the_deal()
    back = open_desk(desk.back_office, address)
    _confirm(back, deal)
    gain = f"{deal.base_amount * BETTER_BY / MIDDLE:,.2f}"
    _value(open_desk(day.manager(), "/fx/valuation"), gain)

    day.work()
    _approve(checker, day, desk.checker)
    day.work()
    day.until(datetime.combine(deal.value_date, EVENING, UTC))
    day.hear()
    back.goto("/fx/settlements")
    expect(back.locator("main")).to_contain_text("one leg only")
    day.counterparty_pays()
    day.hear()

    back.goto(address)
    expect(back.get_by_text("Settled").first).to_be_visible()
    expect(back.get_by_role("row", name=re.compile(rf"\bRealised {gain}"))).to_be_visible()
    dealer.goto("/fx/exposure")
    expect(dealer.locator("main")).not_to_contain_text("400,000,000.00")
    dealer.goto("/fx/suggestions")
    expect(dealer.get_by_text("Nothing to buy")).to_be_visible()
    with day.as_system():
        assert day.the_deal().state == "SETTLED"
        assert not Task.objects.open().exists()
        assert [one for one in invariants() if one.code != "account_overdrawn"] == []
