"""A whole system of its own: servers, programs, sandbox bank, house; and its honest end."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import httpx
import psutil
import psycopg

from tests.chaos.seed import accounts_at_the_bank
from tms.run.config import runtime

PROJECT: Final = Path(__file__).parents[2]
START_SECONDS_MAX: Final = 240.0
STOP_SECONDS_MAX: Final = 25.0
# Rupee cut-offs of the day lie between 16:40 and the end of these (UTC); the clock of a run that
# could still be going then is moved past them.
CUTOFFS_BEGIN: Final = timedelta(hours=14, minutes=40)
CUTOFFS_END: Final = timedelta(hours=18, minutes=40)


def eventually(fact: Callable[[], Any], seconds: float, *, every: float = 0.1) -> bool:
    """Ask until it is so; the processes asked are real ones."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        threading.Event().wait(every)
    return False


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clock_offset_seconds() -> int:
    """Return how far the system's clock must be ahead so that no cut-off falls into the test."""
    now = datetime.now(UTC)  # noqa: TID251 - of the machine, to set the system's own clock
    of_day = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
    inside = CUTOFFS_BEGIN <= of_day < CUTOFFS_END
    return int((CUTOFFS_END - of_day).total_seconds()) if inside else 0


@dataclass(slots=True, kw_only=True)
class LiveSystem:
    """One running `python -m tms.run` with its home, and hands to shake it."""

    home: Path
    port: int
    bank_port: int
    runner: subprocess.Popen[bytes] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bank_url(self) -> str:
        return f"http://127.0.0.1:{self.bank_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process of this system, free of the test servers' own."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith("TMS_")}
        return {
            **ours,
            "TMS_HOME": str(self.home),
            "TMS_ENV_FILE": "",
            "TMS_MODE": "local",
            "TMS_DEMO": "0",
            "TMS_PORT": str(self.port),
            "TMS_BANK_PORT": str(self.bank_port),
            "DJANGO_SETTINGS_MODULE": "tms.settings",
        }

    def start(self) -> None:
        """Start everything, seed the house, open its accounts at the bank."""
        offset = clock_offset_seconds()
        (self.home / "clock.json").write_text(json.dumps({"offset_seconds": offset}))
        with (self.home / "runner.log").open("ab") as log:
            self.runner = subprocess.Popen(
                [sys.executable, "-m", "tms.run", "--json"],
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert eventually(lambda: self._is_up() or self._has_ended(), START_SECONDS_MAX)
        assert self._is_up(), (self.home / "runner.log").read_text()[-2_000:]
        self.note_processes()
        secret = runtime(self.environment).secrets.bank_http_secret
        command = [
            *(sys.executable, "-m", "tests.chaos.seed"),
            *(str(self.home / "bank"), self.bank_url, secret),
        ]
        seeded = subprocess.run(
            command, cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, check=True
        )
        self.facts = json.loads(seeded.stdout)
        self.ask_bank("POST", "/accounts", accounts_at_the_bank())
        if offset:
            self.ask_bank("POST", "/clock/advance", {"seconds": offset})

    def _is_up(self) -> bool:
        said = (self.home / "runner.log").read_text(encoding="utf-8", errors="replace")
        return '"event": "up"' in said

    def _has_ended(self) -> bool:
        return self.runner is not None and self.runner.poll() is not None

    def table(self) -> dict[str, dict[str, Any]]:
        """Return the runner's own register: name → pid, state, restarts."""
        content = json.loads((self.home / "run" / "processes.json").read_text())
        return {row["name"]: row for row in content["processes"]}

    def note_processes(self) -> None:
        """Remember every process of the system, to look for them when it has ended."""
        if self.runner is not None:
            with suppress(psutil.NoSuchProcess):
                family = psutil.Process(self.runner.pid)
                self.seen |= {family.pid, *(p.pid for p in family.children(recursive=True))}

    def pid(self, name: str) -> int | None:
        found: int | None = self.table()[name]["pid"]
        return found

    def is_ready(self, name: str) -> bool:
        return bool(self.table()[name]["state"] == "ready")

    def everybody_ready(self) -> bool:
        return all(row["state"] == "ready" for row in self.table().values())

    def signal_family(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a part and everything below it (a server's backends, a pool)."""
        pid = self.pid(name)
        if pid is None:
            return
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(pid)
            for process in [top, *top.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def ask_bank(self, method: str, path: str, body: Any = None, *, seconds: float = 40) -> Any:
        """Ask the sandbox bank as its operator, again when it is just being restarted."""
        secret = runtime(self.environment).secrets.bank_http_secret
        headers = {"Authorization": f"Bearer {secret}"}
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = httpx.request(
                    method, self.bank_url + path, json=body, headers=headers, timeout=30
                )
                assert answer.is_success, answer.text
                return answer.json()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                threading.Event().wait(0.2)

    def rows(self, query: str, *facts: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser: past all walls, for judging only."""
        admin = runtime(self.environment).admin
        address = admin.as_role(user=admin.user, password=admin.password, name="tms")
        with psycopg.connect(address.conninfo, autocommit=True, connect_timeout=5) as judge:
            return judge.execute(query, facts).fetchall()  # type: ignore[call-overload, no-any-return, unused-ignore]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command against this system."""
        return subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def stop(self) -> None:
        """Ask the runner to end and wait for it."""
        if self.runner is None:
            return
        self.note_processes()
        self.runner.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.runner.wait(STOP_SECONDS_MAX)
        if self.runner.poll() is None:
            self.runner.kill()
            self.runner.wait()

    def leftovers(self) -> list[str]:
        """Return every process that still works for this home."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = " ".join(process.cmdline())
                ours = process.environ().get("TMS_HOME") == str(self.home)
                if process.pid != os.getpid() and (ours or str(self.home) in words):
                    found.append(words)
        return found

    def tail_of_logs(self, names: Sequence[str], *, lines: int = 12) -> str:
        """Return the last words of some parts, for a failure's message."""
        parts = []
        for name in names:
            path = self.home / "log" / f"{name}.log"
            text = path.read_text(errors="replace") if path.exists() else ""
            parts.append(f"--- {name}\n" + "\n".join(text.splitlines()[-lines:]))
        return "\n".join(parts)


@contextmanager
def live_system() -> Iterator[LiveSystem]:
    """Run a seeded system for the block; afterwards nothing of it is left."""
    home = Path(tempfile.mkdtemp(prefix="tms-chaos-", dir="/tmp"))  # short, for sockets
    home.chmod(0o711)
    system = LiveSystem(home=home, port=free_port(), bank_port=free_port())
    try:
        system.start()
        yield system
    finally:
        system.stop()
        left = system.leftovers() if not eventually(lambda: not system.leftovers(), 8) else []
        if os.environ.get("TMS_CHAOS_KEEP") != "1":
            rmtree(home, ignore_errors=True)
    assert left == []
