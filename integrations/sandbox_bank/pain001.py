"""Reading pain.001.001.09: is it XML, is it in order, what does it ask for."""

from typing import Any

from lxml import etree

from integrations.sandbox_bank.records import BankError, Finding, PaymentFile, PaymentOrder

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
FILE_BYTES_MAX = 5_000_000
TRANSACTIONS_MAX = 10_000
MESSAGE_ID_CHARACTERS_MAX = 35
Element = Any

# Children in the order of the schema; an exclamation mark means that the child must be there.
_SEQUENCES = {
    "CstmrCdtTrfInitn": "GrpHdr! PmtInf! SplmtryData",
    "GrpHdr": "MsgId! CreDtTm! Authstn NbOfTxs! CtrlSum InitgPty! FwdgAgt InitnSrc",
    "PmtInf": "PmtInfId! PmtMtd! BtchBookg NbOfTxs CtrlSum PmtTpInf ReqdExctnDt! PoolgAdjstmntDt"
    " Dbtr! DbtrAcct! DbtrAgt! DbtrAgtAcct InstrForDbtrAgt UltmtDbtr ChrgBr ChrgsAcct"
    " ChrgsAcctAgt CdtTrfTxInf!",
    "PmtTpInf": "InstrPrty SvcLvl LclInstrm CtgyPurp",
    "CdtTrfTxInf": "PmtId! PmtTpInf Amt! XchgRateInf ChrgBr ChqInstr UltmtDbtr IntrmyAgt1"
    " IntrmyAgt1Acct IntrmyAgt2 IntrmyAgt2Acct IntrmyAgt3 IntrmyAgt3Acct CdtrAgt CdtrAgtAcct"
    " Cdtr CdtrAcct UltmtCdtr InstrForCdtrAgt InstrForDbtrAgt Purp RgltryRptg Tax RltdRmtInf"
    " RmtInf SplmtryData",
    "PmtId": "InstrId EndToEndId! UETR",
    "Amt": "InstdAmt EqvtAmt",
    "FinInstnId": "BICFI ClrSysMmbId LEI Nm PstlAdr Othr",
    "PstlAdr": "AdrTp Dept SubDept StrtNm BldgNb BldgNm Flr PstBx Room PstCd TwnNm TwnLctnNm"
    " DstrctNm CtrySubDvsn Ctry AdrLine",
    "RmtInf": "Ustrd Strd",
}
_ORDERED = {
    parent: [child.rstrip("!") for child in children.split()]
    for parent, children in _SEQUENCES.items()
}
_REQUIRED = {
    parent: [child[:-1] for child in children.split() if child.endswith("!")]
    for parent, children in _SEQUENCES.items()
}
_REPEATABLE = {
    "PmtInf", "CdtTrfTxInf", "SplmtryData", "RgltryRptg", "Ustrd", "Strd", "AdrLine",
    "InstrForCdtrAgt", "RltdRmtInf",
}  # fmt: skip


def read_payment_file(payload: bytes) -> PaymentFile:
    """Parse a payment file and list what is wrong with it as a whole.

    Raises:
        BankError: not a readable pain.001.001.09, so that nobody can be answered by message id.
    """
    root = parse_xml(payload)
    if root.tag != _path("Document"):
        raise BankError("unsupported_message", "only pain.001.001.09 is accepted", status=415)
    initiation = root.find(_path("CstmrCdtTrfInitn"))
    message_id = _text(root, "CstmrCdtTrfInitn/GrpHdr/MsgId")
    if initiation is None or not message_id or len(message_id) > MESSAGE_ID_CHARACTERS_MAX:
        raise BankError(
            "message_id_missing", "GrpHdr/MsgId is missing or longer than 35 characters"
        )
    findings = _structure(initiation)
    orders = [] if findings else _orders(initiation)
    if len(orders) > TRANSACTIONS_MAX:
        raise BankError(
            "too_many_transactions", f"at most {TRANSACTIONS_MAX} transactions in a file"
        )
    return PaymentFile(
        message_id=message_id,
        initiator=_text(initiation, "GrpHdr/InitgPty/Nm")
        or _text(initiation, "GrpHdr/InitgPty/Id/OrgId/LEI"),
        transactions_text=_text(initiation, "GrpHdr/NbOfTxs"),
        control_sum_text=_text(initiation, "GrpHdr/CtrlSum"),
        orders=tuple(orders),
        findings=tuple(findings),
    )


