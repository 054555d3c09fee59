"""A payment's life inside the bank: accepted, waiting, in process, booked, credited, returned."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from integrations.sandbox_bank.answers import OrderStatus, StatusReport, write_status_report
from integrations.sandbox_bank.gathering import Advice, Round
from integrations.sandbox_bank.ledger import Posting, notify, post_movement
from integrations.sandbox_bank.manners import Manner
from integrations.sandbox_bank.office import Letter, Office
from integrations.sandbox_bank.rails import RAILS, next_slot
from integrations.sandbox_bank.records import Account, Entry, Finding

REFERENCE_CHARACTERS_MAX = 35
NO_REFERENCES: Mapping[int, str] = MappingProxyType({})
_SELECT = (
    "SELECT payment.*, incoming.message_id AS original_message_id, incoming.door AS door,"
    " EXISTS (SELECT 1 FROM payment other WHERE other.incoming_id = payment.incoming_id"
    " AND other.id <> payment.id) AS has_company"
    " FROM payment JOIN incoming ON incoming.id = payment.incoming_id"
)
_OUTGOING_CODES = {"BOOK": ("PMNT", "ICDT", "BOOK"), "SEPA_SCT": ("PMNT", "ICDT", "ESCT")}
_INCOMING_CODES = {"BOOK": ("PMNT", "RCDT", "BOOK"), "SEPA_SCT": ("PMNT", "RCDT", "ESCT")}


def payment_row(office: Office, payment_id: int) -> sqlite3.Row:
    found = office.book.row(f"{_SELECT} WHERE payment.id = ?", payment_id)
    if found is None:
        raise LookupError(f"payment {payment_id}")
    return found


def fault_of(payment: sqlite3.Row, kind: str) -> dict[str, object] | None:
    """Return the parameters of a fault that hit this payment, or None."""
    found: dict[str, object] | None = json.loads(payment["faults"]).get(kind)
    return found


def copies_for(payment: sqlite3.Row) -> int:
    return 2 if fault_of(payment, "answer_twice") is not None else 1


def set_status(
    office: Office, payment_id: int, status: str, at: datetime, finding: Finding | None = None
) -> None:
    """Write a status and its history line; nothing is sent."""
    code, text = (finding.code, finding.text) if finding else ("", "")
    office.book.run(
        "UPDATE payment SET status = ?, reason_code = ?, reason_text = ?,"
        " reserved = CASE WHEN ? IN ('RJCT', 'CANC', 'ACSC', 'ACCC') THEN 0 ELSE reserved END WHERE"
        " id = ?",
        status, code, text, status, payment_id,
    )  # fmt: skip
    office.book.run(
        "INSERT INTO payment_status(payment_id, status, reason_code, at) VALUES (?, ?, ?, ?)",
        payment_id, status, code, at.timestamp(),
    )  # fmt: skip


def answer(
    office: Office,
    payments: Sequence[sqlite3.Row],
    at: datetime,
    *,
    group_status: str = "",
    references: Mapping[int, str] = NO_REFERENCES,
) -> None:
    """Send one pain.002 with the present status of these payments of one original message.

    `references` are those of the bank's own entries, by payment.
    """
    first = payments[0]
    account = office.book.account(first["debtor_id"]) if first["debtor_id"] else None
    manner = office.manner(account.bank_bic if account else "")
    message_id = office.new_message_id("pain.002")
    report = StatusReport(
        message_id=message_id,
        created_at=at,
        bank_bic=account.bank_bic if account else "",
        original_message_id=first["original_message_id"],
        group_status=group_status,
        orders=()
        if _says_it_once(manner, group_status)
        else [_order_status(one, at, references.get(one["id"], "")) for one in payments],
    )
    letter = Letter(
        message_id=message_id,
        kind="pain.002",
        channel=account.channel if account else first["door"],
        account=account.name if account else "",
        payload=write_status_report(report, version=manner.status_version),
        created_at=at,
    )
    office.post(letter, copies=max(copies_for(payment) for payment in payments))


def _says_it_once(manner: Manner, group_status: str) -> bool:
    """Whether this bank answers a whole file with one word; a refusal always names its reason."""
    return manner.status_style == "group" and group_status not in {"", "PART", "RJCT"}


def _order_status(payment: sqlite3.Row, at: datetime, bank_reference: str) -> OrderStatus:
    return OrderStatus(
        payment_information_id=payment["payment_information_id"][:REFERENCE_CHARACTERS_MAX],
        instruction_id=payment["instruction_id"][:REFERENCE_CHARACTERS_MAX],
        end_to_end_id=payment["end_to_end_id"][:REFERENCE_CHARACTERS_MAX],
        uetr=payment["uetr"],
        status=payment["status"],
        reason_code=payment["reason_code"],
        reason_text=payment["reason_text"],
        accepted_at=None if payment["status"] == "RJCT" else at,
        bank_reference=bank_reference,
    )


def _announce(
    office: Office,
    payment_id: int,
    status: str,
    at: datetime,
    *,
    finding: Finding | None = None,
    reference: str = "",
) -> None:
    set_status(office, payment_id, status, at, finding)
    payment = payment_row(office, payment_id)
    if office.round is not None and payment["has_company"]:
        office.round.report(payment, at, reference=reference)
    else:
        references = {payment_id: reference} if reference else NO_REFERENCES
        answer(office, [payment], at, references=references)


def _advise(
    office: Office, payment: sqlite3.Row, account: Account, entry: Entry, at: datetime
) -> None:
    """Tell an account's owner of a booking: with the others of its file, or at once."""
    copies = copies_for(payment)
    if office.round is not None and payment["has_company"]:
        advice = Advice(account_id=account.id, at=at, copies=copies)
        office.round.advise(payment, entry, advice)
    else:
        notify(office, account.id, [entry], at, copies=copies)


