"""What the bank shows of its book: payments, movements, accounts, whether it all adds up."""

import json
import sqlite3
from typing import Any

from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.currencies import to_text
from integrations.sandbox_bank.engine import iso
from integrations.sandbox_bank.faults import list_faults
from integrations.sandbox_bank.records import Account

ROWS_MAX = 20_000
FILES_SHOWN_MAX = 200
_PAYMENTS = (
    "SELECT payment.*, incoming.message_id AS original_message_id, incoming.door AS door,"
    " (SELECT COUNT(*) FROM movement"
    "  WHERE movement.payment_id = payment.id AND leg = 'debit') AS executed,"
    " (SELECT booked_at FROM movement"
    "  WHERE movement.payment_id = payment.id AND leg = 'debit') AS executed_at"
    " FROM payment JOIN incoming ON incoming.id = payment.incoming_id"
)


def account_view(book: Book, account: Account) -> dict[str, Any]:
    return {
        "account": account.name,
        "iban": account.iban,
        "number": account.number,
        "bank_bic": account.bank_bic,
        "bank_name": account.bank_name,
        "clearing_system": account.clearing_system,
        "clearing_code": account.clearing_code,
        "currency": account.currency,
        "owner_name": account.owner_name,
        "timezone": account.timezone,
        "channel": account.channel,
        "statement_format": account.statement_format,
        "opening_balance": to_text(account.opening, account.currency),
        "balance": to_text(account.balance, account.currency),
        "available": to_text(book.available(account), account.currency),
        "credit_line": to_text(account.credit_line, account.currency),
        "bank_date": account.bank_date.isoformat() if account.bank_date else None,
        "statement_seq": account.statement_seq,
    }


def payment_view(book: Book, row: sqlite3.Row) -> dict[str, Any]:
    history = book.rows("SELECT * FROM payment_status WHERE payment_id = ? ORDER BY id", row["id"])
    return {
        "end_to_end_id": row["end_to_end_id"],
        "uetr": row["uetr"],
        "message_id": row["original_message_id"],
        "payment_information_id": row["payment_information_id"],
        "instruction_id": row["instruction_id"],
        "amount": row["amount_text"],
        "currency": row["currency"],
        "debtor_account": row["debtor_account"],
        "creditor_account": row["creditor_account"],
        "creditor_name": row["creditor_name"],
        "creditor_bic": row["creditor_bic"],
        "rail": row["rail"],
        "door": row["door"],
        "status": row["status"],
        "reason": {"code": row["reason_code"], "text": row["reason_text"]},
        "requested_execution_date": row["execution_date"],
        "starts_at": iso(row["starts_at"]),
        "received_at": iso(row["received_at"]),
        "executed_count": row["executed"],
        "executed_at": iso(row["executed_at"]) if row["executed_at"] else None,
        "faults": sorted(json.loads(row["faults"])),
        "history": [
            {"status": line["status"], "code": line["reason_code"], "at": iso(line["at"])}
            for line in history
        ],
    }


def find_payment(book: Book, end_to_end_id: str, debtor: str = "") -> dict[str, Any] | None:
    """Return the payment under a reference: the live attempt if there is one, else the last."""
    rows = book.rows(
        f"{_PAYMENTS} WHERE end_to_end_id = ? AND (? = '' OR debtor_account = ?)"
        " ORDER BY payment.id",
        end_to_end_id, debtor, debtor,
    )  # fmt: skip
    if not rows:
        return None
    live = [row for row in rows if row["status"] != "RJCT"]
    shown = (live or rows)[-1]
    return {"found": True, "attempts": len(rows), **payment_view(book, shown)}


def book_view(book: Book, *, account: str = "", limit: int = ROWS_MAX) -> dict[str, Any]:
    """Return accounts, payments and movements, newest last, at most `limit` of each."""
    with book.transaction():
        payments = book.rows(
            f"SELECT * FROM ({_PAYMENTS} WHERE ? = '' OR debtor_account = ? OR creditor_account = ?"  # noqa: S608 - constant text
            " ORDER BY payment.id DESC LIMIT ?) ORDER BY id",
            account, account, account, limit,
        )  # fmt: skip
        movements = book.rows(
            "SELECT * FROM (SELECT movement.*, account.name, account.currency FROM movement"
            " JOIN account ON account.id = movement.account_id WHERE ? = '' OR account.name = ?"
            " ORDER BY movement.id DESC LIMIT ?) ORDER BY id",
            account, account, limit,
        )  # fmt: skip
        return {
            "bank": book.prefix,
            "balanced": not imbalances(book),
            "accounts": [account_view(book, one) for one in book.accounts()],
            "payments": [payment_view(book, row) for row in payments],
            "movements": [_movement_view(row) for row in movements],
            "files": _files(book),
            "faults": list_faults(book),
        }


def _files(book: Book) -> list[dict[str, Any]]:
    rows = book.rows(
        "SELECT * FROM (SELECT n, kind, channel, account, file_name, LENGTH(payload) AS bytes,"
        " created_at FROM outgoing ORDER BY n DESC LIMIT ?) ORDER BY n",
        FILES_SHOWN_MAX,
    )
    return [{**dict(row), "created_at": iso(row["created_at"])} for row in rows]


def executed_view(book: Book) -> dict[str, int]:
    """Return how often each reference was executed: the set to hold against one's own books."""
    rows = book.rows(
        "SELECT end_to_end_id, COUNT(*) AS times FROM movement"
        " JOIN payment ON payment.id = movement.payment_id WHERE leg = 'debit'"
        " GROUP BY end_to_end_id ORDER BY end_to_end_id"
    )
    return {row["end_to_end_id"]: row["times"] for row in rows}


def imbalances(book: Book) -> list[str]:
    """Name the accounts whose balance does not follow from movements and last statement."""
    rows = book.rows(
        "SELECT account.name, account.balance,"
        " account.opening + COALESCE(SUM(movement.amount), 0) AS counted,"
        " account.closed_balance + COALESCE(SUM(CASE WHEN movement.statement_id IS NULL"
        " THEN movement.amount END), 0) AS since_statement"
        " FROM account LEFT JOIN movement ON movement.account_id = account.id GROUP BY account.id"
    )
    return [
        row["name"]
        for row in rows
        if len({row["balance"], row["counted"], row["since_statement"]}) > 1
    ]


def _movement_view(row: sqlite3.Row) -> dict[str, Any]:
    entry = json.loads(row["entry"])
    return {
        "account": row["name"],
        "currency": row["currency"],
        "reference": entry["reference"],
        "leg": row["leg"],
        "amount": to_text(row["amount"], row["currency"]),
        "balance_after": to_text(row["balance_after"], row["currency"]),
        "booked_at": iso(row["booked_at"]),
        "booking_date": row["booking_date"],
        "value_date": row["value_date"],
        "end_to_end_id": entry["end_to_end_id"],
        "uetr": entry["uetr"],
        "counterparty_name": entry["counterparty_name"],
        "remittance": entry["remittance"],
    }
