"""A payment order goes in; the book moves once and the bank says so, or says why not."""

import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sepaxml
from lxml import etree

from integrations.sandbox_bank import views
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.ledger import Posting, post_movement
from integrations.sandbox_bank.rails import choose_rail, next_slot
from integrations.sandbox_bank.records import BankError

USD_OPERATING, USD_FUNDING = "4010007781", "4020009945"
UETR = "7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b"
AMOUNT = 275_000_000


def test_the_customers_file_is_valid_by_the_published_schema(customer: Any, order: Any) -> None:
    folder = Path(sepaxml.__file__).parent / "schemas"
    schema = etree.XMLSchema(etree.parse(folder / "pain.001.001.09.xsd"))
    schema.assertValid(etree.fromstring(customer.file(order(), order(end_to_end_id="FMP-2"))))


def test_an_order_is_booked_once_and_answered_in_sequence(customer: Any, order: Any) -> None:
    before = customer.balance(USD_OPERATING), customer.balance(USD_FUNDING)
    customer.send(order(uetr=UETR))
    assert customer.statuses("FMP-1") == ["ACTC"]
    assert customer.balance(USD_OPERATING) == before[0]

    customer.pass_time(minutes=10)

    assert customer.statuses("FMP-1") == ["ACTC", "ACSP", "ACSC", "ACCC"]
    assert customer.balance(USD_OPERATING) == before[0] - AMOUNT
    assert customer.balance(USD_FUNDING) == before[1] + AMOUNT
    found = views.find_payment(customer.bank.book, "FMP-1")
    assert found is not None
    assert (found["rail"], found["executed_count"], found["uetr"]) == ("FEDWIRE", 1, UETR)


def test_both_sides_are_notified_with_the_references(customer: Any, order: Any) -> None:
    customer.send(order(uetr=UETR))
    customer.pass_time(minutes=10)

    entries = [message.find(".//{*}Ntry") for message in customer.messages("camt.054")]

    assert [entry.findtext("{*}CdtDbtInd") for entry in entries] == ["DBIT", "CRDT"]
    for entry in entries:
        assert entry.findtext("{*}Amt") == "2750000.00"
        assert entry.findtext(".//{*}EndToEndId") == "FMP-1"
        assert entry.findtext(".//{*}UETR") == UETR
        assert entry.findtext("{*}AcctSvcrRef") == entry.findtext(".//{*}Refs/{*}AcctSvcrRef")
    references = {entry.findtext("{*}AcctSvcrRef") for entry in entries}
    settled = [r for r in customer.messages("pain.002") if r.findtext(".//{*}TxSts") == "ACSC"]
    assert len(references) == 2
    assert settled[0].findtext(".//{*}AcctSvcrRef") in references


def test_a_creditor_elsewhere_ends_with_the_debit(customer: Any, order: Any) -> None:
    customer.send(order(creditor="123456789", creditor_bic="OTHRUS33XXX"))
    customer.pass_time(minutes=10)
    assert customer.statuses("FMP-1") == ["ACTC", "ACSP", "ACSC"]


WRONG_ORDERS: list[tuple[str, dict[str, str]]] = [
    ("AC01", {"debtor": "9999999999"}),
    ("AC01", {"creditor": "DE43990000010532013000", "creditor_bic": "SBNKDEFFXXX"}),
    ("AC03", {"creditor": "1111111111"}),
    ("AC03", {"creditor": USD_OPERATING, "creditor_bic": "SBNKUS33XXX"}),
    ("AC09", {"debtor_currency": "EUR"}),
    ("AGNT", {"debtor_bic": "SBNKGB2LXXX"}),
    ("AM01", {"amount": "0.00"}),
    ("AM02", {"amount": "10000000000.00"}),
    ("AM03", {"currency": "EUR"}),
    ("AM04", {"amount": "999000000.00"}),
    ("AM12", {"amount": "10.005"}),
    ("BE04", {"address": "<AdrLine>1 Example Street, New York</AdrLine>"}),
    ("BE04", {"address": "<TwnNm>New York</TwnNm><AdrLine>no country</AdrLine>"}),
    (
        "BE04",
        {"address": "<TwnNm>X</TwnNm><Ctry>US</Ctry>" + "<AdrLine>line</AdrLine>" * 3},
    ),
    ("BE22", {"creditor_name": ""}),
    ("DT01", {"day": "2026-11-22"}),
    ("DT01", {"day": "2027-12-31"}),
    ("FF01", {"uetr": "018f3c1e-7b5a-7c3d-8e9f-0a1b2c3d4e5f"}),
    ("FF01", {"end_to_end_id": "F" * 36}),
    ("RC01", {"creditor_bic": "NOTABIC"}),
]


