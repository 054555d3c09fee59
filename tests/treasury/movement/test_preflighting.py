"""What the bank would say is said before anybody approves: on the form, in the API, to checkers."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from approvals import selectors as approval_reads
from core import clock
from core.identity.models import User
from integrations import services as lines
from integrations.codecs.records import Severity
from tests.treasury.movement.conftest import SUPPLIER, House, propose
from treasury.errors import PreflightFailed
from treasury.models import Beneficiary, LegalEntity, Proposal
from treasury.selectors import movement
from treasury.services import proposals
from treasury.services.beneficiaries import BeneficiaryIn
from treasury.services.preflighting import look_at
from treasury.services.proposals import ProposalIn


def draft(house: House, **more: Any) -> ProposalIn:
    terms: dict[str, Any] = {
        "debit_account": house.near.pk,
        "credit_account": house.home.pk,
        "amount": Decimal("2750000.00"),
        "why": "Payouts of tomorrow",
    }
    return ProposalIn(**{**terms, **more})


def to_supplier(house: House, **more: Any) -> ProposalIn:
    wanted = BeneficiaryIn(**{**SUPPLIER, **more})
    return draft(house, debit_account=house.usd.pk, credit_account=None, typed_in=wanted)


def write_as(**writing: Any) -> None:
    """Let the house's bank line want its orders so."""
    lines.save_profile(wish=lines.ProfileIn(code="dialect", name="Dialect", writing=writing))
    lines.use_profile(connection_code="host", profile_code="dialect")


def test_a_good_payment_would_be_taken(house: House) -> None:
    look = look_at(draft=draft(house))
    assert look.is_sendable
    assert (look.rail, look.findings) == ("BOOK", ())
    assert look.cutoff_at is not None


def test_looking_stores_nothing(house: House) -> None:
    look = look_at(draft=to_supplier(house))
    assert look.is_sendable, look.findings
    assert not Proposal.objects.exists()
    assert not Beneficiary.objects.exists()


def test_what_cannot_be_said_at_all_is_a_finding_too(house: House) -> None:
    (finding,) = look_at(draft=draft(house, amount=Decimal("0.001"))).findings
    assert (finding.locator, finding.severity) == ("amount", Severity.ERROR)


def test_every_refusal_of_the_bank_is_named_with_its_field(house: House) -> None:
    write_as(rails={"*": {"name_chars_max": 10, "address": "structured"}})
    look = look_at(draft=to_supplier(house, name="Baker Supplies Incorporated", country="ZZ"))
    found = {(one.code, one.locator) for one in look.findings if one.severity is Severity.ERROR}
    assert ("NAME_TOO_LONG", "creditor.name") in found
    assert ("ADDRESS_COUNTRY_UNKNOWN", "creditor.address.country") in found
    assert not look.is_sendable


def test_a_payment_that_the_bank_refuses_reaches_no_checker(house: House, maker: User) -> None:
    write_as(rails={"BOOK": {"purpose_required": True, "own_purpose": ""}})
    made = proposals.create_proposal(draft=draft(house), maker=maker)
    with pytest.raises(PreflightFailed) as refusal:
        proposals.submit_proposal(proposal_id=made.pk, actor=maker)
    findings = refusal.value.context["findings"]
    assert isinstance(findings, list)
    assert [one["code"] for one in findings] == ["PURPOSE_REQUIRED"]
    assert movement.proposal(made.pk).order_seal == ""


def test_checkers_are_told_what_the_bank_will_read_differently(house: House, maker: User) -> None:
    write_as(charset="swift-x")
    LegalEntity.objects.update(name="Größe & Söhne Ltd")
    proposal = propose(house, maker)
    request = approval_reads.request_of(
        subject_type="treasury.proposal", subject_id=proposal.pk, subject_version=1
    )
    assert request is not None
    words = {flag["code"]: flag["words"] for flag in request.flags}
    assert "“Grosse + Sohne Ltd”" in words["bank_text_rewritten"]


def test_the_profile_of_the_bank_sets_the_charges(house: House, maker: User) -> None:
    write_as(rails={"BOOK": {"charge_bearer": "DEBT", "service_level": "NURG"}})
    proposal = propose(house, maker)
    assert proposal.charge_bearer == "DEBT"


def test_a_near_cutoff_is_said(house: House) -> None:
    cutoff = look_at(draft=draft(house)).cutoff_at
    assert cutoff is not None
    with clock.frozen(cutoff - timedelta(minutes=20)):
        (finding,) = look_at(draft=draft(house)).findings
    assert finding.code == "CUTOFF_NEAR"
    assert "within 20 minutes" in finding.message


def test_a_passed_cutoff_is_said_with_the_new_day(house: House) -> None:
    wanted = replace(to_supplier(house), typed_in=None, credit_account=house.usd_far.pk)
    cutoff = look_at(draft=wanted).cutoff_at
    assert cutoff is not None
    with clock.frozen(cutoff + timedelta(minutes=1)):
        codes = [one.code for one in look_at(draft=wanted).findings]
    assert codes == ["CUTOFF_PASSED"]
