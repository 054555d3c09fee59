"""A maker breaks the glass on the form or through the API; what follows is said beforehand."""

from html import unescape
from typing import Any

import pytest
from django.test import Client

from approvals import selectors as approval_reads
from approvals.policies import BREAK_GLASS_USD_MAX
from core import policies
from core.audit.models import AuditEntry
from core.identity.models import User
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import House
from treasury.models import Proposal, ProposalState

GLASS = {"incident": "INC-7", "glass_reason": "rail_outage", "glass_words": "The rail is down."}
API = "/api/v1/proposals"


def terms(house: House, **more: Any) -> dict[str, Any]:
    return {
        "debit_account": str(house.near.pk),
        "credit_account": str(house.home.pk),
        "amount": "2750000.00",
        "why": "Payouts of tomorrow",
        **more,
    }


def sent(client: Client, path: str, body: dict[str, Any]) -> Any:
    key = {"Idempotency-Key": f"key-{Proposal.objects.count()}-{path[-6:]}"}
    return client.post(path, body, content_type="application/json", headers=key)


def glass_of_the_request() -> Any:
    proposal = Proposal.objects.get()
    request = approval_reads.request_of(subject_type="treasury.proposal", subject_id=proposal.pk)
    assert request is not None
    return request.break_glass


def test_the_form_says_what_it_relaxes_and_what_follows(house: House, maker: User) -> None:
    page = unescape(client_of(maker).get("/proposals/new").content.decode())
    for words in (
        "Break glass",
        "how much each checker may approve",
        "the rest after a beneficiary or account was changed",
        "another two people approve",
        "approve with a passkey",
        "a third person reviews what was done",
        "25,000,000",
        "3 times within 24 hours",
    ):
        assert words in page


def test_a_maker_breaks_the_glass_on_the_form(house: House, maker: User, checker: User) -> None:
    client_of(maker).post("/proposals/new", terms(house, **GLASS))
    assert glass_of_the_request() == {
        "incident": "INC-7",
        "reason": "rail_outage",
        "words": "The rail is down.",
    }
    assert "Glass was broken for incident INC-7" in (
        client_of(checker).get("/approvals").content.decode()
    )


def test_without_a_word_of_it_a_proposal_goes_the_ordinary_way(house: House, maker: User) -> None:
    client_of(maker).post("/proposals/new", terms(house))
    assert glass_of_the_request() is None


@pytest.mark.parametrize("missing", list(GLASS))
def test_half_broken_glass_is_refused_at_its_field(house: House, maker: User, missing: str) -> None:
    answer = client_of(maker).post("/proposals/new", terms(house, **GLASS) | {missing: ""})
    page = answer.content.decode()
    assert f'id="{missing}-error"' in page
    assert "leave all three empty" in page
    assert '<details class="typed-in" open><summary>Break glass' in page
    assert not Proposal.objects.exists()


def test_too_much_for_broken_glass_is_refused_in_words_and_on_record(
    house: House, maker: User
) -> None:
    policies.change(policy=BREAK_GLASS_USD_MAX, value="1", actor=maker, reason="Test")
    answer = client_of(maker).post("/proposals/new", terms(house, **GLASS))
    assert "Broken glass does not let such an amount through." in answer.content.decode()
    assert not Proposal.objects.exists()
    entries = AuditEntry.objects.filter(action="REFUSED")
    assert [(entry.after or {}).get("code") for entry in entries] == ["break_glass_refused"]


def test_an_amendment_offers_no_glass(house: House, maker: User) -> None:
    client = client_of(maker)
    client.post("/proposals/new", terms(house))
    page = client.get(f"/proposals/{Proposal.objects.get().pk}/amend").content.decode()
    assert "Break glass" not in page


@pytest.mark.parametrize("is_at_once", [True, False])
def test_the_api_breaks_it_with_the_submission(house: House, maker: User, is_at_once: bool) -> None:
    client = client_of(maker)
    glass = {"break_glass": {"incident": "INC-7", "reason": "systemic", "words": "Closing."}}
    made = sent(client, API, terms(house, submit=is_at_once) | (glass if is_at_once else {}))
    assert made.status_code == 201
    if not is_at_once:
        sent(client, f"{API}/{made.json()['id']}/submit", glass)
    assert Proposal.objects.get().state == ProposalState.PENDING
    assert glass_of_the_request()["reason"] == "systemic"


def test_a_draft_breaks_no_glass_and_reasons_are_three(house: House, maker: User) -> None:
    client = client_of(maker)
    glass = {"incident": "INC-7", "reason": "systemic", "words": "Closing."}
    assert sent(client, API, terms(house, submit=False, break_glass=glass)).status_code == 400
    hurry = {**glass, "reason": "hurry"}
    assert sent(client, API, terms(house, break_glass=hurry)).status_code == 400
    assert not Proposal.objects.exists()


def test_an_amendment_of_broken_glass_goes_the_ordinary_way_and_says_so(
    house: House, maker: User
) -> None:
    client = client_of(maker)
    client.post("/proposals/new", terms(house, **GLASS))
    amend = f"/proposals/{Proposal.objects.get().pk}/amend"
    assert "The new version goes the ordinary way." in client.get(amend).content.decode()
    answer = client.post(amend, terms(house, amount="2000000.00"), follow=True)
    assert "It goes the ordinary way: limits and cool-off hold again." in answer.content.decode()
    assert glass_of_the_request() is None