@pytest.mark.parametrize(("code", "change"), WRONG_ORDERS)
def test_a_wrong_order_is_refused_with_its_reason_and_moves_nothing(
    customer: Any, order: Any, code: str, change: dict[str, str]
) -> None:
    customer.send(replace(order(), **change))
    customer.pass_time(days=1)

    (report,) = customer.messages("pain.002")
    assert report.findtext(".//{*}TxSts") == "RJCT"
    assert report.findtext(".//{*}GrpSts") == "RJCT"
    assert report.findtext(".//{*}Rsn/{*}Cd") == code
    assert len(report.findtext(".//{*}AddtlInf")) > 10
    assert customer.bank.book.rows("SELECT 1 FROM movement") == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("AM18", {"count": "2"}),
        ("AM10", {"total": "2750000.01"}),
        ("AM10", {"total": "many"}),
        ("AM10", {"total": "1e999999999"}),
    ],
)
def test_a_file_whose_totals_are_wrong_is_refused_whole(
    customer: Any, order: Any, code: str, wrong: dict[str, str]
) -> None:
    customer.send(order(), **wrong)
    report = customer.messages("pain.002")[0]
    assert report.findtext(".//{*}GrpSts") == "RJCT"
    assert report.findtext(".//{*}Rsn/{*}Cd") == code
    assert views.find_payment(customer.bank.book, "FMP-1") is None


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("FF01", b"<PmtMtd>TRF</PmtMtd>", b"<Colour>red</Colour>"),
        ("CH21", b"<PmtMtd>TRF</PmtMtd>", b""),
        ("FF01", b"<NbOfTxs>1</NbOfTxs>", b"<CtrlSum>1</CtrlSum><NbOfTxs>1</NbOfTxs>"),
    ],
)
def test_elements_out_of_the_schemas_order_are_refused(
    customer: Any, order: Any, code: str, old: bytes, new: bytes
) -> None:
    payload = customer.file(order())
    assert old in payload
    customer.bank.receive(payload.replace(old, new), door="http")
    report = customer.messages("pain.002")[0]
    assert report.findtext(".//{*}GrpSts") == "RJCT"
    assert report.findtext(".//{*}Rsn/{*}Cd") == code


