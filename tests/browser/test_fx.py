"""Foreign exchange in a browser: headroom while typing, a deal submitted, small screens."""

from decimal import Decimal

from playwright.sync_api import Page, expect

from core import clock
from fx.models import Counterparty
from fx.selectors import exposure
from fx.services.rates import hand_down
from fx.services.sources import install_usual_sources
from fx.services.suggesting import suggest
from tests.browser.conftest import Office, OpenDesk
from tests.conftest import make_user
from tests.fx.dealing import give_instruction
from tms.demo import pricing
from treasury.models import BankAccount, UsdRate
from treasury.services import flows

PAGES = (
    "/fx/exposure",
    "/fx/deals",
    "/fx/deals/new",
    "/fx/rates",
    "/fx/rates/pair?p=USDINR",
    "/fx/rates/history",
    "/fx/rates/upload",
    "/fx/suggestions",
    "/fx/suggestions/past",
    "/fx/reforecast",
    "/fx/ladder",
    "/fx/fixings",
    "/fx/deals/file",
)


def _open_the_market() -> None:
    """Take a year of rates in, and let the treasury have today's."""
    install_usual_sources()
    pricing.take_the_past(now=clock.now())
    pricing.tick(now=clock.now())
    UsdRate.objects.all().delete()
    hand_down(now=clock.now())


def _need_rupees(account: BankAccount) -> None:
    """Let a billion be needed, and suggest what closes that."""
    flows.put_expected_flow(
        flow=flows.FlowIn(
            account_id=account.pk,
            source="PAYOUT",
            source_ref="P1",
            amount=Decimal("-1000000000.00"),
            value_date=exposure.of_currency("INR", now=clock.now()).cap.until,
            description="Payouts",
        )
    )
    suggest(currency="INR", now=clock.now())


def _take_a_suggestion(page: Page) -> None:
    """Make a draft of the first one and take its ticket down."""
    page.goto("/fx/suggestions")
    page.get_by_role("button", name="Make a draft").first.click()
    expect(page.get_by_role("heading", name="FXD-000002")).to_be_visible()
    expect(page.get_by_text("Made from a suggestion")).to_be_visible()
    with page.expect_download() as ticket:
        page.get_by_role("link", name="Ticket").click()
    assert ticket.value.suggested_filename == "FXD-000002-v1.pdf"


def test_a_deal_is_captured_while_its_headroom_shows(office: Office, open_desk: OpenDesk) -> None:
    house = office.house
    with office.as_system():
        _open_the_market()
        bank = Counterparty.objects.create(code="BANK", name="Dealing Bank", bic="DEALGB2LXXX")
        clerk, other = make_user("clerk", "static_data"), make_user("clerk-two", "static_data")
        give_instruction(bank, "USD", "5020000017", clerk, other)
        dealer = make_user("dealer", "dealer")
        make_user("one-who-checks", "treasury_checker")
        _need_rupees(house.home)
    board = open_desk(dealer, "/fx/rates")
    market = board.locator("[data-live-value='mid-USD/INR']").inner_text()
    page = open_desk(dealer, "/fx/deals/new")
    page.get_by_label("We", exact=True).select_option("SELL")
    page.get_by_label("Pair").select_option("USD/INR")
    page.get_by_label("Exact amount").fill("1000000.00")
    page.get_by_label("At no worse than").fill(market)
    page.get_by_label("With").select_option(label="Dealing Bank")
    page.get_by_label("We pay from").select_option(str(house.usd.pk))
    page.get_by_label("We receive on").select_option(str(house.home.pk))
    page.get_by_label("Why").fill("Rupees for Monday")
    headroom = page.locator("#headroom")
    expect(headroom.get_by_text("Within every limit")).to_be_visible()
    expect(headroom.get_by_text("4,000,000.00")).to_be_visible()
    page.get_by_label("Exact amount").fill("5000000.01")
    expect(headroom.get_by_text("the limit is 5,000,000.00 USD")).to_be_visible()
    page.get_by_label("Exact amount").fill("1000000.00")
    expect(headroom.get_by_text("Within every limit")).to_be_visible()
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.get_by_role("heading", name="FXD-000001")).to_be_visible()
    expect(page.get_by_text("Waits for approval").first).to_be_visible()
    _take_a_suggestion(page)
    small = open_desk(dealer, "/fx/deals", viewport={"width": 360, "height": 740})
    expect(small.get_by_role("link", name="FXD-000001")).to_be_visible()
    for path in PAGES:
        small.goto(path)
        assert small.evaluate("document.documentElement.scrollWidth") <= 360, path
    small.goto("/fx/rates/pair?p=USDINR")
    expect(small.locator("[data-rate-chart] canvas")).to_be_visible()
    small.get_by_role("button", name="As a table").click()
    expect(small.locator("[data-chart-rows]")).to_be_visible()
