"""The running bank: doors open, agenda kept, until it is told to stop or killed."""

import fcntl
import json
import logging
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from integrations.sandbox_bank.accounts_file import load_accounts
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.certificates import door_context, prepare
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.folder_door import FolderDoor
from integrations.sandbox_bank.http_door import BankServer
from integrations.sandbox_bank.manners import load_manners
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.records import BankError
from integrations.sandbox_bank.script import load_script
from integrations.sandbox_bank.sftp_door import SftpDoor

ROUND_SECONDS = 0.1
TROUBLE_PAUSE_SECONDS = 1.0
LOCK_FILE = ".lock"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How the bank is to be run; `folder` defaults to the home itself."""

    home: Path
    host: str
    port: int
    folder: Path
    secret: str = ""
    accounts: Path | None = None
    pace: float = 1.0
    interim_minutes: int = 30
    activity_seed: int | None = None
    follow_parent: bool = False
    banks: Path | None = None
    script: Path | None = None
    tls_port: int | None = None
    sftp_port: int | None = None


@contextmanager
def sole_keeper(home: Path) -> Iterator[None]:
    """Hold the home for this process alone.

    Raises:
        BankError: another process keeps this book.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BankError("book_in_use", f"another process keeps the book in {home}") from error
        yield


def serve(wishes: Wishes) -> None:
    """Run until SIGTERM, SIGINT or the end of the parent.

    Raises:
        BankError: the book is in use, the accounts are unusable, or the port is taken.
    """
    # Read before anybody hears from us: later the parent may already be gone and replaced.
    parent = os.getppid() if wishes.follow_parent else None
    with sole_keeper(wishes.home):
        office = Office(
            book=Book(wishes.home),
            pace=wishes.pace,
            interim_minutes=wishes.interim_minutes,
            activity_seed=wishes.activity_seed,
            manners=load_manners(wishes.banks) if wishes.banks else {},
        )
        bank = Bank(office)
        if wishes.accounts is not None:
            bank.put_accounts(load_accounts(wishes.accounts, office.manners))
        if wishes.script is not None:
            bank.plan_script(load_script(wishes.script))
        bank.start_activity()
        doors = [FolderDoor(bank, wishes.folder)]
        server = _listen(wishes, bank)
        others = _open_others(wishes, bank, doors)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.ask_to_stop())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://{server.server_address[0]!s}:{server.server_address[1]}"
        facts = {"listening": address, "pid": os.getpid(), **others}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        _keep_going(bank, doors, server, parent=parent)
        server.stopping.set()
        server.shutdown()
        server.server_close()
        office.book.close()


def _open_others(wishes: Wishes, bank: Bank, doors: list[FolderDoor]) -> dict[str, str]:
    """Open the doors that were asked for beside the usual ones; return how to find them."""
    found: dict[str, str] = {}
    if wishes.tls_port is not None:
        folder = prepare(wishes.home, now=time.time())
        tls = BankServer((wishes.host, wishes.tls_port), bank, secret=wishes.secret)
        tls.shows_certificate = True
        tls.socket = door_context(folder).wrap_socket(
            tls.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=tls.serve_forever, daemon=True).start()
        found |= {"tls": f"https://localhost:{tls.server_address[1]}", "tls_files": str(folder)}
    if wishes.sftp_port is not None:
        root = wishes.folder / "sftp"
        door = SftpDoor(
            wishes.home, root, host=wishes.host, port=wishes.sftp_port, secret=wishes.secret
        )
        doors.append(FolderDoor(bank, root, channel="sftp"))
        door.start()
        found |= {"sftp": f"sftp://{wishes.host}:{door.port}", "sftp_host_key": door.host_key}
    return found


def _listen(wishes: Wishes, bank: Bank) -> BankServer:
    try:
        return BankServer((wishes.host, wishes.port), bank, secret=wishes.secret)
    except OSError as error:
        raise BankError(
            "port_taken", f"cannot listen on {wishes.host}:{wishes.port}: {error}"
        ) from error


def _keep_going(
    bank: Bank, doors: Sequence[FolderDoor], server: BankServer, *, parent: int | None
) -> None:
    while not server.asked_to_stop:
        try:
            taken = sum(door.take_in() for door in doors)
            work = taken + bank.tick() + sum(door.hand_out() for door in doors)
        except (OSError, sqlite3.OperationalError):
            # A full disk or a busy file passes; everything undone is still in the book.
            log.exception("round failed, trying again")
            server.stopping.wait(TROUBLE_PAUSE_SECONDS)
            continue
        if parent is not None and os.getppid() != parent:
            log.warning("the parent process is gone, closing")
            return
        if not work:
            server.progress.wait(ROUND_SECONDS)
            server.progress.clear()
