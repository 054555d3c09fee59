"""The counter: a payment file comes in, is examined, recorded and answered in one transaction."""

import hashlib
import json
import re
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from integrations.sandbox_bank import checks, currencies, identifiers
from integrations.sandbox_bank.answers import StatusReport, write_status_report
from integrations.sandbox_bank.faults import PAYMENT_KINDS, Fired, draw_faults
from integrations.sandbox_bank.office import TRAYS, Letter, Office
from integrations.sandbox_bank.pain001 import read_payment_file
from integrations.sandbox_bank.payments import (
    accept,
    answer,
    fault_of,
    insufficient_funds,
    payment_row,
    set_status,
)
from integrations.sandbox_bank.rails import choose_rail, next_slot
from integrations.sandbox_bank.records import (
    Account,
    BankError,
    Finding,
    PaymentFile,
    PaymentOrder,
)

KEY_CHARACTERS_MAX = 200
_RETRYABLE_REJECT = "MS03"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the counter hands back; `lost` says how the answer is to go missing, if at all."""

    body: dict[str, object]
    lost: Fired | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who pays whom, as far as the bank's own book tells."""

    debtor: Account | None
    creditor: Account | None
    creditor_is_ours: bool
    creditor_bic: str
    rail: str


def receive(
    office: Office, *, payload: bytes, door: str, file_name: str = "", idempotency_key: str = ""
) -> Receipt:
    """Take a payment file in.

    Raises:
        BankError: unreadable, or the idempotency key was used for other content.
    """
    digest = hashlib.sha256(payload).hexdigest()
    file = read_payment_file(payload)
    require_key(idempotency_key)
    with office.book.transaction():
        if earlier := earlier_receipt(office, idempotency_key, digest):
            return earlier
        now = office.now()
        finding = _file_finding(office, file)
        incoming_id = office.book.run(
            "INSERT INTO incoming(door, file_name, sha256, message_id, initiator, verdict,"
            " received_at, put_away) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            door, file_name, digest, file.message_id, file.initiator,
            finding.code if finding else "", now.timestamp(), int(door not in TRAYS),
        )  # fmt: skip
        if finding:
            _refuse_file(office, file, finding, door, now)
            receipt = Receipt(body=_receipt_body(incoming_id, file, digest, now))
        else:
            payments = [_register(office, incoming_id, order, now) for order in file.orders]
            _take_on(office, payments, now)
            receipt = Receipt(
                body=_receipt_body(incoming_id, file, digest, now), lost=_lost(payments)
            )
        if idempotency_key:
            office.book.run(
                "INSERT INTO receipt VALUES (?, ?, ?)",
                idempotency_key,
                digest,
                json.dumps(receipt.body),
            )
        return receipt


def require_key(key: str) -> None:
    """Refuse a malformed idempotency key; none at all is fine.

    Raises:
        BankError: it is malformed.
    """
    if key and not re.fullmatch(rf"[!-~]{{1,{KEY_CHARACTERS_MAX}}}", key):
        raise BankError(
            "idempotency_key_invalid", "Idempotency-Key must be 1 to 200 printable characters"
        )


def earlier_receipt(office: Office, key: str, digest: str) -> Receipt | None:
    """Return what was handed back for this key and content before.

    Raises:
        BankError: the key was used for other content.
    """
    found = office.book.row("SELECT * FROM receipt WHERE idempotency_key = ?", key) if key else None
    if found is None:
        return None
    if found["sha256"] != digest:
        raise BankError("idempotency_conflict", "this key was used for other content", status=409)
    return Receipt(body=json.loads(found["body"]))


def _receipt_body(
    incoming_id: int, file: PaymentFile, digest: str, now: datetime
) -> dict[str, object]:
    return {
        "receipt_id": incoming_id,
        "message_id": file.message_id,
        "transactions": len(file.orders),
        "sha256": digest,
        "received_at": now.isoformat(),
    }


def _file_finding(office: Office, file: PaymentFile) -> Finding | None:
    seen = office.book.row(
        "SELECT 1 FROM incoming WHERE initiator = ? AND message_id = ?",
        file.initiator,
        file.message_id,
    )
    if seen:
        return Finding(code="DU01", text="MsgId was used before")
    return checks.examine_file(file)


