"""Position, accounts, statements, proposals and transfers as people see them."""

import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from integrations import services as lines
from integrations.pages.layout import laid_out
from tests.conftest import MakeUser
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import House, approve, propose, put_balance
from treasury.models import Proposal, ProposalState, Statement, Transfer
from treasury.services import transfers

FRAGMENT = {"HX-Request": "true"}


def text_of(client: Client, name: str, *args: object, **extra: object) -> str:
    answer = client.get(reverse(name, args=args), **extra)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_the_position_shows_every_account_with_its_freshness(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    page = text_of(signed_in(maker), "treasury:position")
    for label in ("Payout", "Collection", "Reserve", "Dollars", "More dollars"):
        assert f">{label}</a>" in page
    assert "50,000,000.00" in page
    assert "150,000,000.00" in page  # the three rupee accounts
    assert page.count("data-ago") >= 5
    assert "CLBD of CAMT053" in page


def test_an_old_balance_says_so(house: House, maker: User, signed_in: SignedIn) -> None:
    fresh = text_of(signed_in(maker), "treasury:position-panel")
    assert 'class="stale"' not in fresh
    with clock.frozen(clock.now() + timedelta(hours=31)):
        stale = text_of(signed_in(maker), "treasury:position-panel")
    assert stale.count('class="stale"') == 5


def test_a_currency_without_a_rate_is_named_not_counted(
    house: House, maker: User, signed_in: SignedIn, tenant: Tenant
) -> None:
    assert "without INR" not in text_of(signed_in(maker), "treasury:position")
    with clock.frozen(clock.now() + timedelta(days=20)):
        page = text_of(signed_in(maker), "treasury:position")
    assert "without INR" in page
    assert "no fresh rate" in page


def test_another_day_can_be_asked_for_and_nonsense_is_refused(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    assert "19 November 2026" in client.get("/position?on=2026-11-19").content.decode()
    answer = client.get("/position?on=tomorrow")
    assert answer.status_code == 422
    assert "Write the day as" in answer.content.decode()


def test_every_figure_leads_to_its_statement_and_the_bytes(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    body = b"<Document><BkToCstmrStmt><Stmt><Id>7</Id></Stmt></BkToCstmrStmt></Document>"
    message = lines.archive_inbound(connection_code="host", name="day.xml", data=body)
    put_balance(house.home, "61000000.00")
    statement = Statement.objects.filter(account=house.home).latest("received_at", "pk")
    Statement.objects.filter(pk=statement.pk).update(message_id=message.pk)
    client = signed_in(maker)

    account = text_of(client, "treasury:account", house.home.pk)
    assert reverse("treasury:statement", args=[statement.pk]) in account
    page = text_of(client, "treasury:statement", statement.pk)
    assert "&lt;Stmt&gt;" in page
    assert "adds up" in page
    assert reverse("integrations:content", args=[message.pk]) in page


def test_bytes_are_for_those_whose_work_needs_them(
    house: House, user_with: MakeUser, signed_in: SignedIn
) -> None:
    message = lines.archive_inbound(connection_code="host", name="day.xml", data=b"<Secret/>")
    statement = Statement.objects.filter(account=house.home).latest("pk")
    Statement.objects.filter(pk=statement.pk).update(message_id=message.pk)
    dealer = signed_in(user_with("dealer", name="dealer"))
    page = text_of(dealer, "treasury:statement", statement.pk)
    assert "Secret" not in page
    assert "do not allow reading messages" in page


def test_a_maker_proposes_with_the_form(house: House, maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    form = {
        "debit_account": str(house.near.pk),
        "credit_account": str(house.home.pk),
        "amount": "1,250,000.50",
        "why": "Payouts of tomorrow",
        "form_id": "f1",
    }
    answer = client.post(reverse("treasury:new-proposal"), form)
    made = Proposal.objects.get()
    assert answer.headers["Location"] == reverse("treasury:proposal", args=[made.pk])
    assert (made.state, made.amount) == (ProposalState.PENDING, Decimal("1250000.5"))

    again = client.post(reverse("treasury:new-proposal"), form)
    assert again.headers["Location"] == reverse("treasury:proposal", args=[made.pk])
    assert Proposal.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("amount", "12.345", "has 2 decimals"),
        ("amount", "1e6", "write an amount"),
        ("amount", "-5", "positive"),
        ("why", "   ", "Please fill this in"),
        ("debit_account", "nonsense", "Please fill this in"),
        ("credit_account", "same", "are the same"),
        ("credit_account", "dollars", "a conversion is an FX deal"),
    ],
)
def test_a_form_that_does_not_fit_is_explained_and_makes_nothing(
    house: House, maker: User, signed_in: SignedIn, field: str, value: str, words: str
) -> None:
    named = {"same": str(house.near.pk), "dollars": str(house.usd.pk)}
    form = {
        "debit_account": str(house.near.pk),
        "credit_account": str(house.home.pk),
        "amount": "1000.00",
        "why": "Payouts",
        field: named.get(value, value),
    }
    answer = signed_in(maker).post(reverse("treasury:new-proposal"), form)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not Proposal.objects.exists()


def test_only_makers_get_the_form(house: House, checker: User, signed_in: SignedIn) -> None:
    client = signed_in(checker)
    assert client.get(reverse("treasury:new-proposal")).status_code == 403
    assert "New proposal" not in client.get(reverse("treasury:proposals")).content.decode()


def test_the_boards_show_what_is_open_and_what_is_closed(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    client = signed_in(maker)
    assert made.reference in client.get("/proposals").content.decode()
    assert made.reference not in client.get("/proposals?show=closed").content.decode()
    fragment = client.get("/proposals", headers=FRAGMENT).content.decode()
    assert made.reference in fragment
    assert "<html" not in fragment
    assert made.reference in text_of(client, "treasury:movements-panel")


def test_one_page_tells_the_whole_story(
    house: House, tenant: Tenant, maker: User, checker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    approve(tenant, made, checker)
    transfers.execute(proposal_id=made.pk)
    transfers.mark_sent(reference=made.reference, bank_reference="BANK-77")
    page = text_of(signed_in(checker), "treasury:proposal", made.pk)
    told = [
        "Proposed",
        "Submitted for approval",
        "Approved",
        "Sent to the bank",
        "Confirmation is due",
    ]
    assert sorted(told, key=page.index) == told
    assert "BANK-77" in page
    assert Transfer.objects.get().uetr in page
    assert made.reference in text_of(signed_in(maker), "treasury:transfers")


def test_an_unknown_outcome_is_shown_as_such(
    house: House, tenant: Tenant, maker: User, checker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    approve(tenant, made, checker)
    transfers.execute(proposal_id=made.pk)
    transfers.mark_unknown(reference=made.reference, reason="No answer.")
    assert "Nobody knows yet" in text_of(signed_in(maker), "treasury:proposal", made.pk)
    assert "Outcome unknown" in text_of(signed_in(maker), "treasury:transfers")


def test_the_message_is_shown_before_it_leaves_and_as_it_left(
    house: House, tenant: Tenant, maker: User, checker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    before = text_of(signed_in(checker), "treasury:instruction", made.pk)
    assert "As it would leave now" in before
    assert "&lt;EndToEndId&gt;" + made.reference in before
    assert not Transfer.objects.exists()

    approve(tenant, made, checker)
    transfers.execute(proposal_id=made.pk)
    after = text_of(signed_in(checker), "treasury:instruction", made.pk)
    assert "Archived exactly as it left" in after
    assert Transfer.objects.get().uetr in after


def test_the_message_is_not_for_everybody(
    house: House, maker: User, user_with: MakeUser, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    dealer = signed_in(user_with("dealer", name="dealer"))
    answer = dealer.get(reverse("treasury:instruction", args=[made.pk]))
    assert answer.status_code == 403


def test_its_maker_withdraws_it_and_nobody_else(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    url = reverse("treasury:withdraw", args=[made.pk])
    signed_in(checker).post(url, {"reason": "I want to"})
    assert Proposal.objects.get().state == ProposalState.PENDING
    signed_in(maker).post(url, {"reason": " "})
    assert Proposal.objects.get().state == ProposalState.PENDING
    signed_in(maker).post(url, {"reason": "Not needed any more"})
    assert Proposal.objects.get().state == ProposalState.CANCELLED


def test_a_failed_transfer_is_tried_again_by_a_maker(
    house: House, tenant: Tenant, maker: User, checker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    approve(tenant, made, checker)
    transfers.execute(proposal_id=made.pk)
    message = Transfer.objects.get().message_id
    lines.withdraw_payment(reference=made.reference, reason="The bank is closed.")
    transfers.mark_failed(reference=made.reference, reason="The bank is closed.")
    assert "Try again" in text_of(signed_in(maker), "treasury:proposal", made.pk)
    signed_in(maker).post(reverse("treasury:retry", args=[made.pk]))
    assert Proposal.objects.get().state == ProposalState.EXECUTING
    assert Transfer.objects.get().message_id != message


def test_what_has_no_transfer_cannot_be_tried_again(
    house: House, maker: User, signed_in: SignedIn
) -> None:
    made = propose(house, maker)
    answer = signed_in(maker).post(reverse("treasury:retry", args=[made.pk]), follow=True)
    assert "no transfer to try again" in answer.content.decode()


def test_nothing_of_another_tenant_can_be_opened(
    house: House, maker: User, stranger: Client
) -> None:
    """Negative control: the same addresses open for the tenant's own people above."""
    made = propose(house, maker)
    statement = Statement.objects.filter(account=house.home).latest("pk")
    addresses = [
        reverse("treasury:account", args=[house.home.pk]),
        reverse("treasury:statement", args=[statement.pk]),
        reverse("treasury:proposal", args=[made.pk]),
        reverse("treasury:instruction", args=[made.pk]),
    ]
    assert [stranger.get(url).status_code for url in addresses] == [404] * 4
    lists = ["treasury:position", "treasury:proposals", "treasury:transfers", "desk"]
    for name in lists:
        page = stranger.get(reverse(name)).content.decode()
        assert made.reference not in page
        assert "Collection" not in page
    stranger.post(reverse("treasury:withdraw", args=[made.pk]), {"reason": "mine"})
    assert Proposal.objects.get().state == ProposalState.PENDING


def test_what_does_not_exist_is_the_same_as_what_belongs_to_others(
    house: House, maker: User, signed_in: SignedIn, stranger: Client
) -> None:
    made = propose(house, maker)
    missing = signed_in(maker).get(reverse("treasury:proposal", args=[uuid4()]))
    foreign = stranger.get(reverse("treasury:proposal", args=[made.pk]))
    words = [
        re.sub(r"Request.*", "", answer.content.decode(), flags=re.DOTALL)
        for answer in (missing, foreign)
    ]
    assert words[0] == words[1]


def test_a_message_is_laid_out_without_changing_its_words() -> None:
    text = '<?xml version="1.0"?><a x="1"><b>Tom &amp; Co</b><c/><d><e>2</e></d></a>'
    shown = laid_out(text)
    assert shown.splitlines() == [
        '<?xml version="1.0"?>',
        '<a x="1">',
        "  <b>Tom &amp; Co</b>",
        "  <c/>",
        "  <d>",
        "    <e>2</e>",
        "  </d>",
        "</a>",
    ]
    assert re.sub(r"\n\s*", "", shown) == text
    assert laid_out(":20:START\r\n:25:123") == ":20:START\r\n:25:123"
