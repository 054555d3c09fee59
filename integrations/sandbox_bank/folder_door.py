"""The folder door: payment files are picked up from `outbound/`, answers appear in `inbound/`."""

import hashlib
import logging
import os
import stat
from pathlib import Path

from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.pain001 import FILE_BYTES_MAX
from integrations.sandbox_bank.records import BankError

FILES_PER_ROUND_MAX = 200
log = logging.getLogger(__name__)


class FolderDoor:
    """Both directions hand over by atomic rename, so neither side ever sees half a file."""

    def __init__(self, bank: Bank, folder: Path, *, channel: str = "folder") -> None:
        self.bank, self.channel = bank, channel
        self.outbound = folder / "outbound"
        self.taken = self.outbound / ".taken"
        self.refused = self.outbound / ".refused"
        self.inbound = folder / "inbound"
        self.writing = folder / ".writing"
        for directory in (self.taken, self.refused, self.inbound, self.writing):
            directory.mkdir(parents=True, exist_ok=True)
        self._settle_interrupted()

    def _settle_interrupted(self) -> None:
        """Mark files that were moved just before an abrupt end; the others are moved later."""
        with self.bank.book.transaction():
            for row in self.bank.book.rows(
                "SELECT id, file_name FROM incoming WHERE put_away = 0 AND door = ?", self.channel
            ):
                if not (self.outbound / row["file_name"]).exists():
                    self.bank.book.run("UPDATE incoming SET put_away = 1 WHERE id = ?", row["id"])

    def take_in(self) -> int:
        """Pick up what lies in `outbound/`, in the order of names; return how many files."""
        names = sorted(
            entry.name
            for entry in os.scandir(self.outbound)
            if entry.name.endswith(".xml") and not entry.name.startswith(".")
        )
        for name in names[:FILES_PER_ROUND_MAX]:
            self._take(self.outbound / name)
        return len(names)

    def _take(self, path: Path) -> None:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_BYTES_MAX:
            self._refuse(path, f"too_large: not a plain file of at most {FILE_BYTES_MAX} bytes")
            return
        payload = path.read_bytes()
        incoming_id = self._interrupted(path.name, payload)
        if incoming_id is None:
            try:
                receipt = self.bank.receive(payload, door=self.channel, file_name=path.name)
            except BankError as error:
                self._refuse(path, f"{error.code}: {error}")
                return
            incoming_id = int(str(receipt.body["receipt_id"]))
        path.replace(self.taken / f"{incoming_id:08d}_{path.name}")
        self.bank.book.run("UPDATE incoming SET put_away = 1 WHERE id = ?", incoming_id)

    def _interrupted(self, name: str, payload: bytes) -> int | None:
        """Return the id of this very file when it was recorded but not yet moved away."""
        found = self.bank.book.row(
            "SELECT id FROM incoming WHERE file_name = ? AND sha256 = ? AND put_away = 0",
            name, hashlib.sha256(payload).hexdigest(),
        )  # fmt: skip
        return int(found["id"]) if found else None

    def _refuse(self, path: Path, reason: str) -> None:
        log.warning("payment file %s set aside: %s", path.name, reason)
        (self.refused / f"{path.name}.reason.txt").write_text(reason + "\n", "utf-8")
        path.replace(self.refused / path.name)

    def hand_out(self) -> int:
        """Write waiting messages to `inbound/`; after an abrupt end the same files come again."""
        rows = self.bank.book.rows(
            "SELECT n, file_name, payload FROM outgoing WHERE written = 0 AND channel = ?"
            " ORDER BY n LIMIT ?",
            self.channel,
            FILES_PER_ROUND_MAX,
        )
        for row in rows:
            draft = self.writing / row["file_name"]
            with draft.open("wb") as file:
                file.write(row["payload"])
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.inbound / row["file_name"])
        with self.bank.book.transaction():
            for row in rows:
                self.bank.book.run("UPDATE outgoing SET written = 1 WHERE n = ?", row["n"])
        return len(rows)
