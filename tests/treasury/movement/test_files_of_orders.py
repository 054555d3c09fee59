"""Several orders in one file: the database takes it only when each is as people approved it."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.utils import DatabaseError

from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from integrations import selectors as archive
from integrations import services as lines
from integrations.codecs.records import PaymentStatus, StatusScope
from integrations.models import Message
from integrations.services import batching, dispatching, queueing
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import House, approve, guard_replaced, propose, sql
from tests.treasury.movement.test_tracking import said
from treasury.evidence import building
from treasury.models import Proposal, Transfer, TransferStatus
from treasury.services import answers, transfers

AMOUNTS = ("2750000.00", "1000.50", "33.25")
LEASE = timedelta(minutes=1)


@scene
def queued(house: House, tenant: Tenant, maker: User, checker: User) -> list[Proposal]:
    """Three payments of one account and day in the queue of a bank that takes files of ten."""
    lines.save_profile(
        wish=lines.ProfileIn(
            code="files",
            name="Takes files",
            writing={"max_payments_per_file": 10, "gather_seconds": 30},
        )
    )
    lines.use_profile(connection_code="host", profile_code="files")
    made = [propose(house, maker, amount) for amount in AMOUNTS]
    for proposal in made:
        approve(tenant, proposal, checker)
        assert transfers.execute(proposal_id=proposal.pk)
    return made


def order_of(proposal: Proposal) -> Message:
    return Message.objects.get(reference=proposal.reference, state="QUEUED")


def gather(queued: list[Proposal]) -> Message:
    return batching.gathered(order_of(queued[0]), now=clock.now())


def states(queued: list[Proposal]) -> set[str]:
    references = [proposal.reference for proposal in queued]
    return set(Message.objects.filter(reference__in=references).values_list("state", flat=True))


def test_orders_wait_a_little_for_company(queued: list[Proposal]) -> None:
    waits = {(order_of(one).due_at or clock.now()) - clock.now() for one in queued}
    assert waits == {timedelta(seconds=30)}
    assert len({order_of(one).group_key for one in queued}) == 1


def test_one_file_carries_all_of_them(queued: list[Proposal]) -> None:
    file = gather(queued)
    body = bytes(file.body)
    assert file.orders_count == 3
    assert body.count(b"<CdtTrfTxInf>") == 3
    assert body.count(b"<NbOfTxs>3</NbOfTxs><CtrlSum>2751033.75</CtrlSum>") == 2
    for proposal in queued:
        transfer = Transfer.objects.get(proposal=proposal)
        assert f"<EndToEndId>{proposal.reference}</EndToEndId>".encode() in body
        assert transfer.uetr.encode() in body
        assert order_of(proposal).carrier == file
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.end_to_end_id, treasury_order_seal(o.alone, o.message_reference, t.uetr)"
            " FROM integrations_message m,"
            "      treasury_orders_in(m.body, m.message_reference) o"
            " JOIN treasury_transfer t ON t.end_to_end_id = o.end_to_end_id WHERE m.id = %s",
            [file.pk],
        )
        assert dict(cursor.fetchall()) == {one.reference: one.order_seal for one in queued}


def test_they_go_one_way_and_each_hears_of_it(queued: list[Proposal]) -> None:
    file = gather(queued)
    dispatching._lease(file, until=clock.now() + LEASE)
    assert states(queued) == {"SENDING"}
    dispatching.become_sent(file, bank_reference="R", facts={})
    assert states(queued) == {"SENT"}
    assert Message.objects.get(pk=file.pk).state == "SENT"


def test_a_refused_file_refuses_each(queued: list[Proposal]) -> None:
    file = gather(queued)
    queueing.refuse(file, reason="The bank does not take it.")
    assert states(queued) == {"REFUSED"}


def test_a_file_that_is_given_up_lets_each_order_go_on(queued: list[Proposal]) -> None:
    file = gather(queued)
    batching.give_up(file, reason="The cut-off of one of its orders has passed.")
    assert states(queued) == {"QUEUED"}
    assert {order_of(one).carrier_id for one in queued} == {None}
    assert gather(queued) != file


def test_the_name_of_a_file_tells_which_attempt_an_answer_means(queued: list[Proposal]) -> None:
    """Some banks return the file's name alone; without the file nothing would name the attempt."""
    file = gather(queued)
    dispatching._lease(file, until=clock.now() + LEASE)
    for name, attempt in ((file.message_reference, 1), ("B-of another", 0)):
        word = PaymentStatus(
            status="RJCT",
            original_end_to_end_id=queued[0].reference,
            original_payment_information_id=name,
        )
        found = answers._transfer_of(word, uuid4(), answers._known([word], line=""))
        assert found is not None
        assert (found[0].proposal_id, found[1]) == (queued[0].pk, attempt)


