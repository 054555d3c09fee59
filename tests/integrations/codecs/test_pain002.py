"""The bank's answers to our payment files."""

import pytest

from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import MessageKind, StatusReason, StatusReport, StatusScope
from tests.integrations.codecs.samples import status_report


def read(data: bytes) -> StatusReport:
    found = read_message(data)
    assert isinstance(found, StatusReport)
    return found


def payment(status: str, *, end_to_end_id: str = "FMP-1", reason: str = "") -> str:
    stated = f"<TxSts>{status}</TxSts>" if status else ""
    return (
        "<TxInfAndSts><OrgnlInstrId>I-1</OrgnlInstrId>"
        f"<OrgnlEndToEndId>{end_to_end_id}</OrgnlEndToEndId>"
        "<OrgnlUETR>7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b</OrgnlUETR>"
        f"{stated}{reason}<AcctSvcrRef>BANK-1</AcctSvcrRef></TxInfAndSts>"
    )


def block(*parts: str, status: str = "") -> str:
    stated = f"<PmtInfSts>{status}</PmtInfSts>" if status else ""
    body = "".join(parts)
    return (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>PI-1</OrgnlPmtInfId>{stated}{body}</OrgnlPmtInfAndSts>"
    )


REJECTED = (
    "<StsRsnInf><Rsn><Cd>AC01</Cd></Rsn><AddtlInf>Account</AddtlInf>"
    "<AddtlInf>unknown</AddtlInf></StsRsnInf>"
)


@pytest.mark.parametrize("version", ["03", "10", "12"])
@pytest.mark.parametrize("status", ["ACTC", "ACSP", "ACSC", "ACCC", "PDNG", "RJCT", "CANC"])
def test_a_payments_status_is_read_in_every_version(version: str, status: str) -> None:
    data = status_report(block(payment(status)), version=version)
    assert identify(data) is MessageKind.PAIN002
    found = read(data)
    assert found.message_id == "ACK-1"
    assert found.original_message_id == "TMS-1"
    assert found.version == f"pain.002.001.{version}"
    (one,) = found.transactions
    assert one.status == status
    assert one.original_payment_information_id == "PI-1"
    assert one.original_instruction_id == "I-1"
    assert one.original_end_to_end_id == "FMP-1"
    assert one.original_uetr == "7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b"
    assert one.bank_reference == "BANK-1"
    assert found.findings == ()


def test_a_rejection_tells_its_reason() -> None:
    (one,) = read(status_report(block(payment("RJCT", reason=REJECTED)))).transactions
    assert (one.reason_code, one.reason_text) == ("AC01", "Account unknown")


def test_a_rejected_file_without_payments_is_kept_as_group_status() -> None:
    found = read(status_report("", group=f"<GrpSts>RJCT</GrpSts>{REJECTED}"))
    assert found.group_status == "RJCT"
    assert found.transactions == ()
    assert found.reasons == (StatusReason(code="AC01", text="Account unknown"),)


def test_a_partly_accepted_block_speaks_for_itself_and_for_each_payment() -> None:
    parts = (payment("ACSC"), payment("RJCT", end_to_end_id="FMP-2", reason=REJECTED))
    found = read(status_report(block(*parts, status="PART")))
    assert [(one.scope, one.status, one.original_end_to_end_id) for one in found.transactions] == [
        (StatusScope.TRANSACTION, "ACSC", "FMP-1"),
        (StatusScope.TRANSACTION, "RJCT", "FMP-2"),
        (StatusScope.BATCH, "PART", None),
    ]
    assert [one.original_payment_information_id for one in found.transactions] == ["PI-1"] * 3


def test_a_payment_without_status_takes_that_of_its_block() -> None:
    first, second = read(status_report(block(payment(""), status="RJCT"))).transactions
    assert (first.status, second.scope) == ("RJCT", StatusScope.BATCH)


def test_blocks_do_not_mix() -> None:
    other = block(payment("ACSC"), status="ACSC").replace("PI-1", "PI-2")
    found = read(status_report(block(payment("RJCT"), status="RJCT") + other))
    assert [(one.original_payment_information_id, one.status) for one in found.transactions] == [
        ("PI-1", "RJCT"),
        ("PI-1", "RJCT"),
        ("PI-2", "ACSC"),
        ("PI-2", "ACSC"),
    ]


def test_a_payment_without_any_status_changes_nothing() -> None:
    found = read(status_report(block(payment(""))))
    assert found.transactions == ()
    assert [one.code for one in found.findings] == ["status_missing", "status_missing"]


def test_a_new_status_is_kept_and_reported() -> None:
    found = read(status_report(block(payment("NEWS"))))
    assert found.transactions[0].status == "NEWS"
    assert [one.code for one in found.findings] == ["status_unknown"]


def test_a_report_about_nothing_is_refused() -> None:
    data = status_report("").replace(b"<OrgnlMsgId>TMS-1</OrgnlMsgId>", b"")
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(data)
    assert refusal.value.code == "original_message_missing"
