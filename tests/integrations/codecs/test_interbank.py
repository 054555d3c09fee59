"""Messages among banks, recalls and inquiries: their fields and their order."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.inquiries import (
    ReportRequest,
    StatusRequest,
    write_camt060,
    write_pacs028,
)
from integrations.codecs.instructions import Agent, Party
from integrations.codecs.orders import prepare, write_order
from integrations.codecs.pacs import write_pacs008
from integrations.codecs.recalls import Recall, write_camt056
from integrations.dialects.writing import Format, parse_writing
from tests.integrations.codecs.test_pain001 import FUNDING, SEPA, UETR

XSD: Final = Path(__file__).resolve().parents[4] / "shared" / "data" / "payments" / "xsd"
NOON: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CITI: Final = Agent(bic="CITIUS33XXX")
RECALL: Final = Recall(
    case_id="RCL-000001",
    created_at=NOON,
    requester_name="Example Remit Ltd",
    requester_lei="5493001KJTIIGC8Y1R12",
    bank=CITI,
    original_message_id="FMP-000123-1",
    original_message_name="pain.001.001.09",
    original_created_at=NOON,
    instruction_id="FMP-000123-1",
    end_to_end_id="FMP-000123",
    uetr=UETR,
    amount=Decimal("2750000.00"),
    currency="USD",
    settlement_date=date(2026, 11, 23),
    reason="DUPL",
    information=("Sent twice by our system.",),
)


def interbank(**more: Any) -> Any:
    return parse_writing({"sender_bic": "EXRMGB2LXXX", **more})


def children(document: Any, name: str) -> list[str]:
    return [etree.QName(child).localname for child in next(document.iter(f"{{*}}{name}"))]


def text(document: Any, path: str) -> str | None:
    steps = "/".join(f"*[local-name()='{step}']" for step in path.split("/"))
    found = document.xpath(f"//{steps}/text()")
    return str(found[0]) if found else None


def test_a_customer_transfer_among_banks() -> None:
    writing = interbank(format="pacs.008.001.08")
    prepared = prepare(FUNDING, rail="FEDWIRE", writing=writing)
    assert prepared.errors == ()
    document = etree.fromstring(write_order([prepared.instruction], writing=writing))
    assert etree.QName(document).namespace.endswith(":pacs.008.001.08")
    assert text(document, "GrpHdr/InstgAgt/FinInstnId/BICFI") == "EXRMGB2LXXX"
    assert text(document, "GrpHdr/InstdAgt/FinInstnId/BICFI") == "CITIUS33XXX"
    assert children(document, "CdtTrfTxInf") == [
        "PmtId", "PmtTpInf", "IntrBkSttlmAmt", "IntrBkSttlmDt", "ChrgBr", "InstgAgt", "InstdAgt",
        "Dbtr", "DbtrAcct", "DbtrAgt", "CdtrAgt", "Cdtr", "CdtrAcct", "Purp", "RmtInf",
    ]  # fmt: skip


@pytest.mark.parametrize("style", [Format.PACS_009_08, Format.PACS_009_09])
def test_a_transfer_of_an_institution(style: Format) -> None:
    writing = interbank(format=style.value, note_to_bank="Cover {reference}")
    prepared = prepare(FUNDING, rail="FEDWIRE", writing=writing)
    document = etree.fromstring(write_order([prepared.instruction], writing=writing))
    assert text(document, "Dbtr/FinInstnId/BICFI") == "EXRMGB2LXXX"
    assert text(document, "Cdtr/FinInstnId/Nm") == "EXAMPLE REMIT LTD"
    assert text(document, "InstrForNxtAgt/InstrInf") == "Cover FMP-000123"
    assert text(document, "ChrgBr") is None


def test_the_business_header_names_both_banks_and_the_message() -> None:
    writing = interbank(format="pacs.008.001.08", business_header=True)
    envelope = etree.fromstring(write_order([FUNDING], writing=writing))
    header, document = envelope
    assert etree.QName(header).namespace.endswith(":head.001.001.02")
    assert children(envelope, "AppHdr") == ["Fr", "To", "BizMsgIdr", "MsgDefIdr", "CreDt"]
    assert text(header, "To/FIId/FinInstnId/BICFI") == "CITIUS33XXX"
    assert text(header, "BizMsgIdr") == text(document, "GrpHdr/MsgId") == FUNDING.message_id
    assert text(header, "MsgDefIdr") == "pacs.008.001.08"
    with pytest.raises(UnwritableMessage, match="receives it by its BIC"):
        write_pacs008([replace(FUNDING, debtor_agent=Agent())], writing=writing)


def test_what_banks_among_themselves_do_not_know_is_found_before() -> None:
    writing = interbank(format="pacs.008.001.08")
    found = [one.code for one in prepare(SEPA, rail="SEPA_SCT", writing=writing).errors]
    assert found == ["CHARGE_BEARER", "AGENT_BIC_REQUIRED"]


def test_a_recall_names_the_payment_and_the_reason() -> None:
    document = etree.fromstring(write_camt056(RECALL))
    assert children(document, "FIToFIPmtCxlReq") == ["Assgnmt", "Case", "CtrlData", "Undrlyg"]
    assert children(document, "TxInf") == [
        "CxlId", "OrgnlGrpInf", "OrgnlInstrId", "OrgnlEndToEndId", "OrgnlTxId", "OrgnlUETR",
        "OrgnlIntrBkSttlmAmt", "OrgnlIntrBkSttlmDt", "CxlRsnInf",
    ]  # fmt: skip
    assert text(document, "CxlRsnInf/Rsn/Cd") == "DUPL"
    assert text(document, "Assgnr/Pty/Id/OrgId/LEI") == RECALL.requester_lei
    as_bank = etree.fromstring(write_camt056(replace(RECALL, requester_bic="EXRMGB2LXXX")))
    assert text(as_bank, "Assgnr/Agt/FinInstnId/BICFI") == "EXRMGB2LXXX"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": "WHIM"}, "reason_unknown"),
        ({"information": ("x" * 106,)}, "information_too_long"),
        ({"information": ("x",) * 3}, "information_too_long"),
        ({"amount": Decimal("0.001")}, "amount_too_precise"),
    ],
)
def test_a_recall_that_no_bank_would_read_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(UnwritableMessage) as refusal:
        write_camt056(replace(RECALL, **change))
    assert refusal.value.code == code


def test_only_known_versions_of_a_recall_are_written() -> None:
    with pytest.raises(UnwritableMessage, match="none of"):
        write_camt056(RECALL, version="camt.056.001.01")


def test_a_report_is_asked_for_an_account_and_days() -> None:
    request = ReportRequest(
        message_id="ASK-1",
        created_at=NOON,
        report="camt.053",
        account=Party(name="Example Remit Ltd", iban="GB29NWBK60161331926819"),
        bank=CITI,
        first_day=date(2026, 11, 20),
        last_day=date(2026, 11, 22),
    )
    document = etree.fromstring(write_camt060(request))
    assert children(document, "RptgReq") == [
        "Id", "ReqdMsgNmId", "Acct", "AcctOwnr", "AcctSvcr", "RptgPrd",
    ]  # fmt: skip
    assert text(document, "FrToDt/FrDt") == "2026-11-20"
    assert text(document, "RptgPrd/Tp") == "ALLL"
    for change, code in (
        ({"report": "camt.029"}, "report_unknown"),
        ({"last_day": date(2026, 11, 1)}, "days_reversed"),
        ({"account": Party(name="Nobody")}, "account_missing"),
    ):
        with pytest.raises(UnwritableMessage) as refusal:
            write_camt060(replace(request, **change))
        assert refusal.value.code == code


def test_the_fate_of_a_payment_is_asked_by_its_references() -> None:
    request = StatusRequest(
        message_id="ASK-2",
        created_at=NOON,
        sender_bic="EXRMGB2LXXX",
        bank=CITI,
        original_message_id="FMP-000123-1",
        original_message_name="pacs.008.001.08",
        end_to_end_id="FMP-000123",
        instruction_id="FMP-000123-1",
        uetr=UETR,
    )
    document = etree.fromstring(write_pacs028(request))
    assert children(document, "TxInf") == [
        "StsReqId", "OrgnlGrpInf", "OrgnlInstrId", "OrgnlEndToEndId", "OrgnlTxId", "OrgnlUETR",
    ]  # fmt: skip
    assert text(document, "OrgnlGrpInf/OrgnlMsgNmId") == "pacs.008.001.08"


@pytest.mark.skipif(not XSD.is_dir(), reason="The published schemas are not beside the project.")
def test_a_recall_validates_against_the_published_schema() -> None:
    schema = etree.XMLSchema(etree.parse(str(XSD / "moov__camt.056.001.09.xsd")))
    for recall in (RECALL, replace(RECALL, requester_bic="EXRMGB2LXXX", uetr=None)):
        schema.assertValid(etree.fromstring(write_camt056(recall, version="camt.056.001.09")))