def _refuse_file(
    office: Office, file: PaymentFile, finding: Finding, door: str, now: datetime
) -> None:
    accounts = (
        office.book.find_account(order.debtor_account, order.currency) for order in file.orders
    )
    account = next((found for found in accounts if found), None)
    message_id = office.new_message_id("pain.002")
    report = StatusReport(
        message_id=message_id,
        created_at=now,
        bank_bic=account.bank_bic if account else "",
        original_message_id=file.message_id,
        group_status="RJCT",
        reason_code=finding.code,
        reason_text=finding.text,
    )
    letter = Letter(
        message_id=message_id,
        kind="pain.002",
        channel=account.channel if account else door,
        account=account.name if account else "",
        payload=write_status_report(report, version=office.manner(report.bank_bic).status_version),
        created_at=now,
    )
    office.post(letter)


def _parties(office: Office, order: PaymentOrder) -> Parties:
    book = office.book
    debtor = book.find_account(order.debtor_account, order.debtor_currency or order.currency)
    creditor = book.find_account(order.creditor_account, order.currency)
    if creditor and not _is_bank_of(order, creditor):
        creditor = None
    bic = order.creditor_bic or (creditor.bank_bic if creditor else "")
    banks = {row["bank_bic"][:8] for row in book.rows("SELECT DISTINCT bank_bic FROM account")}
    iban_country = order.creditor_account[:2] if order.creditor_account_is_iban else ""
    rail = "BOOK"
    if debtor:
        rail = choose_rail(
            debtor_bic=debtor.bank_bic,
            creditor_bic=bic,
            creditor_country=bic[4:6] or iban_country,
            currency=order.currency,
            service_level=order.service_level,
            instrument=order.instrument,
        )
    return Parties(
        debtor=debtor,
        creditor=creditor,
        creditor_is_ours=bic[:8] in banks,
        creditor_bic=bic,
        rail=rail,
    )


def _is_bank_of(order: PaymentOrder, account: Account) -> bool:
    if order.creditor_bic:
        return identifiers.same_bank(order.creditor_bic, account.bank_bic)
    code = order.creditor_clearing[1]
    return not code or not account.clearing_code or code == account.clearing_code


def _register(office: Office, incoming_id: int, order: PaymentOrder, now: datetime) -> sqlite3.Row:
    """Examine one order and record it with its first status and the faults that hit it."""
    parties = _parties(office, order)
    finding = _order_finding(office, order, parties, now)
    fired: list[Fired] = []
    if finding is None:
        facts = {
            "end_to_end_id": order.end_to_end_id,
            "rail": parties.rail,
            "account": parties.debtor.name if parties.debtor else "",
        }
        # A later attempt under the same reference draws again.
        subject = f"{order.end_to_end_id}:{_attempts(office, order)}"
        fired = draw_faults(office.book, PAYMENT_KINDS, subject=subject, facts=facts)
        finding = next(
            (
                Finding(code=fault.code or _RETRYABLE_REJECT, text="refused by the bank")
                for fault in fired
                if fault.kind == "reject"
            ),
            None,
        )
    payment_id = _record(office, incoming_id, order, parties, now)
    faults = {
        fault.kind: {"seconds": fault.seconds, "code": fault.code, "mode": fault.mode}
        for fault in fired
    }
    office.book.run("UPDATE payment SET faults = ? WHERE id = ?", json.dumps(faults), payment_id)
    set_status(office, payment_id, "RJCT" if finding else "RCVD", now, finding)
    if finding is None and "silent" not in faults and parties.debtor is not None:
        starts_now = int(_starts_now(office, order, parties.rail, parties.debtor, now))
        office.book.run("UPDATE payment SET reserved = ? WHERE id = ?", starts_now, payment_id)
    return payment_row(office, payment_id)


