"""The page of an account's risk in a browser: the chart is drawn, also on a small screen."""

from datetime import timedelta

import numpy as np
from playwright.sync_api import expect

from core import clock
from risk.services.measuring import measure_account
from tests.browser.conftest import Office, OpenDesk
from tests.conftest import make_user
from tests.liquidity.books import book, state_balance

DAYS = 250


def test_flows_are_drawn_against_the_figure(office: Office, open_desk: OpenDesk) -> None:
    now = clock.now()
    draws = np.random.default_rng(5).standard_t(3, size=DAYS) * 10_000
    with office.as_system():
        officer = make_user("officer", "risk_officer")
        account = office.house.far
        days = [now.date() - timedelta(days=back) for back in range(DAYS, 0, -1)]
        book(account, [(day, f"{draw:.2f}") for day, draw in zip(days, draws, strict=True)])
        state_balance(account, "5000000.00", as_of=now)
        reading = measure_account(account_id=account.pk, now=now)
        exceedances = reading.backtest.exceedances
    page = open_desk(officer, "/risk")
    page.get_by_role("link", name=account.label).click()
    expect(page.locator("[data-risk-chart] canvas")).to_be_visible()
    expect(page.get_by_text("lost more than foretold")).to_be_visible()
    page.get_by_role("button", name="As a table").click()
    expect(page.locator("[data-chart-rows]")).to_be_visible()
    expect(page.locator("[data-chart-rows] tbody tr")).to_have_count(max(exceedances, 1))
    small = open_desk(officer, f"/risk/{account.pk}", viewport={"width": 360, "height": 740})
    expect(small.locator("[data-risk-chart] canvas")).to_be_visible()
    assert small.evaluate("document.documentElement.scrollWidth") <= 360
