"""What every desk of the bank works with: the book, its own clock, the agenda and the post."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.gathering import Round
from integrations.sandbox_bank.manners import Manner, Manners, manner_of
from integrations.sandbox_bank.records import BankError

ADVANCE_SECONDS_MAX = 400 * 86_400
_CODES = {
    "pain.002": "PSR",
    "camt.029": "RSL",
    "camt.052": "RPT",
    "camt.053": "STM",
    "camt.054": "NTF",
    "MT940": "STM",
    "MT942": "RPT",
    "BAI2": "STM",
    "CSV": "STM",
}
ENDINGS = {"MT940": "sta", "MT942": "sta", "BAI2": "bai", "CSV": "csv"}
# Messages of these wait to be written into a tray; the others are fetched.
TRAYS = ("folder", "sftp")


@dataclass(kw_only=True)
class Office:
    """`clock` yields real seconds; the book remembers how far the bank has been advanced beyond it.

    `pace` stretches or shortens every rail: 0.1 settles ten times as fast. `round` is there while
    the agenda is worked off, and keeps what is said of the orders of one file.
    """

    book: Book
    clock: Callable[[], float] = field(default=time.time)
    pace: float = 1.0
    interim_minutes: int = 30
    activity_seed: int | None = None
    manners: Manners = field(default_factory=dict)
    round: Round | None = None

    def manner(self, bic: str) -> Manner:
        """Return how the bank of this BIC speaks."""
        return manner_of(self.manners, bic)

    def now(self) -> datetime:
        offset_seconds = float(self.book.meta("clock_offset_seconds", "0"))
        return datetime.fromtimestamp(self.clock() + offset_seconds, UTC)

    def advance(self, seconds: float) -> None:
        """Move the bank's clock forward; it never goes back.

        Raises:
            BankError: the step is negative or longer than about a year.
        """
        if not 0 <= seconds <= ADVANCE_SECONDS_MAX:
            raise BankError(
                "clock_step_refused", f"seconds must be 0 to {ADVANCE_SECONDS_MAX}", status=422
            )
        with self.book.transaction():
            offset_seconds = float(self.book.meta("clock_offset_seconds", "0")) + seconds
            self.book.set_meta("clock_offset_seconds", repr(offset_seconds))

    def schedule(
        self, kind: str, ref: int, at: datetime, detail: Mapping[str, object] | None = None
    ) -> None:
        self.book.run(
            "INSERT INTO agenda(due_at, kind, ref, detail) VALUES (?, ?, ?, ?)",
            at.timestamp(), kind, ref, json.dumps(detail or {}),
        )  # fmt: skip

    def after(self, at: datetime, rail_seconds: float) -> datetime:
        return at + timedelta(seconds=rail_seconds * self.pace)

    def new_message_id(self, kind: str) -> str:
        """Return an id that this book has not used and that no other book will use."""
        return f"{self.book.prefix}-{_CODES[kind]}-{self.book.next_number('message'):08d}"

    def post(self, letter: "Letter", *, copies: int = 1) -> None:
        """Put a message into the outgoing tray; it commits with the change it reports."""
        stamp = letter.created_at.strftime("%Y%m%dT%H%M%S")
        ending = ENDINGS.get(letter.kind, "xml")
        earlier = self.book.row(
            "SELECT COALESCE(MAX(copy), 0) AS copies FROM outgoing WHERE message_id = ?",
            letter.message_id,
        )
        first = int(earlier["copies"]) + 1 if earlier else 1
        for copy in range(first, first + copies):
            again = f"_{copy}" if copy > 1 else ""
            number = letter.message_id[-8:]
            name = f"{stamp}-{number}_{letter.kind}_{letter.message_id}{again}.{ending}"
            self.book.run(
                "INSERT INTO outgoing(message_id, copy, kind, channel, account, file_name, payload,"
                " created_at, written) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                letter.message_id, copy, letter.kind, letter.channel, letter.account, name,
                letter.payload, letter.created_at.timestamp(), int(letter.channel not in TRAYS),
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One outgoing message, ready to be handed over."""

    message_id: str
    kind: str
    channel: str
    account: str
    payload: bytes
    created_at: datetime
