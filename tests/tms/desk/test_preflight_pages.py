"""What the bank would say, on the form, in the API and on the proposal's page."""

from http import HTTPStatus

from django.urls import reverse

from core.identity.models import User
from integrations import services as lines
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import House, propose
from treasury.models import LegalEntity, Proposal


def form_of(house: House, **more: str) -> dict[str, str]:
    return {
        "debit_account": str(house.near.pk),
        "credit_account": str(house.home.pk),
        "amount": "1000.00",
        "why": "Payouts",
        **more,
    }


def refuse_all() -> None:
    """Let the bank demand a purpose that nobody gives."""
    writing = {"rails": {"BOOK": {"purpose_required": True, "own_purpose": ""}}}
    lines.save_profile(wish=lines.ProfileIn(code="strict", name="Strict", writing=writing))
    lines.use_profile(connection_code="host", profile_code="strict")


def test_the_form_says_beforehand_what_the_bank_would(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    client, address = signed_in(maker), reverse("treasury:check-proposal")
    assert address in client.get(reverse("treasury:new-proposal")).content.decode()
    good = client.post(address, form_of(house)).content.decode()
    assert "The bank would take it" in good
    refuse_all()
    bad = client.post(address, form_of(house)).content.decode()
    assert "This bank wants a purpose code on this rail." in bad
    assert "cannot be submitted like this" in bad
    unread = client.post(address, form_of(house, amount="much")).content.decode()
    assert "notice-bad" in unread
    assert not Proposal.objects.exists()


def test_a_refusal_of_the_bank_is_shown_on_the_form(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    refuse_all()
    page = signed_in(maker).post(reverse("treasury:new-proposal"), form_of(house))
    assert "This bank wants a purpose code on this rail." in page.content.decode()


def test_only_makers_ask(house: House, checker: User, signed_in: SignedIn) -> None:
    client = signed_in(checker)
    for address in (reverse("treasury:check-proposal"), "/api/v1/proposals/preflight"):
        answer = client.post(address, form_of(house))
        assert answer.status_code == HTTPStatus.FORBIDDEN


def test_the_api_answers_field_by_field(house: House, maker: User, signed_in: SignedIn) -> None:
    refuse_all()
    client = signed_in(maker)
    answer = client.post(
        "/api/v1/proposals/preflight", form_of(house), content_type="application/json"
    )
    assert answer.status_code == HTTPStatus.OK
    found = answer.json()
    assert (found["is_sendable"], found["rail"]) == (False, "BOOK")
    assert found["findings"] == [
        {
            "code": "PURPOSE_REQUIRED",
            "message": "This bank wants a purpose code on this rail.",
            "locator": "purpose",
            "severity": "error",
        }
    ]


def test_the_proposal_shows_what_will_read_differently(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    lines.save_profile(wish=lines.ProfileIn(code="x", name="X", writing={"charset": "swift-x"}))
    lines.use_profile(connection_code="host", profile_code="x")
    LegalEntity.objects.update(name="Größe & Söhne Ltd")
    proposal = propose(house, maker)
    page = signed_in(checker).get(reverse("treasury:proposal", args=[proposal.pk]))
    assert "bank_text_rewritten" in page.content.decode()
    order = signed_in(checker).get(reverse("treasury:instruction", args=[proposal.pk]))
    assert f"sha256 {proposal.order_seal}" in order.content.decode()
    assert "Grosse + Sohne Ltd" in order.content.decode()
    detail = signed_in(checker).get(f"/api/v1/proposals/{proposal.pk}").json()
    assert "bank_text_rewritten" in {flag["code"] for flag in detail["flags"]}
