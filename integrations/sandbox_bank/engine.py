"""The bank itself: takes orders, lives through its agenda, answers. Doors stand around it."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox_bank import (
    activity,
    faults,
    inquiries,
    intake,
    payments,
    script,
    statements,
)
from integrations.sandbox_bank.bankdays import bank_day_from
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.gathering import Round
from integrations.sandbox_bank.intake import Receipt
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.records import Account, BankError

AGENDA_ITEMS_PER_TRANSACTION = 100
MESSAGES_PER_PAGE_MAX = 500
REPORT_TYPES = ("camt.052", "camt.053")
Handler = Callable[[Office, int, datetime], None]
_HANDLERS: dict[str, Handler] = {
    "accept": payments.on_accept,
    "pend": payments.on_pend,
    "start": payments.on_start,
    "settle": payments.on_settle,
    "return": payments.on_return,
    "eod": statements.on_eod,
    "interim": statements.on_interim,
    "activity": activity.on_activity,
}


class Bank:
    """Every method is one use case and one transaction on the book."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.book: Book = office.book

    # Orders in, time on

    def receive(
        self, payload: bytes, *, door: str, file_name: str = "", idempotency_key: str = ""
    ) -> Receipt:
        """Take a payment file or a question in; see `intake.receive`, `inquiries.receive`."""
        wish = inquiries.read_inquiry(payload)
        if wish is not None:
            return inquiries.receive(
                self.office,
                wish=wish,
                payload=payload,
                door=door,
                file_name=file_name,
                idempotency_key=idempotency_key,
            )
        return intake.receive(
            self.office,
            payload=payload,
            door=door,
            file_name=file_name,
            idempotency_key=idempotency_key,
        )

    def tick(self) -> int:
        """Do everything that is due, each at its own moment; return how many items were done."""
        done = 0
        while True:
            with self.book.transaction():
                handled = self._in_one_round()
            done += handled
            if handled < AGENDA_ITEMS_PER_TRANSACTION:
                return done

    def _in_one_round(self) -> int:
        """Do a part of what is due; what it says of the orders of one file, it says together."""
        kept = self.office.round = Round()
        try:
            handled = self._handle_due(self.office.now())
        finally:
            self.office.round = None
        payments.tell_round(self.office, kept)
        return handled

    def _handle_due(self, now: datetime) -> int:
        for handled in range(AGENDA_ITEMS_PER_TRANSACTION):
            item = self.book.row(
                "SELECT * FROM agenda WHERE due_at <= ? ORDER BY due_at, id LIMIT 1",
                now.timestamp(),
            )
            if item is None:
                return handled
            self.book.run("DELETE FROM agenda WHERE id = ?", item["id"])
            at = datetime.fromtimestamp(item["due_at"], UTC)
            if item["kind"] == "flow":
                activity.on_flow(self.office, item["ref"], at, json.loads(item["detail"]))
            elif item["kind"] == "script":
                script.on_step(self.office, at, json.loads(item["detail"]))
            else:
                _HANDLERS[item["kind"]](self.office, item["ref"], at)
        return AGENDA_ITEMS_PER_TRANSACTION

    def advance_clock(
        self, *, seconds: float | None = None, to: datetime | None = None
    ) -> dict[str, Any]:
        """Move the bank's clock forward and live through what falls due on the way.

        Raises:
            BankError: backwards, too far, or not exactly one of the two wishes.
        """
        if (seconds is None) == (to is None):
            raise BankError("clock_step_refused", "say either seconds or to", status=422)
        if to is not None:
            seconds = (to - self.office.now()).total_seconds()
        self.office.advance(seconds or 0.0)
        done = self.tick()
        return {**self.clock(), "agenda_items_done": done}

    def clock(self) -> dict[str, Any]:
        return {
            "now": self.office.now().isoformat(),
            "offset_seconds": float(self.book.meta("clock_offset_seconds", "0")),
        }

    # Accounts, days, reports

    def put_accounts(self, accounts: Iterable[Account]) -> list[dict[str, str]]:
        """Add accounts or bring their descriptions up to date; repeating changes nothing."""
        outcomes = []
        with self.book.transaction():
            for account in accounts:
                local = self.office.now().astimezone(ZoneInfo(account.timezone)).date()
                bank_date = bank_day_from(account.currency, account.bank_date or local)
                account_id, outcome = self.book.put_account(account, bank_date=bank_date)
                if outcome != "kept":
                    self._plan_evening(account_id)
                outcomes.append(
                    {"account": account.name, "currency": account.currency, "outcome": outcome}
                )
        return outcomes

    def _plan_evening(self, account_id: int) -> None:
        """Keep exactly one end of day on the agenda, that of the open bank day."""
        account = self.book.account(account_id)
        self.book.run("DELETE FROM agenda WHERE kind = 'eod' AND ref = ?", account_id)
        statements.plan_closing(
            self.office, account, account.bank_date or self._local_today(account)
        )

    def start_activity(self) -> None:
        """Let every account that has none planned yet live its business from today on."""
        if self.office.activity_seed is None:
            return
        with self.book.transaction():
            for account in self.book.accounts():
                if not self.book.row(
                    "SELECT 1 FROM agenda WHERE kind = 'activity' AND ref = ?", account.id
                ):
                    activity.plan_next(self.office, account, self._local_today(account))

    def _local_today(self, account: Account) -> date:
        return self.office.now().astimezone(ZoneInfo(account.timezone)).date()

    def end_of_day(self, *, account: object = None, force: object = False) -> dict[str, Any]:
        """Close the open bank day of one account or of all; `force` also one not yet begun.

        Raises:
            BankError: no such account.
        """
        with self.book.transaction():
            chosen = [self.book.require_account(account)] if account else self.book.accounts()
            closed: dict[str, int] = {}
            now = self.office.now()
            for one in chosen:
                until = self._local_today(one)
                if force is True and one.bank_date is not None:
                    until = max(until, one.bank_date)
                closed[one.name] = statements.close_days(self.office, one.id, now, until=until)
            return {"closed": closed}

    def report(self, *, account: object, kind: object, day: object = None) -> dict[str, Any]:
        """Send an interim report now, or a day's statement once more.

        Raises:
            BankError: no such account, type or day.
        """
        if kind not in REPORT_TYPES:
            raise BankError(
                "report_type_unknown",
                f"type must be one of {', '.join(REPORT_TYPES)}",
                status=422,
            )
        with self.book.transaction():
            found = self.book.require_account(account)
            now = self.office.now()
            if kind == "camt.052":
                return {"message_id": statements.send_interim_report(self.office, found, now)}
            return {"message_id": statements.resend_statement(self.office, found, str(day), now)}

    # Scripts

    def plan_script(self, content: object) -> int:
        """Put a script on the agenda; see `script.plan`."""
        return script.plan(self.office, content)

    # Trouble

    def add_fault(self, content: object) -> dict[str, Any]:
        return faults.add_fault(self.book, content)

    def list_faults(self) -> list[dict[str, Any]]:
        return faults.list_faults(self.book)

    def clear_faults(self) -> int:
        return faults.clear_faults(self.book)

    # Questions

    def messages(self, *, after: int, channel: str = "http") -> list[dict[str, Any]]:
        """List outgoing messages behind a number; channel `all` shows the folder's as well."""
        rows = self.book.rows(
            "SELECT n, message_id, kind, channel, account, file_name, created_at,"
            " LENGTH(payload) AS bytes"
            " FROM outgoing WHERE n > ? AND (channel = ? OR ? = 'all') ORDER BY n LIMIT ?",
            after, channel, channel, MESSAGES_PER_PAGE_MAX,
        )  # fmt: skip
        return [{**dict(row), "created_at": iso(row["created_at"])} for row in rows]

    def message(self, number: int) -> tuple[str, bytes]:
        """Return kind and bytes of one outgoing message.

        Raises:
            BankError: there is no such message.
        """
        found = self.book.row("SELECT kind, payload FROM outgoing WHERE n = ?", number)
        if found is None:
            raise BankError("not_found", "no such message", status=404)
        return found["kind"], bytes(found["payload"])


def iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()
