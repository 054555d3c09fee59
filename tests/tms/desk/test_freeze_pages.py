"""The emergency stop as people see it: a button, a banner everywhere, two others to release it."""

import pytest
from django.urls import reverse

from core.identity.models import User
from core.tenancy import Tenant
from tests.conftest import MakeUser
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import House, propose
from treasury.models import Freeze, FreezeState

PAYMENT_PAGES = (
    "treasury:proposals",
    "treasury:transfers",
    "treasury:prefunding",
    "treasury:position",
    "approvals:inbox",
    "desk",
)


def _stop(client: object) -> None:
    client.post(reverse("treasury:stop-outflows"), {"reason": "A strange payment"})  # type: ignore[attr-defined]


def test_one_person_stops_and_everybody_sees_it(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    assert "stop-dialog" in client.get(reverse("treasury:transfers")).content.decode()
    _stop(client)
    other = signed_in(checker)
    for name in PAYMENT_PAGES:
        page = other.get(reverse(name)).content.decode()
        assert "All outflows are stopped" in page, name
        assert "A strange payment" in page, name
        assert "stop-dialog" not in page, name
    proposal = propose(house, maker)
    page = other.get(reverse("treasury:proposal", args=[proposal.pk])).content.decode()
    assert "banner-frozen" in page


def test_nothing_is_red_when_nothing_is_stopped(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    assert "banner-frozen" not in signed_in(maker).get("/transfers").content.decode()
    assert "Nothing was ever stopped" in signed_in(maker).get("/freeze").content.decode()


def test_without_a_reason_or_a_role_nothing_stops(
    house: House, maker: User, user_with: MakeUser, signed_in: SignedIn
) -> None:
    signed_in(maker).post(reverse("treasury:stop-outflows"), {"reason": ""})
    auditor = signed_in(user_with("auditor", name="auditor"))
    assert "stop-dialog" not in auditor.get(reverse("treasury:transfers")).content.decode()
    _stop(auditor)
    assert not Freeze.objects.exists()


def test_the_release_waits_in_the_inbox_of_others(
    house: House, tenant: Tenant, maker: User, checker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    _stop(client)
    held = Freeze.objects.get()
    address = reverse("treasury:release-outflows", args=[held.pk])
    client.post(address, {"reason": "It was a drill"})
    held = Freeze.objects.get()
    assert held.state == FreezeState.RELEASING
    assert "The release waits for approval." in client.get("/freeze").content.decode()
    inbox = signed_in(checker).get(reverse("approvals:inbox")).content.decode()
    assert "Release all outflows" in inbox


@pytest.mark.parametrize("path", ["/api/v1/freezes"])
def test_the_api_stops_and_asks_too(
    house: House, maker: User, checker: User, signed_in: SignedIn, path: str
) -> None:
    client = signed_in(maker)
    answer = client.post(
        path,
        {"reason": "A strange payment"},
        content_type="application/json",
        headers={"Idempotency-Key": "stop-1"},
    )
    assert answer.status_code == 201
    asked = signed_in(checker).post(
        f"{path}/{answer.json()['id']}/release",
        {"reason": "It was a drill"},
        content_type="application/json",
        headers={"Idempotency-Key": "release-1"},
    )
    assert asked.json()["state"] == FreezeState.RELEASING
