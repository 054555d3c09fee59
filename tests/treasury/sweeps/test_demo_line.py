"""The demo's line to its fund can be agreed on: payee, rail and bytes fit."""

import pytest

from core import policies
from core.identity.models import User
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.sweeps.conftest import Sweeping
from tms.demo import payees
from tms.demo import sweeping as demo
from tms.demo.accounts import demo_accounts
from treasury.models import SweepLine
from treasury.policies import COOL_OFF_HOURS


@scene
def listed(sweeping: Sweeping, user_with: MakeUser) -> list[User]:
    """The people of the demo who keep payees, and their list."""
    people = [
        user_with("static_data", name=payees.KEEPER),
        user_with("back_office", name=payees.VERIFIER),
    ]
    payees.make_payees()
    return people


@pytest.mark.usefixtures("listed")
def test_the_overnight_money_of_the_demo_goes_to_its_fund(sweeping: Sweeping) -> None:
    accounts = demo_accounts(1)
    demo.make_line(accounts=accounts, ids={one.number: sweeping.account.pk for one in accounts})
    line = SweepLine.objects.get()
    assert (line.product.code, line.payee, line.rail) == ("FED_RRP", payees.FUND, "FEDWIRE")
    # All payees of the demo are new: with a day's rest nothing would leave on its first day.
    assert policies.get(COOL_OFF_HOURS) == 1