def test_an_order_with_nobody_beside_it_goes_alone(queued: list[Proposal]) -> None:
    for other in queued[1:]:
        lines.withdraw_payment(reference=other.reference, reason="a test")
    assert gather(queued) == order_of(queued[0])


def test_a_withdrawn_order_takes_its_file_apart(queued: list[Proposal]) -> None:
    file = gather(queued)
    lines.withdraw_payment(reference=queued[1].reference, reason="changed our mind")
    assert Message.objects.get(pk=file.pk).state == "REFUSED"
    assert order_of(queued[0]).carrier is None
    again = gather(queued)
    assert again.pk != file.pk
    assert again.orders_count == 2
    assert queued[1].reference.encode() not in bytes(again.body)


def test_what_ended_unknown_is_known_when_its_last_order_is(queued: list[Proposal]) -> None:
    file = gather(queued)
    dispatching._lease(file, until=clock.now() + LEASE)
    rng: Any = dispatching._SYSTEM_DICE
    dispatching._become_unknown(file, reason="no answer", rng=rng)
    assert states(queued) == {"UNKNOWN"}
    for proposal in queued[:2]:
        lines.confirm_sent(reference=proposal.reference, evidence="status")
    assert Message.objects.get(pk=file.pk).state == "UNKNOWN"
    lines.confirm_sent(reference=queued[2].reference, evidence="status")
    assert Message.objects.get(pk=file.pk).state == "SENT"


# --- what the database refuses --------------------------------------------------------------------

FORGE = (
    "INSERT INTO integrations_message SELECT (jsonb_populate_record(m, jsonb_build_object("
    "'id', %(id)s::text, 'message_reference', m.reference, 'body', %(body)s::bytea,"
    " 'size_bytes', octet_length(%(body)s::bytea), 'state', 'QUEUED', 'reason', '',"
    " 'reference', 'B-' || replace(%(id)s::text, '-', ''),"
    " 'message_reference', 'B-' || replace(%(id)s::text, '-', ''),"
    " 'sha256', encode(sha256(%(body)s::bytea), 'hex')))).*"
    " FROM integrations_message m WHERE m.id = %(file)s"
)
JOIN = "UPDATE integrations_message SET carrier_id = %(file)s WHERE reference = %(reference)s"
ALONE = (
    "UPDATE integrations_message SET state = 'REFUSED', reason = 'x'"
    " WHERE reference = %(reference)s"
)
LEAVE = (
    "UPDATE integrations_message SET state = 'SENDING', fence = fence + 1,"
    " locked_until = now() + interval '1 minute' WHERE id = %(file)s"
)


def forge(queued: list[Proposal], *changes: tuple[bytes, bytes]) -> str:
    """Put the three orders into a file of other bytes, as the app role; return its id."""
    file = gather(queued)
    fresh = uuid4()
    body = bytes(file.body).replace(file.reference.encode(), f"B-{fresh.hex}".encode())
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    batching.take_apart(order_of(queued[0]))
    sql(FORGE, id=str(fresh), file=file.pk, body=body)
    assert hashlib.sha256(body).hexdigest() == Message.objects.get(pk=fresh).sha256
    for proposal in queued:
        sql(JOIN, file=str(fresh), reference=proposal.reference)
    return str(fresh)


def test_the_same_orders_in_another_file_would_pass(queued: list[Proposal]) -> None:
    file = forge(queued)
    assert sql(LEAVE, file=file) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1000000001", b"2000000009"),
        (b"1000000002", b"2000000009"),
        (b">1000.50<", b">9000.50<"),
        (b"Harbour Street", b"Harbor Street"),
        (b"<BtchBookg>false", b"<BtchBookg>true"),
        (b"</CdtTrfTxInf><CdtTrfTxInf>", b"</CdtTrfTxInf> <CdtTrfTxInf>"),
    ],
)
def test_a_file_that_changes_an_order_takes_none(
    queued: list[Proposal], old: bytes, new: bytes
) -> None:
    with pytest.raises(DatabaseError, match="does not carry what was approved"):
        forge(queued, (old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"<NbOfTxs>3<", b"<NbOfTxs>2<"), (b"<CtrlSum>2751033.75<", b"<CtrlSum>2751033.76<")],
)
def test_a_file_with_other_totals_does_not_leave(
    queued: list[Proposal], old: bytes, new: bytes
) -> None:
    file = forge(queued, (old, new))
    with pytest.raises(DatabaseError, match="its totals"):
        sql(LEAVE, file=file)


def test_an_order_that_nobody_approved_does_not_leave_in_a_file(queued: list[Proposal]) -> None:
    """A fourth payment among the three, that belongs to no order."""
    more = b"<CdtTrfTxInf><PmtId><EndToEndId>FMP-999999</EndToEndId></PmtId></CdtTrfTxInf>"
    file = forge(queued, (b"</CdtTrfTxInf></PmtInf>", b"</CdtTrfTxInf>" + more + b"</PmtInf>"))
    with pytest.raises(DatabaseError, match="does not carry what was approved"):
        sql(LEAVE, file=file)


