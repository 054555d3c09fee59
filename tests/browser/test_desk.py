"""The desk in a browser: keyboard, live updates, honesty when they pause, small screens."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from core.identity import step_up
from core.identity.models import User
from tests.approvals.stepping import code_of
from tests.browser.conftest import Office, OpenDesk
from tests.conftest import PASSWORD, make_user
from tests.core.test_step_up import code_now
from tests.treasury.movement.conftest import approve, propose
from treasury.models import Proposal, ProposalState

DRAWING_MS_MAX = 60_000
RUNNING = re.compile(r"\d+ (d|h|min) \d+ (h|min|s)")
PAGES = (
    "/",
    "/position",
    "/forecasts",
    "/shortfalls",
    "/prefunding",
    "/proposals",
    "/transfers",
    "/approvals",
    "/authority",
    "/beneficiaries/readiness",
    "/me/security",
    "/alerts",
    "/rails",
    "/connections/",
)


def proposed(office: Office, amount: str = "2750000.00") -> Proposal:
    with office.acting(office.maker):
        return propose(office.house, office.maker, amount=amount)


def state_of(office: Office, proposal: Proposal) -> str:
    with office.as_system():
        return str(Proposal.objects.get(pk=proposal.pk).state)


def is_live(page: Page) -> None:
    expect(page.locator("[data-live]")).to_have_attribute("data-live", "on")


def test_signing_in_takes_password_and_code(office: Office, open_desk: OpenDesk) -> None:
    with office.as_system():
        anna = make_user("anna", "treasury_checker", password=PASSWORD)
        seed = step_up.hand_out(user=anna)
    page = open_desk(None, "/approvals")
    page.get_by_label("Name").fill("anna@north")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("six digits").fill(code_now(seed))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Approvals")).to_be_visible()
    is_live(page)
    page.get_by_label("account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_checker_decides_with_the_keyboard_alone(office: Office, open_desk: OpenDesk) -> None:
    first, second = proposed(office), proposed(office, "1000000.00")
    page = open_desk(office.checker, "/approvals")
    expect(page.locator("#request-detail")).to_contain_text("2,750,000.00")
    page.keyboard.press("j")
    expect(page.locator("#request-detail .headline").first).to_contain_text("1,000,000.00")
    page.keyboard.press("a")
    dialog = page.locator("#approve-dialog")
    expect(dialog).to_contain_text("1,000,000.00")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert state_of(office, second) == ProposalState.PENDING
    page.keyboard.press("a")
    with office.as_system():
        code = code_of(office.checker)
    expect(page.get_by_label("Six digits of your authenticator")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator(".toast-success")).to_contain_text("Approved and released")
    assert state_of(office, second) == ProposalState.APPROVED

    page.keyboard.press("r")
    page.keyboard.type("Wrong account")
    page.get_by_role("button", name="Reject", exact=True).last.click()
    expect(page.locator(".toast-success")).to_contain_text("Rejected")
    assert state_of(office, first) == ProposalState.REJECTED


def test_the_message_opens_on_the_same_screen(office: Office, open_desk: OpenDesk) -> None:
    made = proposed(office)
    page = open_desk(office.checker, "/approvals")
    page.keyboard.press("m")
    expect(page.locator(".request-message pre")).to_contain_text(made.reference)


def test_a_change_by_somebody_else_appears_by_itself(office: Office, open_desk: OpenDesk) -> None:
    made = proposed(office)
    office.news()
    board = open_desk(office.maker, "/proposals")
    story = open_desk(office.maker, f"/proposals/{made.pk}")
    row = board.locator(f"#proposal-{made.pk}")
    expect(row).to_contain_text("Awaiting approval")
    is_live(board)
    is_live(story)

    approve(office.tenant, made, office.checker)
    expect(row).to_contain_text("Awaiting approval")  # nothing was announced yet
    office.news()

    expect(row).to_contain_text("Approved")
    expect(row.locator(".just-changed")).to_have_count(1)
    expect(story.locator(".timeline")).to_contain_text("Checker")


def test_a_new_request_reaches_the_inbox_and_its_badge(office: Office, open_desk: OpenDesk) -> None:
    page = open_desk(office.checker, "/approvals")
    expect(page.locator(".inbox-list")).to_contain_text("Nothing waits for you")
    is_live(page)
    made = proposed(office)
    office.news()
    expect(page.locator(".inbox-list")).to_contain_text(made.reference)
    expect(page.get_by_role("link", name="Approvals").locator(".count")).to_have_text("1")


def test_a_lost_connection_is_admitted_and_what_was_missed_is_fetched(
    office: Office, open_desk: OpenDesk
) -> None:
    made = proposed(office)
    office.news()
    page = open_desk(office.maker, "/rails")
    sockets: list[WebSocketRoute] = []
    is_cut = False

    def relay(route: WebSocketRoute) -> None:
        sockets.append(route)
        if is_cut:
            route.close()
        else:
            route.connect_to_server()

    page.route_web_socket("**/ws/updates", relay)
    page.goto("/proposals")
    row = page.locator(f"#proposal-{made.pk}")
    expect(row).to_contain_text("Awaiting approval")
    is_live(page)
    banner = page.locator("#live-paused")
    expect(banner).to_be_hidden()

    is_cut = True
    sockets[-1].close()
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("Live updates paused")
    approve(office.tenant, made, office.checker)
    office.news()
    expect(row).to_contain_text("Awaiting approval")

    is_cut = False
    expect(banner).to_be_hidden(timeout=30_000)
    expect(row).to_contain_text("Approved")


def test_silence_counts_as_a_lost_connection(office: Office, open_desk: OpenDesk) -> None:
    page = open_desk(office.maker, "/rails")

    def swallow(route: WebSocketRoute) -> None:
        route.send('{"type": "hello", "sequence": 0}')

    page.route_web_socket("**/ws/updates", swallow)
    page.goto("/proposals")
    is_live(page)
    expect(page.locator("#live-paused")).to_be_visible(timeout=20_000)


def test_a_disabled_person_is_told_and_cut_off(office: Office, open_desk: OpenDesk) -> None:
    page = open_desk(office.maker, "/proposals")
    is_live(page)
    with office.as_system():
        User.objects.filter(pk=office.maker.pk).update(is_active=False)
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fproposals$"), timeout=20_000)
    expect(page.locator("#username")).to_be_visible()


def test_help_lists_the_keys_of_this_page(office: Office, open_desk: OpenDesk) -> None:
    proposed(office)
    page = open_desk(office.checker, "/approvals")
    page.keyboard.press("?")
    keys = page.locator("#help")
    for words in ("Approve", "Reject with a reason", "Next row", "Go to Position"):
        expect(keys).to_contain_text(words)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="Position")).to_be_visible()


def test_letters_typed_into_a_field_are_letters(office: Office, open_desk: OpenDesk) -> None:
    page = open_desk(office.maker, "/proposals/new")
    page.get_by_label("Why").fill("")
    page.get_by_label("Why").press_sequentially("gap ? n")
    expect(page.get_by_label("Why")).to_have_value("gap ? n")
    expect(page.locator("#help")).to_be_hidden()


def test_a_maker_proposes_in_the_browser(office: Office, open_desk: OpenDesk) -> None:
    page = open_desk(office.maker, "/proposals")
    page.keyboard.press("n")
    page.get_by_label("From").select_option(value=str(office.house.near.pk))
    page.get_by_label("To an own account").select_option(value=str(office.house.home.pk))
    page.get_by_label("Amount").fill("12.345")
    page.get_by_label("Why").fill("Payouts of tomorrow")
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.locator(".field-error")).to_contain_text("2 decimals")
    page.get_by_label("Amount").fill("1250000.50")
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.locator(".toast-success")).to_contain_text("waits for its checkers")
    expect(page.locator(".headline").first).to_contain_text("1,250,000.50")


def test_the_form_says_what_the_bank_would_before_it_is_submitted(
    office: Office, open_desk: OpenDesk
) -> None:
    page = open_desk(office.maker, "/proposals/new")
    ask = page.get_by_role("button", name="What would the bank say?")
    ask.click()
    expect(page.locator("#preflight .notice-bad")).to_contain_text("Please fill this in")
    page.get_by_label("From").select_option(value=str(office.house.near.pk))
    page.get_by_label("To an own account").select_option(value=str(office.house.home.pk))
    page.get_by_label("Amount").fill("1250000.50")
    page.get_by_label("Why").fill("Payouts of tomorrow")
    ask.click()
    expect(page.locator("#preflight")).to_contain_text("The bank would take it")
    with office.as_system():
        assert not Proposal.objects.exists()


def test_the_chosen_look_stays(office: Office, open_desk: OpenDesk) -> None:
    page = open_desk(office.maker, "/rails", color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_label("Light or dark").click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(paper) != light
    page.reload()
    assert page.evaluate(paper) != light
    page.get_by_label("Light or dark").click()
    page.get_by_role("button", name="As the system").click()
    assert page.evaluate(paper) == light


def test_countdowns_follow_the_servers_clock(office: Office, open_desk: OpenDesk) -> None:
    made = proposed(office)
    page = open_desk(office.checker, "/approvals")
    left = page.locator("#request-detail .countdown").first
    expect(left).to_have_text(RUNNING)
    before = left.inner_text()
    # Said again until it shows: a real answer on its way may set the clock back in between.
    page.wait_for_function(
        """(later) => {
            const headers = new Headers({"X-Desk-Time": later});
            document.dispatchEvent(new CustomEvent("htmx:after:request",
                {detail: {ctx: {response: {headers}}}}));
            const shown = document.querySelector("#request-detail .countdown");
            return shown && shown.textContent.trim() === "passed";
        }""",
        arg=made.cutoff_at.isoformat(),
        timeout=15_000,
    )
    assert before != "passed"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_small_phone(office: Office, open_desk: OpenDesk, scheme: str) -> None:
    made = proposed(office)
    narrow = {"width": 360, "height": 740}
    page = open_desk(office.checker, "/", viewport=narrow, color_scheme=scheme)
    with office.as_system():
        account = office.house.home.pk
    for path in (*PAGES, f"/proposals/{made.pk}", f"/accounts/{account}", "/approvals?show=recent"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, path
    page.get_by_label("Menu").click()
    expect(page.get_by_role("link", name="Transfers")).to_be_visible()


def test_the_chart_can_be_read_as_a_table(office: Office, open_desk: OpenDesk) -> None:
    page = open_desk(office.maker, f"/accounts/{office.house.home.pk}")
    expect(page.locator("[data-chart] canvas")).to_be_visible()
    page.get_by_role("button", name="As a table").click()
    expect(page.locator("[data-chart]")).to_be_hidden()
    expect(page.locator("[data-chart-rows] tbody tr").first).to_be_visible()


def test_the_api_is_tried_out_beside_the_desk(office: Office, open_desk: OpenDesk) -> None:
    """Under the page's policy, with the session of whoever is signed in."""
    page = open_desk(office.maker, "/docs")
    page.get_by_placeholder("Filter by tag").fill("windows")
    page.get_by_role("button", name="Expand operation").click()
    page.locator("#operations-windows-windows_list .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".responses-inner")).to_contain_text('"rail": "FEDWIRE"')


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_is_read_in_the_colours_of_the_desk(
    browser: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    """Redoc asks for a picture from elsewhere, and is refused it: its console is not looked at.

    It draws all of the API in one go, and indexes all of it before the first thing is found.
    """
    with browser.new_context(base_url=address, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto("/redoc")
        expect(page.get_by_role("heading", name="TMS API")).to_be_visible(timeout=DRAWING_MS_MAX)
        page.get_by_placeholder("Search").press_sequentially("sweep")
        found = page.locator("[data-role='search:results'] [role='menuitem']").first
        expect(found).to_contain_text(re.compile("sweep", re.IGNORECASE), timeout=DRAWING_MS_MAX)
        dark = page.evaluate(
            "getComputedStyle(document.querySelector('.menu-content'))"
            ".backgroundColor === 'rgb(22, 30, 28)'"
        )
        assert dark == (scheme == "dark")


def test_the_admin_lives_with_its_own_policy(office: Office, open_desk: OpenDesk) -> None:
    """A refused script or style would be a complaint of the console, and fail the test."""
    with office.as_system():
        admin = make_user("admin", "tenant_admin")
    page = open_desk(admin, "/admin/")
    for path in ("core/user/", "core/personsession/", "core/accessreview/conflicts/"):
        page.goto(f"/admin/{path}")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#page, #main, main").first).to_be_visible()
