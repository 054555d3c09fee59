"""Sweeps in a browser: windows, why money moves, the ladder, one decision and its replay."""

import re
from datetime import timedelta

from playwright.sync_api import expect

from core import clock
from tests.browser.conftest import Office, OpenDesk
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import QUARTER_PAST, make_mandate, make_products, read_risk
from treasury.models import SweepOrder
from treasury.selectors import sweeps as reads
from treasury.services import sweeps

YEARS = timedelta(days=3_650)


def prepare(office: Office) -> None:
    """Let the dollar account sweep, with a million on it at a window that is over."""
    with clock.frozen(QUARTER_PAST), office.as_system():
        account = office.house.usd
        make_products()
        put_balance(account, "1000000.00", at=QUARTER_PAST + timedelta(microseconds=1))
        read_risk(account)
        make_mandate(account, valid_until=QUARTER_PAST.date() + YEARS)


def swept(office: Office) -> SweepOrder:
    """Sweep the million into bills."""
    prepare(office)
    account = office.house.usd
    with clock.frozen(QUARTER_PAST + timedelta(seconds=1)), office.as_system():
        window = reads.next_window(now=clock.now())
        order = sweeps.decide_account(account=account, window=window).order
    assert order is not None
    return order


def test_from_the_page_to_the_record_of_a_decision(office: Office, open_desk: OpenDesk) -> None:
    order = swept(office)
    page = open_desk(office.maker, "/sweeps")
    expect(page.get_by_role("heading", name="Today's windows")).to_be_visible()
    account = page.get_by_role("article", name=order.account.label)
    expect(account.get_by_text(re.compile(r"Nothing moves: .+\.|USD go into"))).to_be_visible()
    expect(page.get_by_role("link", name=order.order_id)).to_be_visible()

    page.get_by_role("link", name=order.order_id).click()
    expect(page.get_by_text("Identical")).to_be_visible()
    expect(page.get_by_text("the very same bytes came out")).to_be_visible()
    expect(page.get_by_role("heading", name="The way of this order")).to_be_visible()
    steps = page.locator("[aria-labelledby=way] li")
    expect(steps.first).to_contain_text("The balance came")
    expect(steps.last).to_contain_text(f"Ordered as {order.order_id}")
    expect(page.locator("pre.record").first).to_contain_text('"outcome"')
    expect(page.locator("pre.record").last).to_contain_text('"calendars"')
    expect(page.get_by_role("link", name="Statement", exact=True)).to_be_visible()


def test_it_is_read_on_a_small_screen(office: Office, open_desk: OpenDesk) -> None:
    order = swept(office)
    for path in ("/sweeps", f"/sweeps/decisions/{order.decision_id}"):
        small = open_desk(office.maker, path, viewport={"width": 360, "height": 740})
        expect(small.get_by_role("heading", level=1)).to_be_visible()
        assert small.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_empty_ladder_is_told_in_words(office: Office, open_desk: OpenDesk) -> None:
    prepare(office)
    page = open_desk(office.maker, "/sweeps")
    expect(page.get_by_text("No bills are held.")).to_be_visible()
    expect(page.locator(".ladder-picture")).to_have_count(0)
