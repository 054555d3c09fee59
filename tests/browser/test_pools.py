"""The pages of cash pools in a browser: bars are drawn, in both colours, also on a small screen."""

import pytest
from playwright.sync_api import Page, expect

from core import clock
from tests.browser.conftest import Office, OpenDesk
from tests.treasury.pools.conftest import MORNING, build_pooled
from treasury.models import PoolRun

SMALL = {"width": 360, "height": 740}


@pytest.fixture
def run(office: Office) -> PoolRun:
    """The run of a pool on a Tuesday."""
    with clock.frozen(MORNING), office.as_system():
        return build_pooled(office.house).run()


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_run_is_drawn_and_leads_to_its_proposals(
    office: Office, run: PoolRun, open_desk: OpenDesk, scheme: str
) -> None:
    page = open_desk(office.maker, "/pools", color_scheme=scheme)
    page.get_by_role("link", name="Tue 17 Nov 2026").click()
    expect(page.locator(".pool-after").first).to_be_visible()
    expect(page.get_by_text("goes up to Pool header from 2 accounts")).to_be_visible()
    expect(page.get_by_text("Identical")).to_be_visible()
    page.get_by_role("link", name="FMP-000001").click()
    expect(page.get_by_text("Pounds of the group: Trading is forecast")).to_be_visible()
    for address in ("/pools", f"/pools/{run.pool_id}", f"/pools/runs/{run.pk}"):
        small = open_desk(office.maker, address, viewport=SMALL, color_scheme=scheme)
        expect(small.locator("h1")).to_be_visible()
        _fits(small)