def _order_finding(
    office: Office, order: PaymentOrder, parties: Parties, now: datetime
) -> Finding | None:
    debtor = parties.debtor
    subject = checks.Subject(
        order=order,
        debtor=debtor,
        creditor=parties.creditor,
        creditor_is_ours=parties.creditor_is_ours,
        today=now.astimezone(ZoneInfo(debtor.timezone if debtor else "UTC")).date(),
        rail=parties.rail,
    )
    if (finding := checks.examine_order(subject)) or debtor is None:
        return finding
    twin = office.book.row(
        "SELECT 1 FROM payment WHERE debtor_id = ? AND end_to_end_id = ? AND status <> 'RJCT'",
        debtor.id, order.end_to_end_id,
    )  # fmt: skip
    if twin:
        return Finding(code="AM05", text="EndToEndId was used before by this debtor")
    amount = currencies.to_minor(order.amount_text, order.currency)
    if (
        _starts_now(office, order, parties.rail, debtor, now)
        and office.book.available(debtor) < amount
    ):
        return insufficient_funds()
    return None


def _starts_now(
    office: Office, order: PaymentOrder, rail: str, debtor: Account, now: datetime
) -> bool:
    wanted = date.fromisoformat(order.execution_date)
    closes = office.manner(debtor.bank_bic).closes.get(rail)
    slot = next_slot(rail, now=now, not_before=wanted, zone=debtor.timezone, closes=closes)
    return slot.starts_at <= now


def _attempts(office: Office, order: PaymentOrder) -> int:
    found = office.book.rows(
        "SELECT COUNT(*) AS attempts FROM payment WHERE end_to_end_id = ?", order.end_to_end_id
    )
    return int(found[0]["attempts"])


def _record(
    office: Office, incoming_id: int, order: PaymentOrder, parties: Parties, now: datetime
) -> int:
    try:
        amount = currencies.to_minor(order.amount_text, order.currency)
    except ValueError:
        amount = 0
    values: dict[str, object] = {
        "incoming_id": incoming_id,
        "debtor_id": parties.debtor.id if parties.debtor else None,
        "creditor_id": parties.creditor.id if parties.creditor else None,
        "payment_information_id": order.payment_information_id,
        "instruction_id": order.instruction_id,
        "end_to_end_id": order.end_to_end_id,
        "uetr": order.uetr or str(uuid.uuid4()),
        "amount": amount,
        "amount_text": order.amount_text,
        "currency": order.currency,
        "debtor_account": order.debtor_account,
        "creditor_name": order.creditor_name,
        "creditor_account": order.creditor_account,
        "creditor_bic": parties.creditor_bic,
        "remittance": order.remittance,
        "rail": parties.rail,
        "execution_date": order.execution_date,
        "business_date": order.execution_date,
        "starts_at": now.timestamp(),
        # Refused until set otherwise: a twin must not meet the once-per-debtor index.
        "status": "RJCT",
        "reason_code": "",
        "reason_text": "",
        "reserved": 0,
        "faults": "{}",
        "received_at": now.timestamp(),
    }
    names, holes = ", ".join(values), ", ".join("?" for _ in values)
    return office.book.run(f"INSERT INTO payment({names}) VALUES ({holes})", *values.values())  # noqa: S608 - names are our own columns


def _take_on(office: Office, payments: Sequence[sqlite3.Row], now: datetime) -> None:
    """Accept what was not refused, and answer for all that the bank is not silent or late about."""
    spoken = []
    for payment in payments:
        if payment["status"] == "RCVD":
            if fault_of(payment, "silent") is not None:
                continue
            if late := fault_of(payment, "late"):
                due = now + timedelta(seconds=float(str(late["seconds"])))
                office.schedule("accept", payment["id"], due)
                continue
            accept(office, payment["id"], now)
        spoken.append(payment_row(office, payment["id"]))
    if not spoken:
        return
    statuses = {payment["status"] for payment in spoken}
    complete = len(spoken) == len(payments) and len(statuses) == 1
    answer(office, spoken, now, group_status=statuses.pop() if complete else "PART")


def _lost(payments: Sequence[sqlite3.Row]) -> Fired | None:
    for payment in payments:
        if wish := fault_of(payment, "accept_then_timeout"):
            return Fired(
                kind="accept_then_timeout",
                seconds=float(str(wish["seconds"])),
                code="",
                mode=str(wish["mode"]),
            )
    return None
