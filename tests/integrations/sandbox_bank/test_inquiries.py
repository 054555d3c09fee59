"""Recalls are answered by whether the payment was executed; a wish for a report with the report."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from integrations.codecs.camt029 import RecallAnswer, RecallReport
from integrations.codecs.inquiries import ReportRequest, write_camt060
from integrations.codecs.instructions import Agent, Party
from integrations.codecs.reading import read_message
from integrations.codecs.recalls import Recall, write_camt056
from integrations.codecs.records import ParsedMessage
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.folder_door import FolderDoor
from integrations.sandbox_bank.records import BankError

MOMENT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
USD_OPERATING = "4010007781"
RECALL = Recall(
    case_id="RCL-1",
    created_at=MOMENT,
    requester_name="Demo Remit Limited",
    bank=Agent(bic="SBNKUS33XXX"),
    original_message_id="TMS-000001",
    original_message_name="pain.001.001.09",
    end_to_end_id="FMP-1",
    amount=Decimal("2750000.00"),
    currency="USD",
    settlement_date=date(2026, 11, 23),
    reason="DUPL",
)
WISH = ReportRequest(
    message_id="ASK-1",
    created_at=MOMENT,
    report="camt.052",
    account=Party(name="Demo Remit Limited", number=USD_OPERATING),
    bank=Agent(bic="SBNKUS33XXX"),
    first_day=date(2026, 11, 23),
    last_day=date(2026, 11, 23),
)


def said(bank: Bank) -> list[RecallAnswer]:
    """Return the bank's answers to recalls, as we read them."""
    found = bank.messages(after=0, channel="all")
    read = [read_message(bank.message(m["n"])[1]) for m in found if m["kind"] == "camt.029"]
    return [answer for one in read if isinstance(one, RecallReport) for answer in one.answers]


def ask(bank: Bank, recall: Recall = RECALL) -> RecallAnswer:
    bank.receive(write_camt056(recall), door="http")
    return said(bank)[-1]


def test_a_payment_that_was_not_executed_is_stopped_and_never_booked(
    bank: Bank, customer: Any, order: Any
) -> None:
    before = customer.balance(USD_OPERATING)
    customer.send(order())
    answer = ask(bank)
    assert (answer.status, answer.case_id) == ("ACCR", "RCL-1")
    assert answer.original_end_to_end_id == "FMP-1"
    assert customer.statuses("FMP-1")[-1] == "CANC"
    customer.pass_time(days=2)
    assert customer.balance(USD_OPERATING) == before
    assert bank.book.available(bank.book.require_account(USD_OPERATING)) >= before
    assert "ACSC" not in customer.statuses("FMP-1")
    again = ask(bank, replace(RECALL, case_id="RCL-2"))
    assert (again.status, again.reason_code) == ("RJCR", "ARDT")


def test_an_executed_payment_is_not_given_back(bank: Bank, customer: Any, order: Any) -> None:
    customer.send(order())
    customer.pass_time(hours=4)
    after = customer.balance(USD_OPERATING)
    answer = ask(bank)
    assert (answer.status, answer.reason_code) == ("RJCR", "PTNA")
    assert "executed" in answer.reason_text
    assert customer.balance(USD_OPERATING) == after


def test_a_recall_names_a_payment_and_its_amount(bank: Bank, customer: Any, order: Any) -> None:
    customer.send(order())
    other = replace(RECALL, amount=Decimal("2750000.01"))
    assert ask(bank, other).reason_code == "AM09"
    unknown = replace(RECALL, case_id="RCL-3", end_to_end_id="FMP-9")
    assert ask(bank, unknown).reason_code == "NOOR"
    assert ask(bank, replace(RECALL, case_id="RCL-4")).status == "ACCR"


def test_the_same_question_is_answered_once(bank: Bank, customer: Any, order: Any) -> None:
    customer.send(order())
    data = write_camt056(RECALL)
    first = bank.receive(data, door="http", idempotency_key="K1").body
    assert bank.receive(data, door="http", idempotency_key="K1").body == first
    bank.receive(data, door="http")
    assert len(said(bank)) == 1
    with pytest.raises(BankError, match="other content"):
        bank.receive(write_camt060(WISH), door="http", idempotency_key="K1")


def test_a_wish_for_a_report_brings_the_day_so_far(bank: Bank, customer: Any, order: Any) -> None:
    customer.send(order())
    customer.pass_time(minutes=20)
    earlier = len(customer.messages("camt.052"))
    bank.receive(write_camt060(WISH), door="http")
    assert len(customer.messages("camt.052")) == earlier + 1
    number = [m["n"] for m in bank.messages(after=0) if m["kind"] == "camt.052"][-1]
    report = read_message(bank.message(number)[1])
    assert isinstance(report, ParsedMessage)
    (statement,) = report.statements
    assert statement.account.number == USD_OPERATING
    assert [one.amount for one in statement.entries]


def test_a_report_of_a_strange_account_is_refused(bank: Bank) -> None:
    strange = Party(name="Somebody", number="999")
    with pytest.raises(BankError, match="no such account"):
        bank.receive(write_camt060(replace(WISH, account=strange)), door="http")


def test_a_question_without_a_reference_is_refused(bank: Bank) -> None:
    data = write_camt060(WISH).replace(b"<MsgId>ASK-1</MsgId>", b"<MsgId></MsgId>")
    with pytest.raises(BankError, match="no reference"):
        bank.receive(data, door="http")


def test_questions_come_and_are_answered_through_the_folder_too(
    folder_bank: Bank, customer_of: Callable[[Bank], Any], order: Any, tmp_path: Path
) -> None:
    customer_of(folder_bank).send(order())
    door = FolderDoor(folder_bank, tmp_path / "line")
    (door.outbound / "recall.xml").write_bytes(write_camt056(RECALL))
    (door.outbound / "wish.xml").write_bytes(write_camt060(WISH))
    assert door.take_in() == 2
    assert door.take_in() == 0
    door.hand_out()
    kinds = sorted(path.name.split("_")[1] for path in door.inbound.iterdir())
    assert {"camt.029", "camt.052"} <= set(kinds)
