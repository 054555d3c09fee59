"""What banks tell each other, and trackers tell us, about single payments: pacs.002."""

from decimal import Decimal

import pytest

from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import Charge, MessageKind, StatusReport

UETR = "7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b"


def pacs002(*payments: str, group: str = "", version: str = "10") -> bytes:
    namespace = f"urn:iso:std:iso:20022:tech:xsd:pacs.002.001.{version}"
    return (
        f'<Document xmlns="{namespace}"><FIToFIPmtStsRpt><GrpHdr><MsgId>S-1</MsgId>'
        "<CreDtTm>2026-11-20T10:00:00Z</CreDtTm></GrpHdr>"
        f"{group}{''.join(payments)}</FIToFIPmtStsRpt></Document>"
    ).encode()


def payment(status: str, *more: str) -> str:
    return (
        "<TxInfAndSts><OrgnlGrpInf><OrgnlMsgId>FMP-1-1</OrgnlMsgId></OrgnlGrpInf>"
        f"<OrgnlEndToEndId>FMP-1</OrgnlEndToEndId><OrgnlUETR>{UETR}</OrgnlUETR>"
        f"<TxSts>{status}</TxSts>{''.join(more)}</TxInfAndSts>"
    )


def read(data: bytes) -> StatusReport:
    found = read_message(data)
    assert isinstance(found, StatusReport)
    return found


@pytest.mark.parametrize("version", ["03", "08", "10", "12", "14"])
def test_every_version_is_read_by_local_name(version: str) -> None:
    data = pacs002(payment("ACSP"), version=version)
    assert identify(data) is MessageKind.PACS002
    found = read(data)
    assert (found.kind, found.version) == (MessageKind.PACS002, f"pacs.002.001.{version}")
    (one,) = found.transactions
    assert (one.status, one.original_end_to_end_id, one.original_uetr) == ("ACSP", "FMP-1", UETR)
    assert found.original_message_id == one.original_message_id == "FMP-1-1"


def test_who_has_it_since_when_and_what_they_took() -> None:
    more = (
        "<StsRsnInf><Rsn><Cd>G002</Cd></Rsn></StsRsnInf>",
        (
            '<ChrgsInf><Amt Ccy="USD">15.00</Amt><Agt><FinInstnId><BICFI>BANKUS33XXX</BICFI>'
            "</FinInstnId></Agt></ChrgsInf>"
        ),
        "<AccptncDtTm>2026-11-20T09:59:00+01:00</AccptncDtTm>",
        "<InstdAgt><FinInstnId><BICFI>OTHRINBBXXX</BICFI></FinInstnId></InstdAgt>",
    )
    (one,) = read(pacs002(payment("ACSP", *more))).transactions
    assert (one.reason_code, one.said_by) == ("G002", "OTHRINBBXXX")
    assert one.charges == (Charge(amount=Decimal("15.00"), currency="USD"),)
    assert one.said_at is not None
    assert one.said_at.isoformat() == "2026-11-20T09:59:00+01:00"


def test_a_charge_that_is_no_amount_is_a_finding_and_the_status_is_kept() -> None:
    more = '<ChrgsInf><Amt Ccy="USD">fifteen</Amt></ChrgsInf>'
    found = read(pacs002(payment("ACSP", more)))
    assert [one.code for one in found.findings] == ["amount_unreadable"]
    assert found.transactions[0].charges == ()


def test_a_group_status_stands_for_its_file() -> None:
    group = (
        "<OrgnlGrpInfAndSts><OrgnlMsgId>FMP-2-1</OrgnlMsgId><GrpSts>RJCT</GrpSts>"
        "</OrgnlGrpInfAndSts>"
    )
    found = read(pacs002(group=group))
    assert (found.original_message_id, found.group_status) == ("FMP-2-1", "RJCT")


def test_a_broken_one_is_refused_with_a_reason() -> None:
    with pytest.raises(UnreadableMessage):
        read_message(pacs002(payment("ACSP"))[:-20])