@pytest.mark.parametrize(
    ("code", "payload"),
    [
        ("not_well_formed", b"<Document"),
        ("not_well_formed", b""),
        ("doctype_refused", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        (
            "unsupported_message",
            b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"/>',
        ),
        (
            "message_id_missing",
            b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>',
        ),
        ("too_large", b" " * 5_000_001),
    ],
)
def test_what_is_not_a_payment_file_is_turned_away(bank: Bank, code: str, payload: bytes) -> None:
    with pytest.raises(BankError) as refusal:
        bank.receive(payload, door="http")
    assert refusal.value.code == code
    assert bank.book.rows("SELECT 1 FROM incoming") == []


def test_a_message_id_is_good_for_one_file_only(customer: Any, order: Any) -> None:
    customer.send(order(), message_id="TMS-A")
    customer.send(order(end_to_end_id="FMP-2"), message_id="TMS-A")
    customer.pass_time(minutes=10)
    assert customer.messages("pain.002")[1].findtext(".//{*}Rsn/{*}Cd") == "DU01"
    assert views.executed_view(customer.bank.book) == {"FMP-1": 1}


def test_an_end_to_end_id_is_executed_once_per_debtor(customer: Any, order: Any) -> None:
    customer.send(order())
    customer.send(order())
    customer.pass_time(minutes=10)
    assert customer.statuses("FMP-1") == ["ACTC", "RJCT", "ACSP", "ACSC", "ACCC"]
    assert views.executed_view(customer.bank.book) == {"FMP-1": 1}
    found = views.find_payment(customer.bank.book, "FMP-1")
    assert found is not None
    assert (found["status"], found["attempts"]) == ("ACCC", 2)


def test_a_refused_order_may_be_tried_again_under_the_same_reference(
    customer: Any, order: Any
) -> None:
    customer.send(order(address="<AdrLine>nowhere</AdrLine>"))
    customer.send(order())
    customer.pass_time(minutes=10)
    assert customer.statuses("FMP-1")[-1] == "ACCC"
    assert views.executed_view(customer.bank.book) == {"FMP-1": 1}


def test_the_book_itself_refuses_a_second_debit(customer: Any, order: Any) -> None:
    customer.send(order())
    customer.pass_time(minutes=10)
    bank = customer.bank
    payment = bank.book.row("SELECT * FROM payment")
    again = Posting(
        account=bank.book.require_account(USD_OPERATING),
        amount=-AMOUNT,
        leg="debit",
        value_date=date(2026, 11, 23),
        code=("PMNT", "ICDT", "DMCT"),
        payment_id=payment["id"],
        details={},
    )
    before = customer.balance(USD_OPERATING)
    with pytest.raises(sqlite3.IntegrityError), bank.book.transaction():
        post_movement(bank.office, again, bank.office.now())
    assert customer.balance(USD_OPERATING) == before


def test_orders_of_one_file_share_the_funds(customer: Any, order: Any) -> None:
    half = order(amount="25000000.00")
    customer.send(half, replace(half, end_to_end_id="FMP-2"))
    customer.pass_time(minutes=10)
    assert customer.messages("pain.002")[0].findtext(".//{*}GrpSts") == "PART"
    assert customer.statuses("FMP-1")[-1] == "ACCC"
    assert customer.statuses("FMP-2") == ["RJCT"]


def test_an_accepted_order_holds_back_its_funds_until_it_is_booked(
    customer: Any, order: Any
) -> None:
    book = customer.bank.book
    customer.send(order())
    account = book.require_account(USD_OPERATING)
    assert book.available(account) == account.balance - AMOUNT
    customer.pass_time(minutes=10)
    account = book.require_account(USD_OPERATING)
    assert book.available(account) == account.balance


def test_a_closed_rail_lets_the_order_wait_for_its_opening(customer: Any, order: Any) -> None:
    sterling = order(
        currency="GBP", debtor_currency="GBP", amount="1000.00", day="2026-11-27",
        debtor="GB30SBNK99000110203344", debtor_bic="SBNKGB2LXXX",
        creditor="GB33SBKT99000255667788", creditor_bic="SBKTGB2LXXX",
    )  # fmt: skip
    customer.bank.advance_clock(to=datetime(2026, 11, 27, 17, 40, tzinfo=UTC))
    customer.send(sterling)
    customer.pass_time(minutes=10)
    assert customer.statuses("FMP-1") == ["ACTC", "PDNG"]

    customer.bank.advance_clock(to=datetime(2026, 11, 30, 5, 59, tzinfo=UTC))
    assert customer.statuses("FMP-1") == ["ACTC", "PDNG"]
    customer.bank.advance_clock(to=datetime(2026, 11, 30, 6, 10, tzinfo=UTC))
    assert customer.statuses("FMP-1") == ["ACTC", "PDNG", "ACSP", "ACSC", "ACCC"]


def test_funds_are_seen_to_again_when_a_waiting_order_starts(customer: Any, order: Any) -> None:
    big = order(amount="30000000.00", day="2026-11-24")
    customer.send(big, replace(big, end_to_end_id="FMP-2"))
    assert customer.statuses("FMP-2") == ["ACTC"]
    customer.pass_time(days=1, hours=12)
    ends = {customer.statuses("FMP-1")[-1], customer.statuses("FMP-2")[-1]}
    assert ends == {"ACCC", "RJCT"}
    assert not views.imbalances(customer.bank.book)


@pytest.mark.parametrize(
    ("rail", "debtor", "creditor", "currency", "level", "instrument"),
    [
        ("BOOK", "SBNKUS33XXX", "SBNKUS33", "USD", "URGP", ""),
        ("FEDWIRE", "SBNKUS33XXX", "SBKTUS33XXX", "USD", "URGP", ""),
        ("SWIFT_GPI", "SBNKUS33XXX", "SBNKGB2LXXX", "USD", "URGP", ""),
        ("CHAPS", "SBNKGB2LXXX", "SBKTGB2LXXX", "GBP", "URGP", ""),
        ("T2", "SBNKDEFFXXX", "SBKTDEFFXXX", "EUR", "URGP", ""),
        ("SEPA_SCT", "SBNKDEFFXXX", "SBKTDEFFXXX", "EUR", "SEPA", ""),
        ("SEPA_INST", "SBNKDEFFXXX", "SBKTDEFFXXX", "EUR", "SEPA", "INST"),
        ("UAEFTS", "SBNKAEADXXX", "OTHRAEADXXX", "AED", "URGP", ""),
        ("RTGS_IN", "SBNKINBBXXX", "SBKTINBBXXX", "INR", "URGP", ""),
        ("SWIFT_GPI", "SBNKSGSGXXX", "OTHRSGSGXXX", "SGD", "URGP", ""),
    ],
)
def test_the_rail_follows_from_banks_currency_and_service(
    rail: str, debtor: str, creditor: str, currency: str, level: str, instrument: str
) -> None:
    chosen = choose_rail(
        debtor_bic=debtor,
        creditor_bic=creditor,
        creditor_country=creditor[4:6],
        currency=currency,
        service_level=level,
        instrument=instrument,
    )
    assert chosen == rail


@pytest.mark.parametrize(
    ("rail", "now", "starts", "business_date"),
    [
        ("FEDWIRE", "2026-11-25T23:44:59Z", "2026-11-25T23:44:59Z", "2026-11-25"),
        ("FEDWIRE", "2026-11-25T23:45:00Z", "2026-11-27T02:00:00Z", "2026-11-27"),
        ("FEDWIRE", "2026-11-23T01:59:00Z", "2026-11-23T02:00:00Z", "2026-11-23"),
        ("CHAPS", "2026-12-24T17:40:00Z", "2026-12-29T06:00:00Z", "2026-12-29"),
        ("T2", "2026-12-24T16:00:00Z", "2026-12-28T01:30:00Z", "2026-12-28"),
        ("T2", "2026-04-02T15:00:00Z", "2026-04-07T00:30:00Z", "2026-04-07"),
        ("UAEFTS", "2026-11-27T07:00:00Z", "2026-11-30T04:00:00Z", "2026-11-30"),
        ("RTGS_IN", "2026-11-22T18:00:00Z", "2026-11-22T19:00:00Z", "2026-11-23"),
        ("BOOK", "2026-11-22T03:00:00Z", "2026-11-22T03:00:00Z", "2026-11-22"),
    ],
)
def test_the_next_slot_respects_zone_hours_and_holidays(
    rail: str, now: str, starts: str, business_date: str
) -> None:
    moment = datetime.fromisoformat(now)
    slot = next_slot(rail, now=moment, not_before=date(2026, 1, 1), zone="UTC")
    assert slot.starts_at == datetime.fromisoformat(starts)
    assert slot.business_date == date.fromisoformat(business_date)


def test_the_clock_moves_forward_only(bank: Bank) -> None:
    with pytest.raises(BankError):
        bank.advance_clock(seconds=-1)
    with pytest.raises(BankError):
        bank.advance_clock()
    assert bank.clock()["offset_seconds"] == 0
    bank.advance_clock(seconds=60)
    assert bank.office.now() == datetime(2026, 11, 23, 14, 1, tzinfo=UTC)


def test_the_orders_of_one_file_are_answered_and_advised_together(
    customer: Any, order: Any
) -> None:
    names = [f"FMP-{number}" for number in range(1, 4)]
    orders = [order(end_to_end_id=name, amount=f"{100_000 + n}.00") for n, name in enumerate(names)]
    alone = order(end_to_end_id="FMP-9", amount="100009.00")
    customer.send(*orders)
    customer.send(alone)
    customer.pass_time(hours=2)
    told = {name: customer.statuses(name) for name in (*names, "FMP-9")}
    assert all(words == told["FMP-9"] for words in told.values())
    counts = [len(one.findall(".//{*}TxInfAndSts")) for one in customer.messages("pain.002")]
    assert sorted(counts) == [1] * len(told["FMP-9"]) + [3] * len(told["FMP-9"])
    entries = [len(one.findall(".//{*}Ntry")) for one in customer.messages("camt.054")]
    assert sorted(entries) == [1, 1, 3, 3]


def test_each_of_a_file_is_refused_or_executed_for_itself(customer: Any, order: Any) -> None:
    before = customer.balance(USD_OPERATING)
    fine, dear = (
        order(end_to_end_id="FMP-1", amount="1000.00"),
        order(end_to_end_id="FMP-2", amount="900000000000.00"),
    )
    customer.send(fine, dear)
    customer.pass_time(hours=2)
    assert customer.statuses("FMP-2")[-1] == "RJCT"
    assert customer.statuses("FMP-1")[-1] == "ACCC"
    assert customer.balance(USD_OPERATING) == before - 100_000
