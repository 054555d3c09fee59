"""Trouble on demand: each kind does what it says, to the payments it names, and to no other."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from integrations.sandbox_bank import views
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.faults import draw_faults
from integrations.sandbox_bank.records import BankError

USD_OPERATING = "4010007781"
NAMED = {"match": {"end_to_end_id": "FMP-1"}}


def test_a_silent_bank_neither_answers_nor_books(customer: Any, order: Any) -> None:
    customer.bank.add_fault({"kind": "silent", **NAMED})
    customer.send(order(), order(end_to_end_id="FMP-2"))
    customer.pass_time(days=1)
    assert customer.statuses("FMP-1") == []
    assert customer.statuses("FMP-2")[-1] == "ACCC"
    assert views.executed_view(customer.bank.book) == {"FMP-2": 1}
    found = views.find_payment(customer.bank.book, "FMP-1")
    assert found is not None
    assert found["status"] == "RCVD"


def test_a_late_bank_answers_and_books_later(customer: Any, order: Any) -> None:
    customer.bank.add_fault({"kind": "late", "seconds": 3600, **NAMED})
    customer.send(order())
    customer.pass_time(minutes=59)
    assert customer.statuses("FMP-1") == []
    customer.pass_time(minutes=10)
    assert customer.statuses("FMP-1") == ["ACTC", "ACSP", "ACSC", "ACCC"]


def test_an_ordered_refusal_carries_its_code(customer: Any, order: Any) -> None:
    customer.bank.add_fault({"kind": "reject", "code": "AC06", "count": 1})
    customer.send(order())
    assert customer.statuses("FMP-1") == ["RJCT"]
    assert customer.messages("pain.002")[0].findtext(".//{*}Rsn/{*}Cd") == "AC06"
    customer.send(order())
    assert customer.statuses("FMP-1")[-1] == "ACTC"


def test_answering_twice_repeats_ids_and_bytes_but_books_once(customer: Any, order: Any) -> None:
    customer.bank.add_fault({"kind": "answer_twice"})
    customer.send(order())
    customer.pass_time(minutes=10)
    told = customer.bank.messages(after=0)
    answers = Counter(m["message_id"] for m in told if m["kind"] in {"pain.002", "camt.054"})
    assert len(answers) == 6
    assert set(answers.values()) == {2}
    assert views.executed_view(customer.bank.book) == {"FMP-1": 1}
    by_id: dict[str, set[bytes]] = {}
    for message in told:
        payload = customer.bank.message(message["n"])[1]
        by_id.setdefault(message["message_id"], set()).add(payload)
    assert {len(payloads) for payloads in by_id.values()} == {1}


def test_a_returned_payment_comes_back_with_its_reason(customer: Any, order: Any) -> None:
    before = customer.balance(USD_OPERATING)
    customer.bank.add_fault({"kind": "return", "code": "AC04", "seconds": 60})
    customer.send(order(creditor="123456789", creditor_bic="OTHRUS33XXX"))
    customer.pass_time(minutes=30)
    returned = customer.messages("camt.054")[-1]
    assert returned.findtext(".//{*}RtrInf/{*}Rsn/{*}Cd") == "AC04"
    assert returned.findtext(".//{*}EndToEndId") == "FMP-1"
    assert customer.balance(USD_OPERATING) == before


def test_an_answer_may_be_lost_although_the_order_stands(customer: Any, order: Any) -> None:
    customer.bank.add_fault({"kind": "accept_then_timeout", "mode": "hang", "seconds": 5})
    receipt = customer.bank.receive(customer.file(order()), door="http")
    assert receipt.lost is not None
    assert (receipt.lost.mode, receipt.lost.seconds) == ("hang", 5)
    customer.pass_time(minutes=10)
    assert views.executed_view(customer.bank.book) == {"FMP-1": 1}


@pytest.mark.parametrize("match", [{"rail": "CHAPS"}, {"account": "4020009945"}, {"rail": "T2"}])
def test_a_fault_leaves_alone_what_it_does_not_name(
    customer: Any, order: Any, match: dict[str, str]
) -> None:
    customer.bank.add_fault({"kind": "silent", "match": match})
    customer.send(order())
    assert customer.statuses("FMP-1") == ["ACTC"]
    assert customer.bank.list_faults()[0]["fired"] == 0


def test_random_faults_depend_on_seed_and_reference_not_on_order(bank: Bank) -> None:
    bank.add_fault({"kind": "silent", "rate": 0.25, "seed": 7})
    names = [f"FMP-{number}" for number in range(400)]

    def hit(subjects: list[str]) -> set[str]:
        return {
            subject
            for subject in subjects
            if draw_faults(bank.book, frozenset({"silent"}), subject=subject, facts={})
        }

    first = hit(names)
    assert 60 < len(first) < 140
    assert hit(names[::-1]) == first
    bank.clear_faults()
    bank.add_fault({"kind": "silent", "rate": 0.25, "seed": 8})
    assert hit(names) != first


def test_a_count_is_used_up(customer: Any, order: Any) -> None:
    customer.bank.add_fault({"kind": "reject", "count": 2})
    for number in range(3):
        customer.send(replace(order(), end_to_end_id=f"FMP-{number}"))
    assert [customer.statuses(f"FMP-{n}")[-1] for n in range(3)] == ["RJCT", "RJCT", "ACTC"]
    fault = customer.bank.list_faults()[0]
    assert (fault["count"], fault["fired"]) == (0, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"kind": "nonsense"},
        {"kind": "silent", "colour": "red"},
        {"kind": "silent", "match": {"colour": "red"}},
        {"kind": "silent", "count": 0},
        {"kind": "silent", "count": 1.5},
        {"kind": "silent", "rate": 1.5},
        {"kind": "silent", "rate": True},
        {"kind": "late", "seconds": -1},
        {"kind": "silent", "seed": "seven"},
        {"kind": "accept_then_timeout", "mode": "explode"},
    ],
)
def test_a_fault_must_be_described_properly(bank: Bank, wrong: object) -> None:
    with pytest.raises(BankError) as refusal:
        bank.add_fault(wrong)
    assert refusal.value.code == "fault_invalid"
    assert bank.list_faults() == []


def _closings(customer: Any) -> list[tuple[int, str, str, str]]:
    found = []
    for statement in customer.messages("camt.053"):
        if statement.findtext(".//{*}Acct/{*}Id/{*}Othr/{*}Id") == USD_OPERATING:
            balances = {
                b.findtext(".//{*}Cd"): b.findtext("{*}Amt")
                for b in statement.iterfind(".//{*}Bal")
            }
            sequence = int(statement.findtext(".//{*}ElctrncSeqNb"))
            name = statement.findtext(".//{*}MsgId")
            found.append((sequence, balances["OPBD"], balances["CLBD"], name))
    return found


def test_a_statement_gap_skips_a_number_and_can_be_healed(customer: Any) -> None:
    customer.bank.add_fault(
        {"kind": "statement_gap", "match": {"account": USD_OPERATING}, "count": 1}
    )
    customer.pass_time(days=3)
    assert [line[0] for line in _closings(customer)] == [2, 3]
    customer.bank.report(account=USD_OPERATING, kind="camt.053", day="2026-11-23")
    assert [line[0] for line in _closings(customer)] == [2, 3, 1]


def test_a_duplicate_statement_is_the_same_message_again(customer: Any) -> None:
    customer.bank.add_fault({"kind": "duplicate_statement", "match": {"account": USD_OPERATING}})
    customer.pass_time(days=1)
    first, second = _closings(customer)
    assert first == second


def test_a_wrong_sum_shows_in_one_statement_only(customer: Any) -> None:
    customer.bank.add_fault({"kind": "wrong_sum", "match": {"account": USD_OPERATING}, "count": 1})
    customer.pass_time(days=2)
    wrong, right = _closings(customer)
    assert wrong[2] != wrong[1]
    assert right[1] == right[2] == wrong[1]
    assert not views.imbalances(customer.bank.book)
