"""The bank's durable book: one SQLite file, one transaction per change, safe against kill -9."""

import contextlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from integrations.sandbox_bank.records import Account, BankError

BUSY_SECONDS_MAX = 10
BOOK_FILE = "book.sqlite3"
_SCHEMA = Path(__file__).with_name("book.sql")


class Book:
    """One connection behind one lock: the bank serves a desk, not a nation."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(
            home / BOOK_FILE,
            timeout=BUSY_SECONDS_MAX,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.executescript(_SCHEMA.read_text("utf-8"))
        # A fresh book must never repeat the references of an older one, hence the prefix.
        self.run(
            "INSERT OR IGNORE INTO meta VALUES ('book', ?)", "S" + secrets.token_hex(3).upper()
        )
        self.prefix = str(self.meta("book"))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock and commit everything at the end, or nothing; nests into the outer one."""
        with self._lock:
            if self._depth:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            else:
                self._connection.execute("COMMIT")
            finally:
                self._depth = 0

    def rows(self, sql: str, *arguments: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, arguments).fetchall()

    def row(self, sql: str, *arguments: object) -> sqlite3.Row | None:
        found = self.rows(sql, *arguments)
        return found[0] if found else None

    def run(self, sql: str, *arguments: object) -> int:
        """Execute one statement and return the last inserted row id."""
        with self._lock:
            return self._connection.execute(sql, arguments).lastrowid or 0

    def meta(self, name: str, default: str = "") -> str:
        found = self.row("SELECT value FROM meta WHERE name = ?", name)
        return str(found["value"]) if found else default

    def set_meta(self, name: str, value: str) -> None:
        self.run(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
            name,
            value,
        )

    def next_number(self, name: str) -> int:
        """Return the next number of a series; commits with the surrounding transaction."""
        with self.transaction():
            number = int(self.meta(f"number:{name}", "0")) + 1
            self.set_meta(f"number:{name}", str(number))
            return number

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # Accounts

    def account(self, account_id: int) -> Account:
        found = self.row("SELECT * FROM account WHERE id = ?", account_id)
        if found is None:
            raise LookupError(f"account {account_id}")
        return account_from(found)

    def accounts(self) -> list[Account]:
        return [account_from(row) for row in self.rows("SELECT * FROM account ORDER BY id")]

    def find_account(self, name: str, currency: str = "") -> Account | None:
        """Find an account by IBAN or number; the currency decides between several of one number."""
        found = self.rows(
            "SELECT * FROM account WHERE name = ? OR number = ? ORDER BY id", name, name
        )
        exact = [row for row in found if row["currency"] == currency] or found
        return account_from(exact[0]) if exact else None

    def require_account(self, name: object) -> Account:
        """Find an account or refuse.

        Raises:
            BankError: nobody here has that number.
        """
        found = self.find_account(name) if isinstance(name, str) else None
        if found is None:
            raise BankError("account_unknown", "this bank keeps no such account", status=404)
        return found

    def available(self, account: Account) -> int:
        """Booked balance plus credit line, less what accepted payments have reserved."""
        reserved = self.rows(
            "SELECT COALESCE(SUM(amount), 0) AS total FROM payment WHERE debtor_id = ? AND"
            " reserved = 1",
            account.id,
        )[0]["total"]
        return account.balance + account.credit_line - int(reserved)

    def put_account(self, account: Account, *, bank_date: date) -> tuple[int, str]:
        """Add or update an account; money and dates of an account that has moved are kept."""
        values = _account_values(account, bank_date)
        known = self.find_account(account.name, account.currency)
        if known is None or known.currency != account.currency:
            names = ", ".join(values)
            holes = ", ".join("?" for _ in values)
            inserted = self.run(f"INSERT INTO account({names}) VALUES ({holes})", *values.values())  # noqa: S608 - names are our own columns
            return inserted, "added"
        moved = self.row(
            "SELECT 1 FROM movement WHERE account_id = ? UNION ALL SELECT 1 FROM statement"
            " WHERE account_id = ?"
            " UNION ALL SELECT 1 FROM payment WHERE debtor_id = ?",
            known.id, known.id, known.id,
        )  # fmt: skip
        if moved:
            for kept in ("opening", "balance", "bank_date", "statement_seq", "closed_balance"):
                del values[kept]
        elif account.bank_date is None:
            del values["bank_date"]
        changes = ", ".join(f"{name} = ?" for name in values)
        self.run(f"UPDATE account SET {changes} WHERE id = ?", *values.values(), known.id)  # noqa: S608 - names are our own columns
        return known.id, "kept" if moved else "replaced"


def _account_values(account: Account, bank_date: date) -> dict[str, object]:
    return {
        "name": account.name,
        "bank_bic": account.bank_bic,
        "bank_name": account.bank_name,
        "iban": account.iban,
        "number": account.number,
        "clearing_system": account.clearing_system,
        "clearing_code": account.clearing_code,
        "currency": account.currency,
        "owner_name": account.owner_name,
        "timezone": account.timezone,
        "channel": account.channel,
        "statement_format": account.statement_format,
        "credit_line": account.credit_line,
        "opening": account.opening,
        "balance": account.balance,
        "bank_date": bank_date.isoformat(),
        "statement_seq": account.statement_seq,
        "closed_balance": account.closed_balance,
        "profile": json.dumps(account.profile),
    }


def account_from(row: sqlite3.Row) -> Account:
    values: dict[str, Any] = {name: row[name] for name in row.keys() if name != "name"}  # noqa: SIM118 - a Row iterates its values
    values["bank_date"] = date.fromisoformat(values["bank_date"])
    values["profile"] = json.loads(values["profile"])
    return Account(**values)
