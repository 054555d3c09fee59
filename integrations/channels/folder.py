"""Host to host: files in two trays of a directory shared with the bank.

A file appears in the outbound tray complete, by one atomic rename, and at most once. How that is
known after a crash, and while a slow sender may still be alive: the complete draft first gets a
second name in `.journal/` (a hard link), then the draft itself is renamed into the tray. So

* no journal entry: nothing left, and the asker takes the entry's place, which stops a late sender;
* entry and draft: nothing left, and the asker takes the draft away, which stops a late sender;
* entry without draft: it left, whatever the bank has done with the file since.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from core import clock
from integrations.channels.protocol import (
    BankStatus,
    InboundFile,
    LineSettings,
    NotSent,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    Refused,
    Unreachable,
)
from integrations.constants import INBOUND_BYTES_MAX, NAME_CHARS_MAX, PLACE_CHARS_MAX

UNFINISHED: Final = (".tmp", ".part", ".partial", ".filepart", ".crdownload")
_CHUNK_BYTES: Final = 1024 * 1024
_WITHDRAWN: Final = b"withdrawn before it was sent\n"


class FolderChannel:
    """One directory with both trays."""

    not_found_is_final = True

    def __init__(self, line: LineSettings) -> None:
        home = Path(line.directory)
        self.home = home
        self.outbound, self.inbound = home / line.outbound_path, home / line.inbound_path
        self.drafts, self.journal = home / ".drafts", home / ".journal"
        self.handled, self.aside = self.inbound / ".handled", self.inbound / ".set_aside"

    # Out

    def send(self, message: Outgoing) -> Receipt:
        """Publish the file; the same file published before counts as done.

        Raises:
            NotSent: the folder cannot be written; nothing is visible to the bank.
            Refused: another file has this name, or the order was withdrawn.
            OutcomeUnknown: it is visible, but perhaps not after a power cut.
        """
        draft, entry = self.drafts / f"{message.name}.tmp", self.journal / message.name
        target = self.outbound / message.name
        try:
            self._make_directories(self.outbound, self.drafts, self.journal)
            if entry.exists():
                return self._sent_before(message, draft, entry)
            if target.exists():
                return self._found(message, target)
            _write_durably(draft, message.body)
            _enter(draft, entry)
            draft.rename(target)
        except OSError as error:
            raise NotSent(f"The folder cannot be written: {_words(error)}.") from error
        try:
            _sync_directory(self.outbound)
        except OSError as error:
            words = f"The file was published, but not safely: {_words(error)}."
            raise OutcomeUnknown(words) from error
        return Receipt(bank_reference=message.name, facts={"file": message.name})

    def _sent_before(self, message: Outgoing, draft: Path, entry: Path) -> Receipt:
        if self._withdrawn(message).exists() or not _same_content(entry, message):
            raise Refused("A file of this name was withdrawn or had other content.")
        if draft.exists():
            draft.rename(self.outbound / message.name)
        return Receipt(
            bank_reference=message.name, facts={"file": message.name, "seen_before": True}
        )

    def _withdrawn(self, message: Outgoing) -> Path:
        return self.drafts / f"{message.name}.withdrawn"

    def _found(self, message: Outgoing, target: Path) -> Receipt:
        if not _same_content(target, message):
            raise Refused("Another file of this name waits in the folder.")
        return Receipt(
            bank_reference=message.name, facts={"file": message.name, "seen_before": True}
        )

    def status(self, message: Outgoing) -> BankStatus | None:
        """Tell whether the file was published; if not, make sure that it never will be.

        Raises:
            Unreachable: the folder cannot be read.
        """
        draft, entry = self.drafts / f"{message.name}.tmp", self.journal / message.name
        try:
            self._make_directories(self.outbound, self.drafts, self.journal)
            if self._withdrawn(message).exists() or _withdraw(entry):
                return None
            if not _same_content(entry, message):
                return None
            with suppress(FileNotFoundError):
                draft.rename(self._withdrawn(message))
                return None
        except OSError as error:
            raise Unreachable(f"The folder cannot be read: {_words(error)}.") from error
        return BankStatus(
            status="DELIVERED", bank_reference=message.name, facts={"file": message.name}
        )

    # In

    def collect(self, cursor: str) -> Iterator[InboundFile]:
        """Yield complete files, oldest first; the folder needs no cursor.

        Raises:
            Unreachable: the folder cannot be read.
        """
        del cursor
        try:
            self._make_directories(self.inbound, self.handled, self.aside)
            found = sorted(
                (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
                for entry in os.scandir(self.inbound)
                if _is_complete(entry)
            )
        except OSError as error:
            raise Unreachable(f"The folder cannot be read: {_words(error)}.") from error
        for _, name in found:
            file = self._read(name)
            if file is not None:
                yield file

    def _read(self, name: str) -> InboundFile | None:
        """Read one file; None when it vanished or is still growing."""
        try:
            descriptor = os.open(self.inbound / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as stream:
                before = os.fstat(stream.fileno())
                data, digest = _bounded(stream.fileno(), before.st_size)
                after = os.fstat(stream.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unusable(name, f"The file cannot be opened: {_words(error)}.")
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            return None
        problem = (
            f"The file has {after.st_size:,} bytes; at most {INBOUND_BYTES_MAX:,} are read."
            if after.st_size > INBOUND_BYTES_MAX
            else ""
        )
        return InboundFile(
            name=printable(name),
            data=data,
            sha256=digest,
            size_bytes=after.st_size,
            locator=name,
            problem=problem,
        )

    def place_for(self, file: InboundFile, *, reason: str = "") -> str:
        """Return where the file is to lie: `.handled/<day>/`, or `.set_aside/` for a reason."""
        day = clock.now().date().isoformat()
        target = (self.aside if reason else self.handled / day) / file.locator
        return printable(str(_free(target, file.sha256).relative_to(self.home)), PLACE_CHARS_MAX)

    def lies_at(self, place: str) -> bool:
        """Tell whether a file was moved there."""
        return (self.home / place).exists()

    def put_away(self, file: InboundFile, place: str, *, reason: str = "") -> None:
        """Move the file to its place; a file set aside gets its reason beside it."""
        self._move(self.inbound / file.locator, self.home / place, reason)

    def return_as_set_aside(self, place: str, *, reason: str) -> str:
        """Move a handled file to those set aside, because reading it failed later."""
        origin, target = self.home / place, self.aside / Path(place).name
        if origin.exists():
            target = _free(target, hashlib.sha256(place.encode()).hexdigest())
            self._move(origin, target, reason)
        return str(target.relative_to(self.home))

    def _move(self, origin: Path, target: Path, reason: str) -> None:
        self._make_directories(target.parent)
        if reason:
            beside = target.with_name(f"{target.name}.reason.txt")
            _write_durably(beside, f"{reason}\n".encode())
        with suppress(FileNotFoundError):
            origin.rename(target)

    def probe(self) -> str:
        """Check that both trays can be listed and written.

        Raises:
            Unreachable: they cannot.
        """
        try:
            self._make_directories(self.outbound, self.inbound, self.drafts, self.journal)
            waiting = sum(1 for entry in os.scandir(self.inbound) if _is_complete(entry))
            trial = self.drafts / f"probe-{os.getpid()}.tmp"
            _write_durably(trial, b"probe\n")
            second = self.journal / trial.name
            os.link(trial, second)
            second.unlink()
            trial.unlink()
        except OSError as error:
            raise Unreachable(f"The folder cannot be used: {_words(error)}.") from error
        return f"The folder can be read and written; {waiting} files wait in inbound."

    def close(self) -> None:
        """Nothing is held open."""

    def _make_directories(self, *directories: Path) -> None:
        for directory in directories:
            directory.mkdir(mode=0o770, parents=True, exist_ok=True)


def printable(name: str, chars_max: int = NAME_CHARS_MAX) -> str:
    """Return a file's name as text that can be stored and shown, whatever bytes it has."""
    plain = name.encode("utf-8", "replace").decode("utf-8", "replace")
    return "".join(one if one.isprintable() else "?" for one in plain)[:chars_max]


