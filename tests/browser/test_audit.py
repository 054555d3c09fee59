"""The audit explorer in a browser: keys, a badge that follows the job, small screens."""

import pytest
from playwright.sync_api import Page, expect

from core.audit import chain, verification
from core.identity.models import User
from tests.browser.conftest import Office, OpenDesk
from tests.conftest import make_user
from tests.treasury.movement.conftest import approve, propose
from treasury.models import Proposal


@pytest.fixture
def auditor(office: Office) -> User:
    with office.as_system():
        return make_user("auditor", "auditor")


@pytest.fixture
def approved(office: Office) -> Proposal:
    with office.acting(office.maker):
        proposal = propose(office.house, office.maker)
    approve(office.tenant, proposal, office.checker)
    return proposal


def overflow_of(page: Page) -> int:
    wide: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wide


def test_a_key_asks_for_a_verification_and_the_badge_follows_the_job(
    office: Office, approved: Proposal, auditor: User, open_desk: OpenDesk
) -> None:
    page = open_desk(auditor, "/audit")
    expect(page.locator("#standing")).to_contain_text("Not verified yet")
    page.keyboard.press("v")
    expect(page.locator("#standing")).to_contain_text("Being verified")
    chain.seal_all(tenant=office.tenant)
    verification.carry_out(tenant=office.tenant)
    expect(page.locator("#standing")).to_contain_text("Intact")
    page.wait_for_timeout(2_500)
    assert page.locator("#standing").count() == 1


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_story_of_a_thing_fits_a_small_screen(
    office: Office, approved: Proposal, auditor: User, open_desk: OpenDesk, look: str
) -> None:
    small = {"viewport": {"width": 360, "height": 740}, "color_scheme": look}
    for path in ("/audit", f"/audit/things/{approved.pk}", f"/proposals/{approved.pk}"):
        page = open_desk(auditor, path, **small)
        expect(page.locator("h1")).to_be_visible()
        assert overflow_of(page) <= 0, path
