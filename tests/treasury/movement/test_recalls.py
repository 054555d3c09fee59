"""A payment is asked back by one person, agreed to by others, and back only when its entry is."""

from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from approvals import selectors as approval_reads
from approvals import services as approvals
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from core.tenancy import Tenant, bound
from integrations import selectors as archive
from integrations import services as lines
from integrations.codecs.camt029 import RecallReport
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import MessageKind
from integrations.models import Message
from tests.approvals.stepping import shown
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import House, guard_replaced
from tests.treasury.movement.test_any_order import entry, sent
from treasury import guards
from treasury.errors import NotRecallable
from treasury.models import Proposal, Recall, RecallState, Task, Transfer
from treasury.services import answers, recalls

__all__ = ["sent"]


def ask(proposal: Proposal, tenant: Tenant, person: User, **more: str) -> Recall:
    facts = {"reason": "DUPL", "words": "Paid twice by mistake", **more}
    with bound(tenant.id, actor=person.pk):
        return recalls.request_recall(
            transfer_id=Transfer.objects.get(proposal=proposal).pk, actor=person, **facts
        )


def decide(recall: Recall, tenant: Tenant, person: User, outcome: str = "APPROVE") -> None:
    with bound(tenant.id, actor=person.pk):
        request = approval_reads.request_of(
            subject_type="treasury.recall", subject_id=recall.pk, subject_version=1
        )
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=person,
            outcome=outcome,
            content_hash=request.content_hash,
            version=1,
            reason="seen",
            evidence=shown(person, request.content_hash),
        )


def fresh(recall: Recall) -> Recall:
    return Recall.objects.get(pk=recall.pk)


def camt029(case: str, status: str, *, end_to_end: str = "", overall: str = "") -> bytes:
    payment = (
        f"<CxlDtls><TxInfAndSts><OrgnlEndToEndId>{end_to_end}</OrgnlEndToEndId>"
        f"<TxCxlSts>{status}</TxCxlSts><CxlStsRsnInf><Rsn><Cd>CUST</Cd></Rsn>"
        "<AddtlInf>No consent</AddtlInf></CxlStsRsnInf></TxInfAndSts></CxlDtls>"
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.029.001.09"><RsltnOfInvstgtn>'
        "<Assgnmt><Id>A-1</Id><CreDtTm>2026-11-20T10:00:00Z</CreDtTm></Assgnmt>"
        f"<RslvdCase><Id>{case}</Id></RslvdCase><Sts><Conf>{overall or 'CNCL'}</Conf></Sts>"
        f"{payment if status else ''}</RsltnOfInvstgtn></Document>"
    ).encode()


def answer(data: bytes) -> int:
    report = read_message(data)
    assert isinstance(report, RecallReport)
    return recalls.apply_recall_report(report=report)


@scene
def asked(sent: Proposal, tenant: Tenant, maker: User, checker: User, checker2: User) -> Recall:
    recall = ask(sent, tenant, maker)
    for person in (checker, checker2):
        if fresh(recall).state == RecallState.REQUESTED:
            decide(recall, tenant, person)
    return fresh(recall)


def test_the_machine_is_the_guards_own() -> None:
    declared = {
        (one.source, one.target)
        for one in Recall().get_all_state_transitions()  # type: ignore[attr-defined]
    }
    assert declared == set(guards.recalls.EDGES)


def test_an_approved_recall_leaves_as_it_was_approved(asked: Recall, sent: Proposal) -> None:
    assert asked.state == RecallState.SENT
    message = archive.messages().outbound().get(reference=asked.case_id)
    assert (message.kind, message.sha256) == ("camt.056", asked.order_sha256)
    body = lines.message_bytes(message.pk).decode()
    for part in (sent.reference, "DUPL", "Paid twice by mistake", asked.transfer.uetr):
        assert part in body


def test_before_approval_nothing_leaves_and_a_no_ends_it(
    sent: Proposal, tenant: Tenant, maker: User, checker: User
) -> None:
    recall = ask(sent, tenant, maker)
    assert not archive.messages().outbound().filter(reference=recall.case_id).exists()
    decide(recall, tenant, checker, "REJECT")
    assert fresh(recall).state == RecallState.DECLINED
    assert ask(sent, tenant, maker).case_id != recall.case_id


def test_only_what_the_bank_has_is_asked_back_once_and_in_words(
    asked: Recall, sent: Proposal, tenant: Tenant, maker: User, user_with: MakeUser
) -> None:
    with pytest.raises(NotRecallable, match=asked.case_id):
        ask(sent, tenant, maker)
    for wrong, field in (({"reason": "XXXX"}, "reason"), ({"words": " "}, "words")):
        with pytest.raises(Invalid) as refusal:
            ask(sent, tenant, maker, **wrong)
        assert refusal.value.context["field"] == field
    with pytest.raises(Forbidden):
        ask(sent, tenant, user_with("static_data", name="clerk"))
    with pytest.raises(NotFound):
        recalls.request_recall(transfer_id=uuid4(), reason="DUPL", words="x", actor=maker)