def test_the_guard_is_what_refuses_it(queued: list[Proposal]) -> None:
    """The negative control."""
    more = b"<CdtTrfTxInf><PmtId><EndToEndId>FMP-999999</EndToEndId></PmtId></CdtTrfTxInf>"
    file = forge(queued, (b"</CdtTrfTxInf></PmtInf>", b"</CdtTrfTxInf>" + more + b"</PmtInf>"))
    with guard_replaced("integrations_message", "guard_file_sent"):
        assert sql(LEAVE, file=file) == 1


def test_an_order_leaves_only_with_its_file(queued: list[Proposal]) -> None:
    gather(queued)
    for statement, words in (
        (LEAVE.replace("id = %(file)s", "reference = %(reference)s"), "goes the way of its file"),
        (ALONE, "goes the way of its file"),
        (
            "UPDATE integrations_message SET carrier_id = NULL WHERE reference = %(reference)s",
            "does not belong into that file",
        ),
    ):
        with pytest.raises(DatabaseError, match=words):
            sql(statement, reference=queued[0].reference)


def test_a_file_does_not_leave_without_all_its_orders(queued: list[Proposal]) -> None:
    file = forge(queued)
    with guard_replaced("integrations_message", "guard_carrier"):
        sql(
            "UPDATE integrations_message SET carrier_id = NULL WHERE reference = %(reference)s",
            reference=queued[0].reference,
        )
    with pytest.raises(DatabaseError, match="carries 2 orders, not 3"):
        sql(LEAVE, file=file)


# --- what the bank answers ------------------------------------------------------------------------


@scene
def sent(queued: list[Proposal]) -> Message:
    """The file at the bank, and every payment told so."""
    file = gather(queued)
    dispatching._lease(file, until=clock.now() + LEASE)
    dispatching.become_sent(file, bank_reference="R", facts={})
    for proposal in queued:
        transfers.mark_sent(reference=proposal.reference, bank_reference="R")
    return file


def stands(queued: list[Proposal]) -> list[str]:
    rows = Proposal.objects.filter(pk__in=[one.pk for one in queued]).order_by("reference")
    return list(rows.values_list("state", flat=True))


def about_the_file(file: Message, status: str) -> PaymentStatus:
    return PaymentStatus(
        status=status,
        scope=StatusScope.BATCH,
        original_payment_information_id=file.message_reference,
    )


def test_what_is_said_of_the_file_is_said_of_each(queued: list[Proposal], sent: Message) -> None:
    assert said(about_the_file(sent, "ACSP"), over="host") == 3
    statuses = TransferStatus.objects.values_list("status", "attempt")
    assert list(statuses) == [("ACSP", 1)] * 3


def test_a_rejected_file_fails_each(queued: list[Proposal], sent: Message) -> None:
    assert said(about_the_file(sent, "RJCT"), over="host") == 3
    assert stands(queued) == ["FAILED"] * 3


def test_one_of_them_may_be_rejected_alone(queued: list[Proposal], sent: Message) -> None:
    one = PaymentStatus(
        status="RJCT",
        reason_code="AC04",
        original_payment_information_id=sent.message_reference,
        original_instruction_id=f"{queued[1].reference}-1",
        original_end_to_end_id=queued[1].reference,
    )
    assert said(one, over="host") == 1
    assert stands(queued) == ["SENT", "FAILED", "SENT"]
    assert TransferStatus.objects.get().attempt == 1


def test_the_archive_finds_them_by_the_file(queued: list[Proposal], sent: Message) -> None:
    found = archive.references_in_file(sent.message_reference)
    assert found == [(one.reference, f"{one.reference}-1") for one in queued]


def test_pages_lead_from_the_file_to_its_payments_and_back(
    queued: list[Proposal], sent: Message, maker: User
) -> None:
    client = client_of(maker)
    page = client.get(f"/bank-messages/{sent.pk}").content.decode()
    own = Message.objects.get(reference=queued[0].reference, carrier=sent)
    assert all(one.reference in page for one in queued)
    assert f"/bank-messages/{own.pk}" in page
    assert sent.name in client.get(f"/bank-messages/{own.pk}").content.decode()
    order = client.get(f"/proposals/{queued[0].pk}/instruction").content.decode()
    assert "one file of 3 payments" in order


def test_evidence_holds_the_file_as_well(queued: list[Proposal], sent: Message) -> None:
    transfer = Transfer.objects.get(proposal=queued[0])
    found = {one["id"]: one for one in building._messages(transfer)}
    assert found[str(sent.pk)]["archived_bytes_hold"]
    assert len(found) == 2
