"""The counter for questions: camt.056 is answered with camt.029, camt.060 with a camt.052.

A recall succeeds as long as the payment was not executed; then the bank's word is final, and the
payment stays unexecuted. Neither question moves money.
"""

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from integrations.sandbox_bank import currencies, statements
from integrations.sandbox_bank.answers import utc_text
from integrations.sandbox_bank.intake import Receipt, earlier_receipt, require_key
from integrations.sandbox_bank.office import TRAYS, Letter, Office
from integrations.sandbox_bank.pain001 import MESSAGE_ID_CHARACTERS_MAX, parse_xml
from integrations.sandbox_bank.payments import answer, payment_row, set_status
from integrations.sandbox_bank.records import Account, BankError, Finding

RECALL, REPORT_WISH = "camt.056", "camt.060"
CAMT029 = "urn:iso:std:iso:20022:tech:xsd:camt.029.001.09"
_ROOTS = {"FIToFIPmtCxlReq": RECALL, "AcctRptgReq": REPORT_WISH}
_WAITING = ("RCVD", "ACTC", "PDNG", "ACSP")
Element = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a question asks for: its own reference, and what it is about."""

    kind: str
    message_id: str
    root: Element


def read_inquiry(payload: bytes) -> Wish | None:
    """Return the question, or None for a message of another kind.

    Raises:
        BankError: not readable, or without a reference of its own.
    """
    root = parse_xml(payload)
    body = root[0] if len(root) else None
    kind = _ROOTS.get("" if body is None else etree.QName(body).localname)
    if kind is None:
        return None
    path = "{*}Assgnmt/{*}Id" if kind == RECALL else "{*}GrpHdr/{*}MsgId"
    message_id = _text(body, path)
    if not message_id or len(message_id) > MESSAGE_ID_CHARACTERS_MAX:
        raise BankError("message_id_missing", f"the {kind} has no reference of its own")
    return Wish(kind=kind, message_id=message_id, root=body)


def receive(
    office: Office,
    *,
    wish: Wish,
    payload: bytes,
    door: str,
    file_name: str = "",
    idempotency_key: str = "",
) -> Receipt:
    """Take a question in and answer it; the same question again is not answered twice.

    Raises:
        BankError: it asks for an account that is not kept here, or the key was used before.
    """
    require_key(idempotency_key)
    digest = hashlib.sha256(payload).hexdigest()
    with office.book.transaction():
        if earlier := earlier_receipt(office, idempotency_key, digest):
            return earlier
        now = office.now()
        seen = office.book.row(
            "SELECT 1 FROM incoming WHERE initiator = ? AND message_id = ?",
            wish.kind, wish.message_id,
        )  # fmt: skip
        if seen is None:
            reply = _answer_recall if wish.kind == RECALL else _send_report
            reply(office, wish, door, now)
        incoming_id = office.book.run(
            "INSERT INTO incoming(door, file_name, sha256, message_id, initiator, verdict,"
            " received_at, put_away) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            door, file_name, digest, wish.message_id, wish.kind,
            "" if seen is None else "DU01", now.timestamp(), int(door not in TRAYS),
        )  # fmt: skip
        body: dict[str, object] = {
            "receipt_id": incoming_id,
            "message_id": wish.message_id,
            "transactions": 0,
            "sha256": digest,
            "received_at": now.isoformat(),
        }
        if idempotency_key:
            office.book.run(
                "INSERT INTO receipt VALUES (?, ?, ?)", idempotency_key, digest, json.dumps(body)
            )
        return Receipt(body=body)


def _send_report(office: Office, wish: Wish, _door: str, now: datetime) -> None:
    """Send the camt.052 of the account's open day."""
    name = _text(wish.root, ".//{*}Acct/{*}Id/{*}IBAN") or _text(
        wish.root, ".//{*}Acct/{*}Id/{*}Othr/{*}Id"
    )
    account = office.book.find_account(name, _text(wish.root, ".//{*}Acct/{*}Ccy"))
    if account is None:
        raise BankError("account_unknown", "no such account is kept here", status=404)
    statements.send_interim_report(office, account, now, kind="camt.052")


