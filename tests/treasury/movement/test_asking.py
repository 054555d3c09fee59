"""On lines of files the bank is asked for a report while a payment is unknown; nothing can pay."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction

from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from integrations import services as lines
from integrations.codecs.elements import as_utf8
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.writing import parse_writing
from integrations.models import Message
from integrations.sandbox_bank.accounts_file import DEMO_ACCOUNTS, load_accounts
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.inquiries import read_inquiry
from integrations.sandbox_bank.office import Office
from tests.scenes import scene
from tests.treasury.movement.conftest import House, approve, at_work, house, propose
from treasury.models import BankAccount, Proposal, ProposalState, Task
from treasury.services import asking, transfers
from treasury.services.ingest import ingest_message

__all__ = ["at_work", "house"]


@scene
def unknown(house: House, tenant: Tenant, maker: User, checker: User) -> Proposal:
    """A payment over a folder whose outcome nobody knows."""
    return lost(house, tenant, maker, checker)


def lost(house: House, tenant: Tenant, maker: User, checker: User) -> Proposal:
    """Send a payment of which nobody hears."""
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    transfers.execute(proposal_id=proposal.pk)
    transfers.mark_unknown(reference=proposal.reference, reason="The line broke.")
    return Proposal.objects.get(pk=proposal.pk)


@scene
def willing(house: House) -> None:
    """The bank takes requests for reports."""
    wish = lines.ProfileIn(code="asked", name="Asked", writing={"report_requests": True})
    lines.save_profile(wish=wish)
    lines.use_profile(connection_code="host", profile_code="asked")


def asked() -> list[Message]:
    return list(Message.objects.filter(kind="camt.060").order_by("id"))


def test_banks_are_not_asked_unless_their_profile_says_so(unknown: Proposal) -> None:
    assert asking.ask_for_reports(now=clock.now()) == []
    assert not parse_writing({}).report_requests
    with pytest.raises(ProfileInvalid):
        parse_writing({"report_requests": "yes"})


@pytest.mark.usefixtures("willing")
def test_the_account_of_an_unknown_payment_is_asked_for_once_per_interval(
    unknown: Proposal,
) -> None:
    (first,) = asking.ask_for_reports(now=clock.now())
    message = Message.objects.get(pk=first)
    assert (message.state, message.kind) == ("QUEUED", "camt.060")
    wish = read_inquiry(as_utf8(bytes(message.body)))
    assert wish is not None
    assert wish.kind == "camt.060"
    assert unknown.debit_account.number.encode() in bytes(message.body)
    assert asking.ask_for_reports(now=clock.now() + timedelta(minutes=59)) == []
    assert len(asking.ask_for_reports(now=clock.now() + timedelta(minutes=61))) == 1
    assert len({one.reference for one in asked()}) == 2


@pytest.mark.usefixtures("willing")
def test_without_an_unknown_payment_nobody_is_asked(unknown: Proposal) -> None:
    transfers.mark_sent(reference=unknown.reference, bank_reference="BANK-1")
    assert asking.ask_for_reports(now=clock.now()) == []


def test_a_line_that_answers_is_not_asked_for_reports(unknown: Proposal) -> None:
    wish = lines.ProfileIn(code="asked", name="Asked", writing={"report_requests": True})
    lines.save_profile(wish=wish)
    http = lines.ConnectionIn(
        code="host", name="API", kind="HTTP", base_url="https://bank.example", secret="s" * 32,
        profile="asked",
    )  # fmt: skip
    lines.save_connection(wish=http)
    assert asking.ask_for_reports(now=clock.now()) == []


def _copy(held: Message, *, body: bytes, number: str = "", reference: str = "") -> None:
    """Put other bytes into the queue as a wish for a report."""
    held.pk = None
    held._state.adding = True
    held.id = Message().id
    held.reference = held.message_reference = reference or f"ASK-{number}"
    held.body, held.size_bytes = body, len(body)
    held.sha256 = hashlib.sha256(body).hexdigest()
    with transaction.atomic():
        held.save(force_insert=True)


@pytest.mark.usefixtures("willing")
def test_the_database_lets_nothing_that_pays_leave_as_a_wish(unknown: Proposal) -> None:
    asking.ask_for_reports(now=clock.now())
    (held,) = asked()
    body = bytes(held.body)
    payment = bytes(Message.objects.get(reference=unknown.reference).body)
    inside = b"<CdtTrfTxInf/></AcctRptgReq>"
    forged = (
        payment,
        body.replace(b"</AcctRptgReq>", inside),
        body.replace(b"camt.060.001", b"pain.001.001"),
        body + payment,
        body.replace(b"</AcctRptgReq>", b"</AcctRptgReq><FIToFIPmtCxlReq/>"),
        b"<AcctRptgReq></AcctRptgReq>",
    )
    for number, other in enumerate(forged):
        with pytest.raises(IntegrityError, match="not a wish"):
            _copy(asked()[0], body=other, number=f"F{number}")
    with pytest.raises(IntegrityError, match="reference of its own"):
        _copy(asked()[0], body=body, reference="FMP-999999")
    _copy(asked()[0], body=body, number="C1")  # the control: only the bytes were in the way
    assert len(asked()) == 2


@pytest.mark.usefixtures("willing")
def test_the_database_wants_an_unknown_payment(unknown: Proposal) -> None:
    asking.ask_for_reports(now=clock.now())
    held = asked()[0]
    transfers.mark_sent(reference=unknown.reference, bank_reference="BANK-1")
    with pytest.raises(IntegrityError, match="outcome of a payment is unknown"):
        _copy(held, body=bytes(held.body), number="9")


@pytest.mark.usefixtures("willing")
def test_a_bank_that_is_asked_ends_the_not_knowing(
    house: House, tenant: Tenant, maker: User, checker: User, tmp_path: Path
) -> None:
    """The bank executed the payment and its word was lost; the report asked for tells of it."""
    bank = bank_of(tmp_path / "bank", house.near, house.home)
    with clock.frozen(clock.now() + timedelta(days=1)):
        unknown = lost(house, tenant, maker, checker)
        order = Message.objects.get(kind__startswith="pain.001")
        bank.receive(bytes(order.body), door="folder")
    with clock.frozen(clock.now() + timedelta(days=1, minutes=1)):
        bank.advance_clock(seconds=0)
        (wish,) = asking.ask_for_reports(now=clock.now())
        bank.receive(bytes(Message.objects.get(pk=wish).body), door="folder")
        sent = bank.messages(after=0, channel="all")
        (report,) = [one["n"] for one in sent if one["kind"] == "camt.052"]
        message = lines.archive_inbound(
            connection_code="host", name="report.xml", data=bank.message(report)[1]
        )
        assert Proposal.objects.get(pk=unknown.pk).state == ProposalState.EXECUTING
        ingest_message(message_id=message.pk)
        assert Proposal.objects.get(pk=unknown.pk).state == ProposalState.CONFIRMED
        assert not Task.objects.open().exists()
        assert asking.ask_for_reports(now=clock.now() + timedelta(hours=2)) == []


def bank_of(home: Path, *accounts: BankAccount) -> Bank:
    """A sandbox bank that keeps these accounts of ours; its clock stands with ours."""
    bank = Bank(Office(book=Book(home), clock=lambda: clock.now().timestamp(), interim_minutes=0))
    pattern = load_accounts(DEMO_ACCOUNTS)[0]
    bank.put_accounts(
        replace(
            pattern,
            bank_bic=one.bank.bic,
            iban="",
            number=one.number,
            clearing_code=one.clearing_code,
            currency=one.currency,
            timezone=one.timezone,
        )
        for one in accounts
    )
    return bank