def tell_round(office: Office, kept: Round) -> None:
    """Send the reports and advices of a round that is over."""
    kept.tell(
        report=lambda one: answer(office, one.payments, one.at, references=one.references),
        advise=lambda one: notify(office, one.account_id, one.entries, one.at, copies=one.copies),
    )


def accept(office: Office, payment_id: int, at: datetime) -> None:
    """Take the payment on and plan when it starts; the caller answers."""
    payment = payment_row(office, payment_id)
    account = office.book.account(payment["debtor_id"])
    rail = RAILS[payment["rail"]]
    slot = next_slot(
        rail.code,
        now=at,
        not_before=date.fromisoformat(payment["execution_date"]),
        zone=account.timezone,
        closes=office.manner(account.bank_bic).closes.get(rail.code),
    )
    starts_now = slot.starts_at <= at
    office.book.run(
        "UPDATE payment SET starts_at = ?, business_date = ?, reserved = ? WHERE id = ?",
        slot.starts_at.timestamp(), slot.business_date.isoformat(), int(starts_now), payment_id,
    )  # fmt: skip
    set_status(office, payment_id, "ACTC", at)
    if not starts_now:
        office.schedule("pend", payment_id, at)
    office.schedule("start", payment_id, office.after(slot.starts_at, rail.accept_seconds))


def on_accept(office: Office, payment_id: int, at: datetime) -> None:
    """Agenda: a late bank finally takes the payment on."""
    if payment_row(office, payment_id)["status"] == "RCVD":
        accept(office, payment_id, at)
        answer(office, [payment_row(office, payment_id)], at)


def on_pend(office: Office, payment_id: int, at: datetime) -> None:
    """Agenda: tell the customer that the rail is closed and when it opens."""
    payment = payment_row(office, payment_id)
    if payment["status"] != "ACTC":
        return
    opens = datetime.fromtimestamp(payment["starts_at"], UTC)
    text = f"waits for {payment['rail']}, execution from {opens:%Y-%m-%dT%H:%M:%SZ}"
    _announce(office, payment_id, "PDNG", at, finding=Finding(code="", text=text))


def on_start(office: Office, payment_id: int, at: datetime) -> None:
    """Agenda: the rail is open; see to the funds and put the payment in process."""
    payment = payment_row(office, payment_id)
    if payment["status"] not in {"ACTC", "PDNG"}:
        return
    account = office.book.account(payment["debtor_id"])
    if not payment["reserved"] and office.book.available(account) < payment["amount"]:
        _announce(office, payment_id, "RJCT", at, finding=insufficient_funds())
        return
    office.book.run("UPDATE payment SET reserved = 1 WHERE id = ?", payment_id)
    _announce(office, payment_id, "ACSP", at)
    office.schedule("settle", payment_id, office.after(at, RAILS[payment["rail"]].settle_seconds))