def parse_xml(payload: bytes) -> Element:
    """Return the root of a message that is XML, without anything dangerous in it.

    Raises:
        BankError: too large, not well-formed, or with a document type.
    """
    if len(payload) > FILE_BYTES_MAX:
        raise BankError("too_large", f"at most {FILE_BYTES_MAX} bytes", status=413)
    if b"<!DOCTYPE" in payload or b"<!ENTITY" in payload:
        raise BankError("doctype_refused", "document type declarations are not accepted")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(payload, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BankError("not_well_formed", f"the body is not well-formed XML: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise BankError("doctype_refused", "document type declarations are not accepted")
    return root


def _path(path: str) -> str:
    return "/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/"))


def _text(element: Element, path: str) -> str:
    return (element.findtext(_path(path)) or "").strip()


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _structure(initiation: Element) -> list[Finding]:
    for element in initiation.iter():
        name = _local(element)
        if name in _ORDERED and (finding := _sequence_fault(element, name)):
            return [finding]
    return []


def _sequence_fault(element: Element, name: str) -> Finding | None:
    children = [_local(child) for child in element]
    allowed = _ORDERED[name]
    for child in children:
        if child not in allowed:
            return Finding(code="FF01", text=f"{child} is not expected in {name}")
    places = [allowed.index(child) for child in children]
    for before, after, child in zip(places, places[1:], children[1:], strict=False):
        if after < before or (after == before and child not in _REPEATABLE):
            return Finding(code="FF01", text=f"{child} is out of order in {name}")
    for required in _REQUIRED[name]:
        if required not in children:
            return Finding(code="CH21", text=f"{required} is missing in {name}")
    return None


def _orders(initiation: Element) -> list[PaymentOrder]:
    return [
        _order(block, transfer)
        for block in initiation.iterfind(_path("PmtInf"))
        for transfer in block.iterfind(_path("CdtTrfTxInf"))
    ]


def _order(block: Element, transfer: Element) -> PaymentOrder:
    amount = transfer.find(_path("Amt/InstdAmt"))
    return PaymentOrder(
        payment_information_id=_text(block, "PmtInfId"),
        instruction_id=_text(transfer, "PmtId/InstrId"),
        end_to_end_id=_text(transfer, "PmtId/EndToEndId"),
        uetr=_text(transfer, "PmtId/UETR"),
        amount_text=(amount.text or "").strip() if amount is not None else "",
        currency=str(amount.get("Ccy", "")) if amount is not None else "",
        execution_date=_text(block, "ReqdExctnDt/Dt") or _text(block, "ReqdExctnDt/DtTm")[:10],
        method=_text(block, "PmtMtd"),
        service_level=_either(transfer, block, "PmtTpInf/SvcLvl/Cd"),
        instrument=_either(transfer, block, "PmtTpInf/LclInstrm/Cd"),
        charge_bearer=_either(transfer, block, "ChrgBr"),
        debtor_account=_account(block, "DbtrAcct"),
        debtor_account_is_iban=bool(_text(block, "DbtrAcct/Id/IBAN")),
        debtor_currency=_text(block, "DbtrAcct/Ccy"),
        debtor_bic=_text(block, "DbtrAgt/FinInstnId/BICFI"),
        debtor_name=_text(block, "Dbtr/Nm"),
        creditor_name=_text(transfer, "Cdtr/Nm"),
        creditor_account=_account(transfer, "CdtrAcct"),
        creditor_account_is_iban=bool(_text(transfer, "CdtrAcct/Id/IBAN")),
        creditor_bic=_text(transfer, "CdtrAgt/FinInstnId/BICFI"),
        creditor_clearing=(
            _text(transfer, "CdtrAgt/FinInstnId/ClrSysMmbId/ClrSysId/Cd"),
            _text(transfer, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId"),
        ),
        creditor_address=_address(transfer),
        remittance="".join(_all_texts(transfer, "RmtInf/Ustrd"))
        or _text(transfer, "RmtInf/Strd/CdtrRefInf/Ref"),
    )


def _either(transfer: Element, block: Element, path: str) -> str:
    return _text(transfer, path) or _text(block, path)


def _account(element: Element, side: str) -> str:
    return _text(element, f"{side}/Id/IBAN") or _text(element, f"{side}/Id/Othr/Id")


def _all_texts(element: Element, path: str) -> list[str]:
    return [(found.text or "").strip() for found in element.iterfind(_path(path))]


def _address(transfer: Element) -> dict[str, list[str]] | None:
    address = transfer.find(_path("Cdtr/PstlAdr"))
    if address is None:
        return None
    lines: dict[str, list[str]] = {}
    for child in address:
        lines.setdefault(_local(child), []).append((child.text or "").strip())
    return lines
