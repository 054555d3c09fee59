"""Writing pain.002 in the versions .10 and .03: the bank's word on orders it was given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from lxml import etree

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
NEWEST = "pain.002.001.10"
REASON_CHARACTERS_MAX = 105
Element = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStatus:
    """The status of one order, with the customer's own references."""

    payment_information_id: str
    instruction_id: str
    end_to_end_id: str
    uetr: str
    status: str
    reason_code: str = ""
    reason_text: str = ""
    accepted_at: datetime | None = None
    bank_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """What is answered to one original message."""

    message_id: str
    created_at: datetime
    bank_bic: str
    original_message_id: str
    group_status: str = ""
    reason_code: str = ""
    reason_text: str = ""
    orders: Sequence[OrderStatus] = ()


def write_status_report(report: StatusReport, *, version: str = NEWEST) -> bytes:
    """Return the pain.002 as bytes."""
    document = etree.Element("Document", nsmap={None: NAMESPACE})
    body = etree.SubElement(document, "CstmrPmtStsRpt")
    header = etree.SubElement(body, "GrpHdr")
    _put(header, "MsgId", report.message_id)
    _put(header, "CreDtTm", utc_text(report.created_at))
    if report.bank_bic:
        agent = etree.SubElement(etree.SubElement(header, "DbtrAgt"), "FinInstnId")
        _put(agent, "BICFI" if version == NEWEST else "BIC", report.bank_bic)
    group = etree.SubElement(body, "OrgnlGrpInfAndSts")
    _put(group, "OrgnlMsgId", report.original_message_id)
    _put(group, "OrgnlMsgNmId", "pain.001.001.09")
    if report.group_status:
        _put(group, "GrpSts", report.group_status)
    _reason(group, report.reason_code, report.reason_text)
    for block_id, orders in groupby(report.orders, key=lambda order: order.payment_information_id):
        block = etree.SubElement(body, "OrgnlPmtInfAndSts")
        _put(block, "OrgnlPmtInfId", block_id)
        for order in orders:
            # The older version has no place for the UETR.
            shown = order if version == NEWEST else replace(order, uetr="")
            _order(block, shown, report.message_id)
    encoded: bytes = etree.tostring(
        _in_namespace(document, version), xml_declaration=True, encoding="UTF-8"
    )
    return encoded


def utc_text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_namespace(document: Element, version: str) -> Element:
    # Elements are built bare and moved into the namespace at once: much shorter to read above.
    for element in document.iter():
        element.tag = f"{{{NAMESPACE}{version}}}{element.tag}"
    return document


def _put(parent: Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = text


def _order(block: Element, order: OrderStatus, message_id: str) -> None:
    line = etree.SubElement(block, "TxInfAndSts")
    _put(line, "StsId", f"{message_id[-30:]}-{len(block) - 1}")
    if order.instruction_id:
        _put(line, "OrgnlInstrId", order.instruction_id)
    _put(line, "OrgnlEndToEndId", order.end_to_end_id)
    if order.uetr:
        _put(line, "OrgnlUETR", order.uetr)
    _put(line, "TxSts", order.status)
    _reason(line, order.reason_code, order.reason_text)
    if order.accepted_at is not None:
        _put(line, "AccptncDtTm", utc_text(order.accepted_at))
    if order.bank_reference:
        _put(line, "AcctSvcrRef", order.bank_reference)


def _reason(parent: Element, code: str, text: str) -> None:
    if not code and not text:
        return
    reason = etree.SubElement(parent, "StsRsnInf")
    if code:
        _put(etree.SubElement(reason, "Rsn"), "Cd", code)
    if text:
        _put(reason, "AddtlInf", text[:REASON_CHARACTERS_MAX])
