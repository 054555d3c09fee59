"""The bank is killed without warning while it works; no order is lost, none is executed twice."""

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from integrations.sandbox_bank.accounts_file import DEMO_ACCOUNTS

KILLS = 8
ORDERS_PER_LIFE = 24
PATIENCE_SECONDS = 30.0
MUMBAI = ZoneInfo("Asia/Kolkata")


class Life:
    """One run of the real process on a home that outlives it."""

    def __init__(self, home: Path, accounts: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "integrations.sandbox_bank", "serve", "--home", str(home),
             "--port", "0", "--pace", "0.001", "--accounts", str(accounts)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=os.getcwd(),
        )  # fmt: skip
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.port = int(told["listening"].rsplit(":", 1)[1])

    def ask(
        self, method: str, path: str, body: bytes | None = None, key: str = ""
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {"Idempotency-Key": key} if key else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.process.wait(PATIENCE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the bank did not get there in time"
        time.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "outbound").mkdir()
    return tmp_path


@pytest.fixture
def start() -> Iterator[Callable[..., Life]]:
    lives: list[Life] = []

    def begin(home: Path, accounts: Path) -> Life:
        lives.append(Life(home, accounts))
        return lives[-1]

    yield begin
    for life in lives:
        if life.process.poll() is None:
            life.kill()


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    described = json.loads(DEMO_ACCOUNTS.read_text("utf-8"))
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(described), "utf-8")
    return path


def drop(home: Path, name: str, payload: bytes) -> None:
    draft = home / f"{name}.part"
    draft.write_bytes(payload)
    draft.rename(home / "outbound" / name)


def next_noon() -> datetime:
    """Noon in Mumbai, at least an hour ahead: midnight cannot fall into the test."""
    soon = datetime.fromtimestamp(time.time(), MUMBAI) + timedelta(hours=1)
    noon = soon.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if noon > soon else noon + timedelta(days=1)


def write_orders(customer: Any, order: Any, names: list[str], day: str) -> list[tuple[str, bytes]]:
    """Book transfers: they settle within milliseconds at this pace, so kills meet them midway."""
    template = order(
        amount="100.00", currency="INR", day=day,
        debtor="50100011122233", debtor_bic="SBNKINBBXXX", debtor_currency="INR",
        creditor="50100044455566", creditor_bic="SBNKINBBXXX",
    )  # fmt: skip
    return [
        (name, customer.file(replace(template, end_to_end_id=name), message_id=f"MSG-{name}"))
        for name in names
    ]


@pytest.mark.chaos
def test_killed_at_any_moment_the_book_is_the_executed_set(
    home: Path, accounts: Path, customer: Any, order: Any, start: Callable[..., Life]
) -> None:
    rng = random.Random(20261123)
    by_folder: set[str] = set()
    acknowledged: set[str] = set()
    unknown: dict[str, bytes] = {}
    noon = next_noon()
    for life_number in range(KILLS):
        life = start(home, accounts)
        if life_number == 0:
            life.ask("POST", "/clock/advance", json.dumps({"to": noon.isoformat()}).encode())
        names = [f"L{life_number}-{n}" for n in range(ORDERS_PER_LIFE)]
        last_breath = time.monotonic() + rng.uniform(0.02, 0.35)
        for name, payload in write_orders(customer, order, names, str(noon.date())):
            if rng.random() < 0.5:
                drop(home, f"{name}.xml", payload)
                by_folder.add(name)
            else:
                unknown[name] = payload
                with contextlib.suppress(OSError, http.client.HTTPException):
                    status, _ = life.ask("POST", "/payments", payload, key=name)
                    assert status == 202
                    acknowledged.add(name)
                    del unknown[name]
            if time.monotonic() > last_breath:
                break
        life.kill()

    life = start(home, accounts)
    for name in acknowledged:
        assert life.ask("GET", f"/payments/{name}")[0] == 200, f"{name} was lost"
    for name, payload in unknown.items():
        assert life.ask("POST", "/payments", payload, key=name)[0] == 202
    expected = by_folder | acknowledged | set(unknown)
    assert len(expected) >= KILLS

    wait_until(lambda: set(life.ask("GET", "/book/executed")[1]["executed"]) == expected)
    book = life.ask("GET", "/book")[1]
    assert set(life.ask("GET", "/book/executed")[1]["executed"].values()) == {1}
    assert book["balanced"] is True
    wait_until(lambda: settled_names(home) == expected)
    life.process.terminate()
    life.end()
    assert life.process.returncode == 0
    assert_messages_are_unambiguous(home)


def settled_names(home: Path) -> set[str]:
    found = set()
    for path in (home / "inbound").glob("*_pain.002_*.xml"):
        root = etree.fromstring(path.read_bytes())
        if root.findtext(".//{*}TxSts") == "ACSC":
            found.add(root.findtext(".//{*}OrgnlEndToEndId"))
    return found


def assert_messages_are_unambiguous(home: Path) -> None:
    """No duplicate refusals, no message id with two contents, nothing half written."""
    contents: dict[str, bytes] = {}
    for path in (home / "inbound").glob("*.xml"):
        payload = path.read_bytes()
        root = etree.fromstring(payload)
        assert root.findtext(".//{*}TxSts") != "RJCT", payload
        assert root.findtext(".//{*}GrpSts") != "RJCT", payload
        message_id = root.findtext(".//{*}MsgId")
        assert contents.setdefault(message_id, payload) == payload
    assert list((home / ".writing").iterdir()) == []
    assert [p for p in (home / "outbound").iterdir() if p.suffix == ".xml"] == []


def test_the_bank_goes_when_its_parent_is_gone(home: Path) -> None:
    command = [sys.executable, "-m", "integrations.sandbox_bank", "serve", "--home", str(home),
               "--port", "0", "--follow-parent"]  # fmt: skip
    parent_code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({command!r}, stdout=subprocess.PIPE, text=True)\n"
        "sys.stdout.write(child.stdout.readline()); sys.stdout.flush(); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
    ) as parent:
        assert parent.stdout is not None
        child = int(json.loads(parent.stdout.readline())["pid"])
        parent.kill()
    wait_until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    """A process that has ended but is not yet buried does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