def test_yes_is_a_word_and_the_entry_is_the_money(
    asked: Recall, sent: Proposal, house: House
) -> None:
    assert answer(camt029(asked.case_id, "ACCR", end_to_end=sent.reference)) == 1
    assert fresh(asked).state == RecallState.ACCEPTED
    assert Proposal.objects.get(pk=sent.pk).state == "SENT"
    for amount, more in ((-sent.amount, {}), (sent.amount, {"return_reason": "FOCR"})):
        one = entry(house.near, sent, amount, **more)
        one.save()
        answers.apply_entries(entries=[one])
    assert Proposal.objects.get(pk=sent.pk).state == "RETURNED"


@pytest.mark.parametrize("order", [("RJCR", "ACCR"), ("ACCR", "RJCR", "ACCR")])
def test_a_yes_outweighs_a_no_in_any_order(
    asked: Recall, sent: Proposal, order: tuple[str, ...]
) -> None:
    for status in order:
        answer(camt029(asked.case_id, status, end_to_end=sent.reference))
    assert fresh(asked).state == RecallState.ACCEPTED
    assert not Task.objects.open().exists()


def test_a_no_is_a_task_and_an_open_answer_changes_nothing(asked: Recall, sent: Proposal) -> None:
    answer(camt029(asked.case_id, "PDCR", end_to_end=sent.reference))
    assert fresh(asked).state == RecallState.SENT
    answer(camt029(asked.case_id, "RJCR", end_to_end=sent.reference))
    assert fresh(asked).state == RecallState.REFUSED
    (task,) = Task.objects.open()
    assert "No consent" in task.detail
    assert answer(camt029("RCL-999999", "RJCR", end_to_end="OTHER")) == 0


def test_a_line_that_refuses_ends_it_and_a_person_is_told(asked: Recall) -> None:
    recalls.fail_recall(case_id=asked.case_id, reason="The line is closed.")
    assert fresh(asked).state == RecallState.FAILED
    assert Task.objects.open().get().kind == "recall_answer"


def test_the_database_lets_no_other_bytes_leave_as_a_recall(asked: Recall) -> None:
    held = Message.objects.get(reference=asked.case_id)
    forged = b"<CdtTrfTxInf/>FIToFIPmtCxlReq"
    with pytest.raises(DatabaseError, match="not the recall"), transaction.atomic():
        _copy(held, forged)
    with guard_replaced("integrations_message", "guard_recall"), transaction.atomic():
        _copy(held, forged)
        transaction.set_rollback(True)


def _copy(held: Message, body: bytes) -> None:
    import hashlib

    Message.objects.create(
        direction="OUT",
        connection=held.connection,
        kind="camt.056",
        name="forged",
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        size_bytes=len(body),
        state="QUEUED",
        reference="RCL-000099",
        message_reference="RCL-000099",
        attempt=1,
        due_at=held.due_at,
    )


def test_the_database_demands_approval_and_ones_own_name(
    sent: Proposal, tenant: Tenant, maker: User
) -> None:
    recall = ask(sent, tenant, maker)
    with pytest.raises(DatabaseError, match="not been approved"), transaction.atomic():
        recalls.send_recall(recall_id=recall.pk)
    with pytest.raises(DatabaseError, match="own name"), transaction.atomic():
        Recall.objects.create(
            transfer=recall.transfer, case_id="RCL-9", reason="DUPL", words="x",
            requested_by=maker, requested_at=recall.requested_at, order_sha256="0" * 64,
        )  # fmt: skip


def test_the_page_asks_and_shows_what_became_of_it(
    sent: Proposal, maker: User, checker: User, checker2: User
) -> None:
    client = client_of(maker)
    page = client.get(f"/proposals/{sent.pk}").content.decode()
    assert "Ask it back" in page
    held = Transfer.objects.get(proposal=sent)
    given = {"reason": "FRAD", "words": "The invoice was forged"}
    page = client.post(f"/transfers/{held.pk}/recall", given, follow=True).content.decode()
    assert "Recall RCL-000001" in page
    assert "Recall awaits approval" in page


def test_answers_are_read_with_and_without_details() -> None:
    data = camt029("RCL-1", "", overall="RJCR")
    assert identify(data) is MessageKind.CAMT029
    report = read_message(data)
    assert isinstance(report, RecallReport)
    assert [(one.status, one.case_id) for one in report.answers] == [("RJCR", "RCL-1")]
    with pytest.raises(UnreadableMessage):
        read_message(camt029("RCL-1", "", overall="WHAT"))