def _answer_recall(office: Office, wish: Wish, door: str, now: datetime) -> None:
    """Stop the payment when it still can be stopped; say which it was, and its last status."""
    line = wish.root.find(".//{*}TxInf")
    payment = _payment_of(office, line)
    finding = _objection(payment, line)
    if finding is None and payment is not None:
        set_status(office, payment["id"], "CANC", now, Finding(code="CUST", text="recalled"))
        answer(office, [payment_row(office, payment["id"])], now)
    account = None
    if payment is not None and payment["debtor_id"]:
        account = office.book.account(payment["debtor_id"])
    message_id = office.new_message_id("camt.029")
    letter = Letter(
        message_id=message_id,
        kind="camt.029",
        channel=account.channel if account else door,
        account=account.name if account else "",
        payload=_write_camt029(wish, finding, account, message_id=message_id, at=now),
        created_at=now,
    )
    office.post(letter)


def _payment_of(office: Office, line: Element) -> sqlite3.Row | None:
    return office.book.row(
        "SELECT * FROM payment WHERE end_to_end_id = ? OR (uetr = ? AND uetr <> '')"
        " ORDER BY status = 'RJCT', id DESC LIMIT 1",
        _text(line, "{*}OrgnlEndToEndId"),
        _text(line, "{*}OrgnlUETR"),
    )


def _objection(payment: sqlite3.Row | None, line: Element) -> Finding | None:
    """Return why a payment cannot be stopped, or None."""
    if payment is None:
        return Finding(code="NOOR", text="no payment under this reference came in")
    amount = _text(line, "{*}OrgnlIntrBkSttlmAmt")
    if amount and not _is_amount(payment, amount):
        return Finding(code="AM09", text="the amount is not that of the payment")
    if payment["status"] in {"RJCT", "CANC"}:
        return Finding(code="ARDT", text="the payment was not carried out")
    if payment["status"] not in _WAITING:
        return Finding(code="PTNA", text="the payment was executed and passed on")
    return None


def _is_amount(payment: sqlite3.Row, text: str) -> bool:
    try:
        return currencies.to_minor(text, payment["currency"]) == int(payment["amount"])
    except ValueError:
        return False


def _write_camt029(
    wish: Wish, finding: Finding | None, account: Account | None, *, message_id: str, at: datetime
) -> bytes:
    document = etree.Element(f"{{{CAMT029}}}Document", nsmap={None: CAMT029})
    body = _put(document, "RsltnOfInvstgtn")
    assignment = _put(body, "Assgnmt")
    _put(assignment, "Id", message_id)
    bic = account.bank_bic if account else "NOTPROVIDED"
    _put(_put(_put(_put(assignment, "Assgnr"), "Agt"), "FinInstnId"), "BICFI", bic)
    owner = account.owner_name if account else "NOTPROVIDED"
    _put(_put(_put(assignment, "Assgne"), "Pty"), "Nm", owner)
    _put(assignment, "CreDtTm", utc_text(at))
    _put(_put(body, "Sts"), "Conf", "RJCR" if finding else "CNCL")
    line = wish.root.find(".//{*}TxInf")
    told = _put(_put(body, "CxlDtls"), "TxInfAndSts")
    _put(told, "CxlStsId", message_id)
    case = _put(told, "RslvdCase")
    _put(case, "Id", _text(line, "{*}CxlId") or wish.message_id)
    _put(_put(_put(case, "Cretr"), "Pty"), "Nm", owner)
    for name in ("OrgnlInstrId", "OrgnlEndToEndId", "OrgnlUETR"):
        if value := _text(line, f"{{*}}{name}"):
            _put(told, name, value)
    _put(told, "TxCxlSts", "RJCR" if finding else "ACCR")
    if finding:
        reason = _put(told, "CxlStsRsnInf")
        _put(_put(reason, "Rsn"), "Cd", finding.code)
        _put(reason, "AddtlInf", finding.text)
    encoded: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
    return encoded


def _put(parent: Element, name: str, text: str | None = None) -> Element:
    made = etree.SubElement(parent, f"{{{CAMT029}}}{name}")
    made.text = text
    return made


def _text(element: Element, path: str) -> str:
    return "" if element is None else (element.findtext(path) or "").strip()
