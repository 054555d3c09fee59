"""Saving in the admin proposes; the change has a page on which everything about it is said."""

import pytest

from calendars.models import Holiday
from core.changes.models import ChangeRequest, ChangeState
from core.identity.models import User
from core.policies.models import PolicyVersion
from core.tenancy import Tenant
from tests.core.changes.conftest import House, furnished
from tests.core.changes.test_changes import KNOB
from tests.tms.desk.conftest import client_of
from treasury.models import Bank, LegalEntity

pytestmark = pytest.mark.django_db


BANK = {"bic": "BNPAFRPP", "name": "Spare Bank", "country": "FR", "connection": ""}


def test_before_the_opening_one_person_enters_a_bank(tenant: Tenant) -> None:
    house = furnished(tenant.pk)
    answer = client_of(house.clerk).post("/admin/treasury/bank/add/", BANK)
    assert answer.status_code == 302
    assert Bank.objects.filter(bic="BNPAFRPP").exists()


def test_afterwards_it_waits_for_another_person(house: House) -> None:
    client = client_of(house.clerk)
    facts = BANK | {"change_reason": "A second bank."}
    page = client.post("/admin/treasury/bank/add/", facts, follow=True).content.decode()
    assert "Your change waits for another person: New bank: Spare Bank." in page
    assert "successfully" not in page
    assert not Bank.objects.filter(bic="BNPAFRPP").exists()
    change = ChangeRequest.objects.get()
    house.decide(change)
    assert Bank.objects.filter(bic="BNPAFRPP").exists()


def test_the_form_asks_why(house: House) -> None:
    client = client_of(house.clerk)
    assert "change_reason" in client.get("/admin/treasury/bank/add/").content.decode()
    answer = client.post("/admin/treasury/bank/add/", BANK)
    assert answer.status_code == 200
    assert not ChangeRequest.objects.exists()


def test_correcting_a_company_is_a_change_too(house: House) -> None:
    facts = {
        "name": "North Remit Limited", "lei": "529900T8BM49AURSDO55", "street": "High Street",
        "building_number": "", "post_code": "", "town": "Leeds", "country": "GB",
        "change_reason": "We moved.",
    }  # fmt: skip
    page = f"/admin/treasury/legalentity/{house.entity.pk}/change/"
    assert client_of(house.clerk).post(page, facts).status_code == 302
    change = ChangeRequest.objects.get()
    assert set(change.after) == {"street", "town"}
    house.decide(change)
    assert LegalEntity.objects.get().town == "Leeds"


def test_a_list_action_becomes_one_change(house: House) -> None:
    chosen = list(Holiday.objects.filter(calendar__code="FED")[:2])
    facts = {
        "action": "confirm_selected",
        "_selected_action": [str(one.pk) for one in chosen],
        "reason": "",
    }
    assert client_of(house.clerk).post("/admin/calendars/holiday/", facts).status_code == 302
    change = ChangeRequest.objects.get()
    assert len(change.rows) == 2
    assert change.reason == "Confirm selected holidays"
    house.decide(change)
    statuses = Holiday.objects.filter(pk__in=[one.pk for one in chosen])
    assert set(statuses.values_list("status", flat=True)) == {"CONFIRMED"}


def test_roles_are_given_by_two(house: House) -> None:
    from django.contrib.auth.models import Group

    wanted = Group.objects.get(name="treasury_checker")
    page = f"/admin/core/user/{house.clerk.pk}/change/"
    facts = {"groups": [wanted.pk], "change_reason": "Changes desks."}
    assert client_of(house.admin).post(page, facts).status_code == 302
    assert house.clerk.roles == {"static_data"}
    change = ChangeRequest.objects.get()
    assert change.action == "control"
    house.decide(change, house.manager)
    assert house.clerk.roles == {"treasury_checker"}


def test_one_person_switches_off_and_two_switch_on(house: House) -> None:
    client = client_of(house.admin)

    def press(button: str) -> None:
        facts = {"action": button, "_selected_action": [str(house.both.pk)]}
        assert client.post("/admin/core/user/", facts).status_code == 302

    press("switch_off")
    assert not User.objects.get(pk=house.both.pk).is_active
    assert not ChangeRequest.objects.exists()
    press("switch_on")
    assert not User.objects.get(pk=house.both.pk).is_active
    house.decide(ChangeRequest.objects.get(), house.manager)
    assert User.objects.get(pk=house.both.pk).is_active


def test_a_policy_is_changed_by_two(house: House) -> None:
    facts = {"key": KNOB.key, "value": "7", "reason": "A trial."}
    answer = client_of(house.admin).post("/admin/core/policyversion/add/", facts)
    assert answer.status_code == 302
    assert not PolicyVersion.objects.filter(key=KNOB.key).exists()
    house.decide(ChangeRequest.objects.get(), house.manager)
    assert PolicyVersion.objects.get(key=KNOB.key).value == "7"


def test_the_page_of_a_change_shows_old_and_new(house: House) -> None:
    change = house.propose()
    client = client_of(house.manager)
    shown = client.get(f"/admin/core/changerequest/{change.pk}/change/").content.decode()
    for words in ("0.0000", "250000.0000", "The bank asks for more.", "Clerk", "Open the request"):
        assert words in shown
    assert change.title in client.get("/admin/core/changerequest/").content.decode()


def test_its_maker_withdraws_it_there(house: House) -> None:
    change = house.propose()
    page = f"/admin/core/changerequest/{change.pk}/withdraw/"
    client_of(house.clerk).post(page)
    change = ChangeRequest.objects.get(pk=change.pk)
    assert change.state == ChangeState.CANCELLED


def test_an_administrator_opens_the_tenant(tenant: Tenant) -> None:
    house = furnished(tenant.pk)
    client_of(house.admin).post(f"/admin/core/tenant/{tenant.pk}/open/")
    tenant.refresh_from_db()
    assert tenant.opened_at is not None
