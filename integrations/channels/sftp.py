"""Files over SFTP: the two trays of a folder line, kept on the bank's own server.

The server's host key is pinned: another key is another server. A file is uploaded under a hidden
name and renamed once, which servers do in one step. How its fate is known after a crash, and while
a slow sender may still be alive, follows the folder line: the finished draft is entered in
`.journal/` before the rename, and whoever asks takes the entry or the draft out of a late sender's
reach. Servers that let us keep no journal leave one case open, a call that broke off and whose file
is gone: then only the bank's own messages tell.
"""

import asyncio
import hashlib
import logging
import posixpath
import stat
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

import asyncssh
from asyncssh.sftp import (
    SFTPConnectionLost,
    SFTPError,
    SFTPFailure,
    SFTPFileAlreadyExists,
    SFTPNoConnection,
    SFTPNoSuchFile,
    SFTPNoSuchPath,
    SFTPOpUnsupported,
    SFTPPermissionDenied,
)

from core import clock
from integrations.channels.folder import UNFINISHED, printable
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
from integrations.constants import INBOUND_BYTES_MAX, LISTING_FILES_MAX, PLACE_CHARS_MAX

SFTP_PORT: Final = 22
# The library tells every step of every connection; what matters is in the line's own history.
logging.getLogger("asyncssh").setLevel(logging.WARNING)
_WITHDRAWN: Final = "withdrawn before it was sent\n"
_ABSENT: Final = (SFTPNoSuchFile, SFTPNoSuchPath)
_BROKEN: Final = (SFTPConnectionLost, SFTPNoConnection)
_TROUBLE: Final = (asyncssh.Error, OSError, TimeoutError)
Answer = TypeVar("Answer")


