"""How a bank is read changes under four eyes, whichever way it is wished."""

import pytest

from core.changes.models import ChangeRequest, ChangeState
from core.changes.services import open_tenant, propose_change
from core.errors import Invalid
from core.tenancy import Tenant, bound
from integrations import services
from integrations.models import BankConnection, BankProfile
from integrations.services.mapping import propose_mapping
from tests.core.changes.conftest import House, furnished
from tests.scenes import scene

SHEET = {"columns": {"booked": "Date", "amount": "Amount"}, "account": "1", "currency": "EUR"}


@scene
def house_with_a_line(tenant: Tenant) -> House:
    made = furnished(tenant.pk)
    wish = services.ConnectionIn(
        code="line", name="Line", kind="HTTP", base_url="https://bank.example"
    )
    services.save_connection(wish=wish)
    open_tenant(actor=made.admin)
    return made


def test_a_mapping_waits_for_another_person(house_with_a_line: House) -> None:
    house = house_with_a_line
    with bound(house.tenant, actor=house.clerk.pk):
        change = propose_mapping(
            connection_code="line", sheet=SHEET, maker=house.clerk, reason="First file"
        )
    assert isinstance(change, ChangeRequest)
    assert not BankProfile.objects.exists()
    assert house.decide(change).state == ChangeState.APPLIED
    line = BankConnection.objects.get()
    assert line.profile is not None
    assert line.profile.reading == {"sheet": SHEET}


def test_a_profile_is_proposed_as_values_too(house_with_a_line: House) -> None:
    house = house_with_a_line
    values = {"code": "house", "name": "House", "reading": '{"mt_reversals": "own"}'}
    with bound(house.tenant, actor=house.clerk.pk):
        change = propose_change(
            model="bankprofile", row_id=None, values=values, maker=house.clerk, reason="New bank"
        )
        with pytest.raises(Invalid):
            propose_change(
                model="bankprofile",
                row_id=None,
                values=values | {"code": "other", "reading": {"colour": "blue"}},
                maker=house.clerk,
                reason="New bank",
            )
    assert house.decide(change).state == ChangeState.APPLIED
    assert BankProfile.objects.get().reading == {"mt_reversals": "own"}
