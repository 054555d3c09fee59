"""What was done already is refused in words, whichever way it is asked for again."""

from decimal import Decimal
from http import HTTPStatus
from uuid import uuid4

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django_fsm import ConcurrentTransition, TransitionNotAllowed

from approvals.models import ApprovalRequest
from core.identity.models import User
from tests.scenes import scene
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import House
from tms.desk.middleware import DeskMiddleware
from treasury.models import Proposal, ProposalState
from treasury.services import proposals
from treasury.services.proposals import ProposalIn

WORDS = "Its state changed meanwhile; load it again."


@scene
def draft(house: House, maker: User) -> Proposal:
    terms = {"debit_account": house.near.pk, "credit_account": house.home.pk}
    return proposals.create_proposal(
        draft=ProposalIn(**terms, amount=Decimal("2750000.00"), why="Payouts of tomorrow"),  # type: ignore[arg-type]
        maker=maker,
    )


@pytest.fixture
def client(maker: User, signed_in: SignedIn) -> Client:
    client = signed_in(maker)
    client.raise_request_exception = False
    return client


def _submit(client: Client, way: str, proposal: Proposal) -> object:
    key = {"Idempotency-Key": uuid4().hex}
    path = {
        "desk": reverse("treasury:submit", args=[proposal.pk]),
        "admin": reverse("admin:treasury_proposal_submit_it", args=[proposal.pk]),
        "api": f"/api/v1/proposals/{proposal.pk}/submit",
    }[way]
    body = {"content_type": "application/json"} if way == "api" else {}
    return client.post(path, headers=key, **body)


@pytest.mark.parametrize("way", ["desk", "admin", "api"])
def test_a_proposal_is_submitted_once(draft: Proposal, client: Client, way: str) -> None:
    first = _submit(client, way, draft)
    assert first.status_code in (HTTPStatus.FOUND, HTTPStatus.OK)
    draft.refresh_from_db()
    assert draft.state == ProposalState.PENDING

    again = _submit(client, way, draft)

    assert again.status_code == HTTPStatus.CONFLICT
    assert WORDS in again.content.decode()
    assert ApprovalRequest.objects.count() == 1


@pytest.mark.parametrize("error", [TransitionNotAllowed(), ConcurrentTransition()])
def test_both_kinds_of_lost_races_are_refusals(error: Exception, rf: RequestFactory) -> None:
    desk = DeskMiddleware(lambda _: pytest.fail("not asked"))
    answer = desk.process_exception(rf.post("/proposals"), error)
    assert answer is not None
    assert answer.status_code == HTTPStatus.CONFLICT


def test_a_fault_of_ours_is_no_refusal(rf: RequestFactory) -> None:
    """The negative control: what nobody refused stays a failure that is looked at."""
    desk = DeskMiddleware(lambda _: pytest.fail("not asked"))
    assert desk.process_exception(rf.post("/proposals"), RuntimeError("broken")) is None
