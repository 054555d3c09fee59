"""The page of policies: what is in force, since when and why, and the way to change it."""

import csv
from io import StringIO

import pytest
from django.test import Client
from rest_framework.test import APIClient

from core import policies
from core.identity.models import User
from core.policies.standing import standings
from core.tenancy import Tenant, bound
from tests.conftest import MakeUser, make_user
from tests.scenes import scene
from tests.tms.desk.conftest import SignedIn, client_of
from treasury.policies import MAX_BALANCE_AGE_MINUTES, SWEEP_ESG_PREFERENCE


@scene
def admin(user_with: MakeUser) -> User:
    return user_with("tenant_admin")


@pytest.fixture
def changed(tenant: Tenant, admin: User) -> None:
    for minutes, reason in ((45, "fresher"), (30, "fresher still")):
        policies.change(policy=MAX_BALANCE_AGE_MINUTES, value=minutes, actor=admin, reason=reason)


def text_of(client: Client, path: str = "/policies") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.usefixtures("changed")
def test_the_value_in_force_stands_with_who_when_and_why(maker: User, signed_in: SignedIn) -> None:
    page = text_of(signed_in(maker), "/policies?q=balance+age")
    assert "MAX_BALANCE_AGE_MINUTES" in page
    assert "by default 60" in page
    assert "fresher still" in page
    assert "2 versions" in page
    assert "1 to 10,080" in page


@pytest.mark.usefixtures("changed")
def test_what_was_changed_is_found_among_all(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    assert text_of(client).count("data-row ") == len(policies.defined())
    assert text_of(client, "/policies?state=changed").count("data-row ") == 1
    assert "MAX_BALANCE_AGE" not in text_of(client, "/policies?state=default")
    assert "No policy fits" in text_of(client, "/policies?q=no+such+words")


def test_nonsense_is_named_at_its_field(maker: User, signed_in: SignedIn) -> None:
    answer = signed_in(maker).get("/policies?state=sideways")
    assert answer.status_code == 422
    assert "sideways" in answer.content.decode()


@pytest.mark.usefixtures("changed")
def test_they_leave_as_csv(maker: User, signed_in: SignedIn) -> None:
    rows = list(csv.DictReader(StringIO(text_of(signed_in(maker), "/policies?as=csv"))))
    found = {row["key"]: row for row in rows}
    assert set(found) == set(policies.defined())
    assert found["MAX_BALANCE_AGE_MINUTES"]["value"] == "30"
    assert found["MAX_BALANCE_AGE_MINUTES"]["reason"] == "fresher still"
    assert found["SWEEP_ESG_PREFERENCE"]["takes"] == "true, false"


def test_only_the_administration_is_led_to_the_form(
    admin: User, maker: User, signed_in: SignedIn
) -> None:
    assert "policyversion/add" not in text_of(signed_in(maker))
    assert "policyversion/add/?key=SWEEP_ESG_PREFERENCE" in text_of(signed_in(admin))
    form = text_of(signed_in(admin), "/admin/core/policyversion/add/?key=SWEEP_ESG_PREFERENCE")
    assert "In force: false. It takes true, false." in form


@pytest.mark.usefixtures("changed")
def test_another_tenant_sees_its_own(other_tenant: Tenant) -> None:
    with bound(other_tenant.id, actor="system:test"):
        stranger = make_user("stranger", "treasury_maker")
        assert all(one.latest is None for one in standings())
    assert "fresher" not in text_of(client_of(stranger))


@pytest.mark.usefixtures("changed")
def test_a_machine_reads_them(maker: User) -> None:
    client = APIClient()
    client.force_authenticate(maker)
    found = {one["key"]: one for one in client.get("/api/v1/policies").json()}
    assert found["MAX_BALANCE_AGE_MINUTES"] == {
        "key": "MAX_BALANCE_AGE_MINUTES",
        "value": "30",
        "default": "60",
        "bounds": "1 to 10,080",
        "help": MAX_BALANCE_AGE_MINUTES.help,
        "version": 2,
        "changed_at": found["MAX_BALANCE_AGE_MINUTES"]["changed_at"],
        "reason": "fresher still",
    }
    assert found[SWEEP_ESG_PREFERENCE.key]["version"] == 0
    assert found[SWEEP_ESG_PREFERENCE.key]["value"] == "false"