def _is_complete(entry: "os.DirEntry[str]") -> bool:
    name = entry.name
    return (
        not name.startswith(".")
        and not name.lower().endswith(UNFINISHED)
        and stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
    )


def _bounded(descriptor: int, size: int) -> tuple[bytes, str]:
    """Return content and digest; the content of a file that is too large is not kept."""
    digest, chunks = hashlib.sha256(), []
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        digest.update(chunk)
        if size <= INBOUND_BYTES_MAX:
            chunks.append(chunk)
    return b"".join(chunks), digest.hexdigest()


def _unusable(name: str, problem: str) -> InboundFile:
    digest = hashlib.sha256(f"{name}\n{problem}".encode("utf-8", "replace")).hexdigest()
    return InboundFile(
        name=printable(name), data=b"", sha256=digest, size_bytes=0, locator=name, problem=problem
    )


def _free(target: Path, digest: str) -> Path:
    return target if not target.exists() else target.with_name(f"{digest[:12]}_{target.name}")


def _withdraw(entry: Path) -> bool:
    """Take the journal entry's place; False when the sender was there first."""
    try:
        descriptor = os.open(entry, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(_WITHDRAWN)
    return True


def _enter(draft: Path, entry: Path) -> None:
    """Write the draft into the journal, durably before it is published."""
    try:
        os.link(draft, entry)
    except FileExistsError as error:
        raise Refused("The file was withdrawn before it was sent.") from error
    _sync_directory(entry.parent)


def _same_content(path: Path, message: Outgoing) -> bool:
    with suppress(FileNotFoundError):
        return hashlib.sha256(path.read_bytes()).hexdigest() == message.sha256
    return False


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