class SftpChannel:
    """One server; the connection opens with the first call and every call has its time limit."""

    not_found_is_final = True

    def __init__(self, line: LineSettings) -> None:
        parts = urlsplit(line.base_url)
        self.line = line
        self.host, self.port = parts.hostname or "", parts.port or SFTP_PORT
        self.home = unquote(parts.path).rstrip("/") or "."
        self.outbound = posixpath.join(self.home, line.outbound_path)
        self.inbound = posixpath.join(self.home, line.inbound_path)
        self.drafts = posixpath.join(self.home, ".drafts")
        self.journal = posixpath.join(self.home, ".journal")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    # Out

    def send(self, message: Outgoing) -> Receipt:
        """Upload the file and rename it into the tray; the same file sent before counts as done.

        Raises:
            NotSent: no connection, or the server let us write nothing that the bank sees.
            Refused: another file has this name, or the order was withdrawn.
            OutcomeUnknown: the connection broke during the rename.
        """
        try:
            client = self._opened()
            is_done = self._run(self._prepare(client, message))
        except Unreachable as error:
            raise NotSent(str(error)) from error
        except _TROUBLE as error:
            raise NotSent(f"The file was not sent: {_words(error)}.") from error
        if not is_done:
            self._publish(client, message)
        facts = {"file": message.name, **({"seen_before": True} if is_done else {})}
        return Receipt(bank_reference=message.name, facts=facts)

    def _publish(self, client: asyncssh.SFTPClient, message: Outgoing) -> None:
        try:
            self._run(client.rename(self._draft(message), self._target(message)))
        except SFTPError as error:
            if isinstance(error, _BROKEN):
                raise OutcomeUnknown("The connection broke during the hand-over.") from error
            raise NotSent(f"The server refused the hand-over: {_words(error)}.") from error
        except _TROUBLE as error:
            raise OutcomeUnknown(f"The hand-over broke off: {_words(error)}.") from error

    async def _prepare(self, client: asyncssh.SFTPClient, message: Outgoing) -> bool:
        """Bring the draft and its journal entry to the server; True when it was sent before."""
        await _directory(client, self.outbound)
        await _directory(client, self.drafts)
        has_journal = await self._keeps_journal(client)
        draft, entry = self._draft(message), self._entry(message)
        if await client.exists(self._withdrawn(message)):
            raise Refused("The file was withdrawn before it was sent.")
        noted = await _text(client, entry) if has_journal else None
        if noted is not None and noted not in ("", message.sha256):
            raise Refused("A file of this name was withdrawn or had other content.")
        if noted is not None:
            return not await client.exists(draft)
        if await client.exists(self._target(message)):
            if await _digest(client, self._target(message)) != message.sha256:
                raise Refused("Another file of this name waits in the tray.")
            return True
        async with client.open(draft, "wb") as file:
            await file.write(message.body)
        if has_journal and not await _create(client, entry, message.sha256):
            raise Refused("The file was withdrawn before it was sent.")
        return False

    def status(self, message: Outgoing) -> BankStatus | None:
        """Tell whether the file was handed over; if not, make sure that it never will be.

        Raises:
            Unreachable: the server cannot be asked, or keeps nothing from which it could be told.
        """
        client = self._opened()
        try:
            was_sent = self._run(self._was_sent(client, message))
        except _TROUBLE as error:
            raise Unreachable(f"The server cannot be asked: {_words(error)}.") from error
        if not was_sent:
            return None
        facts = {"file": message.name}
        return BankStatus(status="DELIVERED", bank_reference=message.name, facts=facts)

    async def _was_sent(self, client: asyncssh.SFTPClient, message: Outgoing) -> bool:
        await _directory(client, self.drafts)
        if await client.exists(self._withdrawn(message)):
            return False
        has_journal = await self._keeps_journal(client)
        if has_journal and await _create(client, self._entry(message), _WITHDRAWN):
            return False
        if has_journal and await _text(client, self._entry(message)) == _WITHDRAWN:
            return False
        with suppress(*_ABSENT):
            await client.rename(self._draft(message), self._withdrawn(message))
            return False
        if has_journal or await client.exists(self._target(message)):
            return True
        raise Unreachable(
            "The server keeps no journal for us and the file is not in the tray: it was taken by"
            " the bank or never uploaded, and only the bank's messages can tell."
        )

    # In

    def collect(self, cursor: str) -> Iterator[InboundFile]:
        """Yield complete files, oldest first; what was read is moved, so no cursor is needed.

        Raises:
            Unreachable: the server cannot be asked.
        """
        del cursor
        client = self._opened()
        for _, name in self._answer(self._listed(client)):
            file = self._answer(self._read(client, name))
            if file is not None:
                yield file

    async def _listed(self, client: asyncssh.SFTPClient) -> list[tuple[float, str]]:
        found = []
        async for entry in client.scandir(self.inbound):
            name = str(entry.filename)
            if _is_complete(name, entry.attrs):
                found.append((float(entry.attrs.mtime or 0), name))
            if len(found) >= LISTING_FILES_MAX:
                break
        return sorted(found)

    async def _read(self, client: asyncssh.SFTPClient, name: str) -> InboundFile | None:
        """Read one file; None when it vanished or is still growing."""
        path = posixpath.join(self.inbound, name)
        try:
            before = await client.stat(path)
            data = b""
            if (before.size or 0) <= INBOUND_BYTES_MAX:
                data = await _content(client, path)
            after = await client.stat(path)
        except _ABSENT:
            return None
        size = after.size or 0
        if (before.size, before.mtime) != (size, after.mtime):
            return None
        problem = ""
        digest = hashlib.sha256(data).hexdigest()
        if size > INBOUND_BYTES_MAX:
            problem = f"The file has {size:,} bytes; at most {INBOUND_BYTES_MAX:,} are read."
            digest = hashlib.sha256(f"{name}\n{size}\n{after.mtime}".encode()).hexdigest()
        elif len(data) != size:
            return None
        return InboundFile(
            name=printable(name),
            data=data,
            sha256=digest,
            size_bytes=size,
            locator=name,
            problem=problem,
        )

    def place_for(self, file: InboundFile, *, reason: str = "") -> str:
        """Return where the file is to lie: `.handled/<day>/`, or `.set_aside/` for a reason."""
        tray = ".set_aside" if reason else f".handled/{clock.now().date().isoformat()}"
        name = f"{file.sha256[:12]}_{file.locator}"
        return printable(posixpath.join(self.line.inbound_path, tray, name), PLACE_CHARS_MAX)

    def lies_at(self, place: str) -> bool:
        """Tell whether a file was moved there."""
        return self._answer(self._opened().exists(posixpath.join(self.home, place)))

    def put_away(self, file: InboundFile, place: str, *, reason: str = "") -> None:
        """Move the file to its place; a file set aside gets its reason beside it."""
        origin = posixpath.join(self.inbound, file.locator)
        self._answer(self._moved(origin, posixpath.join(self.home, place), reason))

    def return_as_set_aside(self, place: str, *, reason: str) -> str:
        """Move a handled file to those set aside, because reading it failed later."""
        name = posixpath.basename(place)
        target = posixpath.join(self.line.inbound_path, ".set_aside", name)
        origin = posixpath.join(self.home, place)
        self._answer(self._moved(origin, posixpath.join(self.home, target), reason))
        return target

    async def _moved(self, origin: str, target: str, reason: str) -> None:
        client = self._opened()
        await _directory(client, posixpath.dirname(target))
        if reason:
            async with client.open(f"{target}.reason.txt", "wb") as file:
                await file.write(f"{reason}\n".encode())
        with suppress(*_ABSENT):
            await client.rename(origin, target)

    def probe(self) -> str:
        """Check that both trays can be listed and that drafts can be written.

        Raises:
            Unreachable: they cannot, or the server is another one than it was.
        """
        client = self._opened()
        waiting, keeps_journal = self._answer(self._probed(client))
        journal = "" if keeps_journal else " It keeps no journal for us."
        return f"The server can be read and written; {waiting} files wait in the tray.{journal}"

    async def _probed(self, client: asyncssh.SFTPClient) -> tuple[int, bool]:
        await _directory(client, self.outbound)
        await _directory(client, self.drafts)
        trial = posixpath.join(self.drafts, "probe.tmp")
        async with client.open(trial, "wb") as file:
            await file.write(b"probe\n")
        await client.remove(trial)
        return len(await self._listed(client)), await self._keeps_journal(client)

    def close(self) -> None:
        """Close connection and loop."""
        loop, connection = self._loop, self._connection
        self._loop = self._connection = self._client = None
        if loop is None:
            return
        if connection is not None:
            connection.close()
            with suppress(*_TROUBLE):
                loop.run_until_complete(asyncio.wait_for(connection.wait_closed(), 1))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    # Both

    def _opened(self) -> asyncssh.SFTPClient:
        if self._client is None:
            self._loop = self._loop or asyncio.new_event_loop()
            try:
                self._client = self._run(self._connected())
            except (ValueError, *_TROUBLE) as error:
                raise Unreachable(f"No connection to the server: {_words(error)}.") from error
        return self._client

    async def _connected(self) -> asyncssh.SFTPClient:
        line, is_key = self.line, self.line.access == "KEY"
        self._connection = await asyncssh.connect(
            self.host,
            self.port,
            username=line.username,
            password=None if is_key else line.secret,
            client_keys=[asyncssh.import_private_key(line.secret)] if is_key else None,
            known_hosts=([asyncssh.import_public_key(line.server_trust)], [], []),
            preferred_auth="publickey" if is_key else "password",
            agent_path=None,
            config=None,
            connect_timeout=line.connect_timeout_seconds,
            login_timeout=line.read_timeout_seconds,
        )
        return await self._connection.start_sftp_client()

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        assert self._loop is not None  # noqa: S101 - `_opened` was there first
        limit = self.line.connect_timeout_seconds + self.line.read_timeout_seconds
        return self._loop.run_until_complete(asyncio.wait_for(work, limit))

    def _answer(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            return self._run(work)
        except _TROUBLE as error:
            raise Unreachable(f"The server cannot be asked: {_words(error)}.") from error

    async def _keeps_journal(self, client: asyncssh.SFTPClient) -> bool:
        try:
            await _directory(client, self.journal)
        except (SFTPPermissionDenied, SFTPOpUnsupported, SFTPFailure):
            return False
        return True

    def _draft(self, message: Outgoing) -> str:
        return posixpath.join(self.drafts, f"{message.name}.tmp")

    def _withdrawn(self, message: Outgoing) -> str:
        return posixpath.join(self.drafts, f"{message.name}.withdrawn")

    def _entry(self, message: Outgoing) -> str:
        return posixpath.join(self.journal, message.name)

    def _target(self, message: Outgoing) -> str:
        return posixpath.join(self.outbound, message.name)


def _is_complete(name: str, attributes: asyncssh.SFTPAttrs) -> bool:
    is_file = attributes.permissions is None or stat.S_ISREG(attributes.permissions)
    return is_file and not name.startswith(".") and not name.lower().endswith(UNFINISHED)


async def _directory(client: asyncssh.SFTPClient, path: str) -> None:
    if not await client.isdir(path):
        await client.makedirs(path, exist_ok=True)


async def _create(client: asyncssh.SFTPClient, path: str, content: str) -> bool:
    """Write a file that must not exist yet; False when somebody was there first."""
    try:
        file = await client.open(path, "xb")
    except (SFTPFailure, SFTPFileAlreadyExists):
        if await client.exists(path):
            return False
        raise
    async with file:
        await file.write(content.encode())
    return True


async def _text(client: asyncssh.SFTPClient, path: str) -> str | None:
    try:
        return (await _content(client, path, bytes_max=1_000)).decode("ascii", "replace")
    except _ABSENT:
        return None


async def _digest(client: asyncssh.SFTPClient, path: str) -> str:
    return hashlib.sha256(await _content(client, path)).hexdigest()


async def _content(
    client: asyncssh.SFTPClient, path: str, *, bytes_max: int = INBOUND_BYTES_MAX + 1
) -> bytes:
    async with client.open(path, "rb") as file:
        return cast("bytes", await file.read(bytes_max))


def _words(error: Exception) -> str:
    known = {
        asyncssh.HostKeyNotVerifiable: "it shows another host key than the one that is pinned",
        asyncssh.PermissionDenied: "it does not accept user and key or password",
        asyncssh.KeyImportError: "the stored key cannot be read",
        TimeoutError: "no answer in time",
        ConnectionRefusedError: "nobody listens there",
    }
    for kind, words in known.items():
        if isinstance(error, kind):
            return words
    return type(error).__name__