def insufficient_funds() -> Finding:
    return Finding(code="AM04", text="the account does not hold enough available funds")


def on_settle(office: Office, payment_id: int, at: datetime) -> None:
    """Agenda: book the payment, once, with its credit when the creditor banks here too."""
    payment = payment_row(office, payment_id)
    if payment["status"] != "ACSP":
        return
    account = office.book.account(payment["debtor_id"])
    if account.balance + account.credit_line < payment["amount"]:
        _announce(office, payment_id, "RJCT", at, finding=insufficient_funds())
        return
    debit = post_movement(office, _debit(payment, account), at)
    _announce(office, payment_id, "ACSC", at, reference=debit.reference)
    _advise(office, payment, account, debit, at)
    if payment["creditor_id"]:
        creditor = office.book.account(payment["creditor_id"])
        credit = post_movement(office, _credit(payment, account, creditor), at)
        _advise(office, payment, creditor, credit, at)
        _announce(office, payment_id, "ACCC", at, reference=debit.reference)
    if wish := fault_of(payment, "return"):
        due = at + timedelta(seconds=float(str(wish["seconds"])) or 3600.0)
        office.schedule("return", payment_id, due)


def on_return(office: Office, payment_id: int, at: datetime) -> None:
    """Agenda: the beneficiary's bank sends the money back."""
    payment = payment_row(office, payment_id)
    if payment["creditor_id"] or payment["status"] != "ACSC":
        return
    account = office.book.account(payment["debtor_id"])
    wish = fault_of(payment, "return") or {}
    details = _references(payment) | {"return_code": str(wish.get("code") or "AC04")}
    posting = Posting(
        account=account,
        amount=payment["amount"],
        leg="return",
        value_date=_value_date(account, at),
        code=("PMNT", "RCDT", "RRTN"),
        payment_id=payment_id,
        details=details,
    )
    entry = post_movement(office, posting, at)
    notify(office, account.id, [entry], at, copies=copies_for(payment))


def _debit(payment: sqlite3.Row, account: Account) -> Posting:
    return Posting(
        account=account,
        amount=-payment["amount"],
        leg="debit",
        value_date=_settlement_date(payment, account),
        code=_OUTGOING_CODES.get(payment["rail"], ("PMNT", "ICDT", "DMCT")),
        payment_id=payment["id"],
        details=_references(payment),
    )


def _credit(payment: sqlite3.Row, debtor: Account, creditor: Account) -> Posting:
    details = _references(payment) | {
        "counterparty_name": debtor.owner_name,
        "counterparty_account": debtor.name,
        "counterparty_bic": debtor.bank_bic,
        # The payer's own message and batch references mean nothing to the payee.
        "message_id": "",
        "payment_information_id": "",
    }
    return Posting(
        account=creditor,
        amount=payment["amount"],
        leg="credit",
        value_date=_settlement_date(payment, creditor),
        code=_INCOMING_CODES.get(payment["rail"], ("PMNT", "RCDT", "DMCT")),
        payment_id=payment["id"],
        details=details,
    )


def _references(payment: sqlite3.Row) -> dict[str, object]:
    return {
        "end_to_end_id": payment["end_to_end_id"],
        "uetr": payment["uetr"],
        "message_id": payment["original_message_id"],
        "payment_information_id": payment["payment_information_id"],
        "instruction_id": payment["instruction_id"],
        "counterparty_name": payment["creditor_name"],
        "counterparty_account": payment["creditor_account"],
        "counterparty_bic": payment["creditor_bic"],
        "remittance": payment["remittance"],
    }


def _settlement_date(payment: sqlite3.Row, account: Account) -> date:
    business_date = date.fromisoformat(payment["business_date"])
    if RAILS[payment["rail"]].zone or account.bank_date is None:
        return business_date
    return max(business_date, account.bank_date) if payment["rail"] == "BOOK" else business_date


def _value_date(account: Account, at: datetime) -> date:
    return account.bank_date or at.astimezone(ZoneInfo(account.timezone)).date()
