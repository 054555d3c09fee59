"""Posting: the only place where money moves in the book."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from integrations.sandbox_bank import camt
from integrations.sandbox_bank.office import Letter, Office
from integrations.sandbox_bank.records import Account, Entry, Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What is to be booked; `details` are the fields of `Entry` that describe the other side."""

    account: Account
    amount: int
    leg: str
    value_date: date
    code: tuple[str, str, str]
    payment_id: int | None
    details: Mapping[str, Any]


def post_movement(office: Office, posting: Posting, at: datetime) -> Entry:
    """Book one movement on its account.

    A second movement for the same leg of the same payment is refused by the book itself.
    """
    book = office.book
    account = book.account(posting.account.id)
    booking_date = account.bank_date or at.date()
    balance_after = account.balance + posting.amount
    movement_id = book.run(
        "INSERT INTO movement(account_id, payment_id, leg, amount, balance_after, booked_at,"
        " booking_date,"
        " value_date, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '{}')",
        account.id, posting.payment_id, posting.leg, posting.amount, balance_after,
        at.timestamp(),
        booking_date.isoformat(), posting.value_date.isoformat(),
    )  # fmt: skip
    entry = Entry(
        reference=f"{book.prefix}{movement_id:09d}",
        amount=posting.amount,
        booking_date=booking_date,
        value_date=posting.value_date,
        code=posting.code,
        **posting.details,
    )
    book.run("UPDATE movement SET entry = ? WHERE id = ?", entry_to_json(entry), movement_id)
    book.run("UPDATE account SET balance = ? WHERE id = ?", balance_after, account.id)
    _plan_interim_report(office, account.id, at)
    return entry


def notify(
    office: Office, account_id: int, entries: Sequence[Entry], at: datetime, *, copies: int = 1
) -> None:
    """Send a camt.054 for entries of one account, unless this bank sends none."""
    account = office.book.account(account_id)
    if not office.manner(account.bank_bic).notifies:
        return
    message_id = office.new_message_id("camt.054")
    notification = Statement(
        account=account,
        message_id=message_id,
        statement_id=message_id,
        sequence=0,
        created_at=at,
        bank_date=entries[0].booking_date,
        opening=0,
        closing=0,
        available=0,
        entries=tuple(entries),
    )
    letter = Letter(
        message_id=message_id,
        kind="camt.054",
        channel=account.channel,
        account=account.name,
        payload=camt.write_notification(notification),
        created_at=at,
    )
    office.post(letter, copies=copies)


def entry_to_json(entry: Entry) -> str:
    return json.dumps(asdict(entry), default=str)


def entry_from_json(text: str) -> Entry:
    values = json.loads(text)
    for name in ("booking_date", "value_date"):
        values[name] = date.fromisoformat(values[name])
    values["code"] = tuple(values["code"])
    return Entry(**values)


def _plan_interim_report(office: Office, account_id: int, at: datetime) -> None:
    if office.interim_minutes <= 0:
        return
    planned = office.book.row("SELECT 1 FROM agenda WHERE kind = 'interim' AND ref = ?", account_id)
    if planned is None:
        step = office.interim_minutes * 60
        due = (int(at.timestamp()) // step + 1) * step
        office.schedule("interim", account_id, datetime.fromtimestamp(due, UTC))
