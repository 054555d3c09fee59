"""Beneficiaries and their payments as people see them."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from core.identity.models import User
from core.tenancy import Tenant
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import (
    SUPPLIER,
    House,
    approve,
    keeper,
    propose,
    supplier,
)
from treasury.models import Beneficiary, Proposal

__all__ = ["keeper", "supplier"]

FORM = {name: value for name, value in SUPPLIER.items() if name != "currency"}


def text_of(client: Client, name: str, *args: object) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_a_keeper_writes_and_a_checker_verifies(
    house: House, keeper: User, checker: User, signed_in: SignedIn
) -> None:
    client = signed_in(keeper)
    client.post(reverse("treasury:new-beneficiary"), {**FORM, "currency": "usd", "country": "us"})
    made = Beneficiary.objects.get()
    assert (made.currency, made.changed_by) == ("USD", keeper)
    assert "Not verified" in text_of(client, "treasury:beneficiaries")
    page = text_of(client, "treasury:beneficiary", made.pk)
    assert "verify-dialog" not in page
    assert SUPPLIER["number"] not in page

    other = signed_in(checker)
    assert "verify-dialog" in text_of(other, "treasury:beneficiary", made.pk)
    other.post(reverse("treasury:verify-beneficiary", args=[made.pk]))
    assert Beneficiary.objects.get().is_verified


def test_what_does_not_fit_is_explained_beside_its_field(
    house: House, keeper: User, signed_in: SignedIn
) -> None:
    client = signed_in(keeper)
    form = {**FORM, "currency": "USD", "clearing_code": "026009594"}
    answer = client.post(reverse("treasury:new-beneficiary"), form)
    assert "The ABA number is wrong." in answer.content.decode()
    assert 'id="clearing_code-error"' in answer.content.decode()
    assert not Beneficiary.objects.exists()


def test_a_changed_beneficiary_is_typed_whole(
    supplier: Beneficiary, keeper: User, signed_in: SignedIn
) -> None:
    client = signed_in(keeper)
    address = reverse("treasury:change-beneficiary", args=[supplier.pk])
    shown = client.get(address).content.decode()
    assert SUPPLIER["name"] in shown
    assert SUPPLIER["number"] not in shown
    client.post(address, {**FORM, "currency": "USD", "number": "4000000088"})
    assert Beneficiary.objects.get().number_hint == "0088"


@pytest.mark.parametrize("action", ["block", "unblock"])
def test_blocking_says_why_not(
    supplier: Beneficiary, maker: User, signed_in: SignedIn, action: str
) -> None:
    client = signed_in(maker)
    client.post(reverse(f"treasury:{action}-beneficiary", args=[supplier.pk]))
    assert "takes" in text_of(client, "treasury:beneficiary", supplier.pk)
    assert Beneficiary.objects.get().state == "ACTIVE"


def test_a_maker_pays_a_beneficiary_with_the_form(
    house: House, supplier: Beneficiary, maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    assert "Baker Supplies Inc (…0077)" in text_of(client, "treasury:new-proposal")
    form = {
        "debit_account": str(house.usd.pk),
        "beneficiary": str(supplier.pk),
        "amount": "1,250.50",
        "why": "Invoice 7",
    }
    client.post(reverse("treasury:new-proposal"), form)
    made = Proposal.objects.get()
    assert made.beneficiary == supplier
    page = text_of(client, "treasury:proposal", made.pk)
    assert reverse("treasury:beneficiary", args=[supplier.pk]) in page
    assert "Baker Supplies Inc" in text_of(client, "treasury:proposals")
    assert made.reference in text_of(client, "treasury:beneficiary", supplier.pk)


def test_a_maker_types_an_account_in(house: House, maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    form = {**FORM, "debit_account": str(house.usd.pk), "amount": "10", "why": "Once"}
    missing = client.post(reverse("treasury:new-proposal"), {**form, "town": ""})
    assert 'id="town-error"' in missing.content.decode()
    assert '<details class="typed-in" open>' in missing.content.decode()
    client.post(reverse("treasury:new-proposal"), form)
    somebody = Beneficiary.objects.get()
    assert somebody.is_typed_in
    assert Proposal.objects.get().beneficiary == somebody


def test_amending_tells_that_decisions_become_void(
    house: House, tenant: Tenant, maker: User, checker: User, signed_in: SignedIn
) -> None:
    proposal = propose(
        house, maker, "20000000", debit_account=house.usd.pk, credit_account=house.usd_far.pk
    )
    approve(tenant, proposal, checker)
    client = signed_in(maker)
    assert 'data-key="e"' in text_of(client, "treasury:proposal", proposal.pk)
    page = text_of(client, "treasury:amend-proposal", proposal.pk)
    assert "1 decision on version 1 becomes void." in page
    assert 'value="20000000"' in page
    form = {
        "debit_account": str(house.usd.pk),
        "credit_account": str(house.usd_far.pk),
        "amount": "30000000",
        "why": "More",
    }
    client.post(reverse("treasury:amend-proposal", args=[proposal.pk]), form)
    amended = Proposal.objects.get()
    assert (amended.version, amended.amount) == (2, 30_000_000)


def test_only_its_maker_amends(
    house: House, maker: User, user_with: object, signed_in: SignedIn
) -> None:
    proposal = propose(house, maker)
    other = user_with("treasury_maker", name="other-maker")  # type: ignore[operator]
    answer = signed_in(other).get(reverse("treasury:amend-proposal", args=[proposal.pk]))
    assert answer.status_code == 403


def test_what_has_left_is_not_amended(
    house: House, tenant: Tenant, maker: User, checker: User, signed_in: SignedIn
) -> None:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    answer = signed_in(maker).get(reverse("treasury:amend-proposal", args=[proposal.pk]))
    assert answer.status_code == 302
