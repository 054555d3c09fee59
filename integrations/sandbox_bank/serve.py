"""The running bank: doors open, agenda kept, until it is told to stop or killed."""

import fcntl
import json
import logging
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from integrations.sandbox_bank.accounts_file import load_accounts
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.folder_door import FolderDoor
from integrations.sandbox_bank.http_door import BankServer
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.records import BankError

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
        )
        bank = Bank(office)
        if wishes.accounts is not None:
            bank.put_accounts(load_accounts(wishes.accounts))
        bank.start_activity()
        door = FolderDoor(bank, wishes.folder)
        server = _listen(wishes, bank)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.ask_to_stop())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://{server.server_address[0]!s}:{server.server_address[1]}"
        sys.stdout.write(json.dumps({"listening": address, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        _keep_going(bank, door, server, parent=parent)
        server.stopping.set()
        server.shutdown()
        server.server_close()
        office.book.close()


def _listen(wishes: Wishes, bank: Bank) -> BankServer:
    try:
        return BankServer((wishes.host, wishes.port), bank, secret=wishes.secret)
    except OSError as error:
        raise BankError(
            "port_taken", f"cannot listen on {wishes.host}:{wishes.port}: {error}"
        ) from error


def _keep_going(bank: Bank, door: FolderDoor, server: BankServer, *, parent: int | None) -> None:
    while not server.asked_to_stop:
        try:
            work = door.take_in() + bank.tick() + door.hand_out()
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
