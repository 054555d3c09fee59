"""The inbox of a checker: everything on one screen, and a decision on exactly that."""

import re

from django.test import Client
from django.urls import reverse

from approvals import selectors
from approvals.models import ApprovalRequest, Decision, RequestState
from core.identity.models import User
from core.tenancy import Tenant
from tests.approvals.stepping import code_of
from tests.conftest import MakeUser
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import House, propose
from treasury.models import Proposal, ProposalState


def form_of(
    request: ApprovalRequest, outcome: str = "APPROVE", by: User | None = None, **more: str
) -> dict[str, str]:
    return {
        "outcome": outcome,
        "version": str(request.subject_version),
        "content_hash": request.content_hash,
        "code": code_of(by) if by else "",
        **more,
    }


def waiting() -> ApprovalRequest:
    return ApprovalRequest.objects.get()


def test_one_screen_has_all_that_a_checker_needs(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    page = signed_in(checker).get(reverse("approvals:inbox")).content.decode()
    for part in (
        "2,750,000.00",  # amount
        "Payout at First Bank",  # parties
        "Collection at First Bank",
        "Payouts of tomorrow",  # why
        "data-countdown",  # cut-off
        "0 of 1 approval",  # policy
        waiting().content_hash,  # what the decision binds to
        f"/proposals/{made.pk}/instruction",  # the message
        "Submitted",  # what happened so far
    ):
        assert part in page
    assert 'data-key="a"' in page
    assert 'data-key="r"' in page


def test_approving_releases_the_transfer(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    propose(house, maker)
    answer = signed_in(checker).post(
        reverse("approvals:decide", args=[waiting().pk]),
        form_of(waiting(), by=checker),
        follow=True,
    )
    assert "Approved and released" in answer.content.decode()
    assert Proposal.objects.get().state == ProposalState.APPROVED
    assert Decision.objects.get().checker == checker


def test_the_first_of_two_approvals_says_who_is_missing(
    house: House, maker: User, checker: User, checker2: User, signed_in: SignedIn
) -> None:
    propose(
        house,
        maker,
        amount="12500000.00",
        debit_account=house.usd.pk,
        credit_account=house.usd_far.pk,
    )
    url = reverse("approvals:decide", args=[waiting().pk])
    first = (
        signed_in(checker).post(url, form_of(waiting(), by=checker), follow=True).content.decode()
    )
    assert "one more person must approve" in first
    assert Proposal.objects.get().state == ProposalState.PENDING
    assert selectors.inbox(user=checker).count() == 0
    signed_in(checker2).post(url, form_of(waiting(), by=checker2))
    assert Proposal.objects.get().state == ProposalState.APPROVED


def test_rejecting_takes_a_reason(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    propose(house, maker)
    url = reverse("approvals:decide", args=[waiting().pk])
    signed_in(checker).post(url, form_of(waiting(), "REJECT", reason="  "))
    assert waiting().state == RequestState.PENDING
    answer = signed_in(checker).post(
        url, form_of(waiting(), "REJECT", reason="Wrong account"), follow=True
    )
    assert "Rejected" in answer.content.decode()
    assert Proposal.objects.get().closing_reason == "Wrong account"


def test_what_changed_since_it_was_shown_is_not_approved(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    propose(house, maker)
    seen = form_of(waiting()) | {"content_hash": "0" * 64}
    answer = signed_in(checker).post(
        reverse("approvals:decide", args=[waiting().pk]), seen, follow=True
    )
    assert "It changed since you loaded it" in answer.content.decode()
    assert waiting().state == RequestState.PENDING


def test_a_form_without_version_or_outcome_decides_nothing(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    propose(house, maker)
    url = reverse("approvals:decide", args=[waiting().pk])
    client = signed_in(checker)
    for broken in ({"version": ""}, {"version": "\u0661"}, {"outcome": "MAYBE"}):
        assert client.post(url, form_of(waiting()) | broken).status_code == 422
    assert not Decision.objects.exists()
    # negative control: the whole form does decide
    client.post(url, form_of(waiting(), by=checker))
    assert Decision.objects.exists()


def test_the_maker_sees_why_somebody_else_must_decide(
    house: House, user_with: MakeUser, signed_in: SignedIn
) -> None:
    both = user_with("treasury_maker", "treasury_checker", name="both")
    propose(house, both)
    client = signed_in(both)
    page = client.get(reverse("approvals:one", args=[waiting().pk])).content.decode()
    assert "another person must check it" in page
    assert "approve-dialog" not in page
    answer = client.post(
        reverse("approvals:decide", args=[waiting().pk]),
        form_of(waiting()),
        follow=True,
    )
    assert "another person must check it" in answer.content.decode()
    assert waiting().state == RequestState.PENDING


def test_an_empty_inbox_says_so(house: House, checker: User, signed_in: SignedIn) -> None:
    page = signed_in(checker).get(reverse("approvals:inbox")).content.decode()
    assert "Nothing waits for you" in page
    assert "No requests yet" in signed_in(checker).get("/approvals?show=recent").content.decode()


def test_the_badge_counts_what_waits_for_this_person(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    url = reverse("approvals:waiting-count")
    assert signed_in(checker).get(url).content == b""
    propose(house, maker)
    assert signed_in(checker).get(url).content == b"1"
    assert signed_in(maker).get(url).content == b""


def test_fragments_refresh_list_and_detail(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    propose(house, maker)
    client = signed_in(checker)
    listing = client.get(reverse("approvals:list")).content.decode()
    detail = client.get(reverse("approvals:detail", args=[waiting().pk])).content.decode()
    assert str(waiting().pk) in listing
    assert "Exactly what will be sent" in detail
    assert not re.search("<html", listing + detail)


def test_another_tenant_finds_and_decides_nothing(
    house: House, tenant: Tenant, maker: User, stranger: Client
) -> None:
    propose(house, maker)
    request = waiting()
    assert "Nothing waits for you" in stranger.get(reverse("approvals:inbox")).content.decode()
    for name in ("approvals:one", "approvals:detail"):
        assert stranger.get(reverse(name, args=[request.pk])).status_code == 404
    stranger.post(reverse("approvals:decide", args=[request.pk]), form_of(request))
    assert waiting().state == RequestState.PENDING
