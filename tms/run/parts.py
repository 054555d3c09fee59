"""The programs of the system: what each is called with, and how to see that it works."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tms.run.config import SECRET_VARIABLES, RunConfig, Secrets
from tms.run.places import make_private
from tms.run.process import ChildSpec
from tms.run.servers import servers_of
from tms.run.supervisor import Part
from tms.run.warm import Nursery

CONNECT_SECONDS_MAX = 0.5
HEALTH_SECONDS_MAX = 20.0  # a question is asked anew after
HEALTH_BYTES_MAX = 65_536
GRACEFUL_SECONDS = "3"
START_SECONDS_MAX = 120.0
BANK_SECRET_VARIABLE = SECRET_VARIABLES["bank_http_secret"]
SETTLED_SECONDS = 5.0  # a program without an address is taken to work once it has lived so long
PROGRAM_NAMES = ("bank", "web", "worker", "beat", "relay", "channels", "intake")
SERVER_NAMES = ("postgres", "valkey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Makes the specs of one installation's programs."""

    config: RunConfig
    secrets: Secrets

    def servers(self) -> list[Part]:
        return [
            Part(name=server.name, spec=server.spec, guarded=False)
            for server in servers_of(self.config, self.secrets)
        ]

    def nursery(self) -> Nursery:
        """What forks these programs; it knows no more than what all of them are told."""
        log = make_private(self.config.home / "log") / "nursery.log"
        return Nursery(log=log, environment=self._environment, folder=self.config.project)

    def part(self, name: str) -> Part:
        """One of the programs by its name."""
        makers = {
            "bank": self._bank,
            "web": self._web,
            "worker": self._worker,
            "beat": self._beat,
            "relay": lambda: self._spec("relay", "manage.py", "relay"),
            "channels": lambda: self._spec("channels", "manage.py", "channels"),
            "intake": lambda: self._spec("intake", "manage.py", "intake"),
        }
        return Part(name=name, spec=makers[name])

    def once(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Part:
        """A program that runs to its end, such as the migrations."""
        return Part(
            name=name,
            spec=lambda: self._spec(name, *command, environment=environment),
            once=True,
        )

    def _web(self) -> ChildSpec:
        config = self.config
        return self._spec(
            "web",
            *("-m", "uvicorn", "tms.asgi:application"),
            *("--host", config.host, "--port", str(config.port)),
            *("--workers", str(config.web_workers), "--no-server-header"),
            *("--timeout-graceful-shutdown", GRACEFUL_SECONDS),
            address=config.url,
        )

    def _worker(self) -> ChildSpec:
        return self._spec(
            "worker",
            *("-m", "celery", "-A", "tms", "worker", "--loglevel", "INFO"),
            *("--concurrency", "2", "--without-gossip", "--without-mingle"),
        )

    def _beat(self) -> ChildSpec:
        schedule = self.config.home / "run" / "beat-schedule"
        return self._spec(
            "beat",
            *("-m", "celery", "-A", "tms", "beat", "--loglevel", "INFO"),
            *("--schedule", str(schedule), "--pidfile="),
        )

    def _bank(self) -> ChildSpec:
        home = make_private(self.config.home / "bank")
        return self._spec(
            "bank",
            *("-m", "integrations.sandbox_bank", "serve"),
            *("--home", str(home), "--port", str(self.config.bank_port)),
            *("--secret-env", BANK_SECRET_VARIABLE),
            address=f"http://127.0.0.1:{self.config.bank_port}",
            environment={BANK_SECRET_VARIABLE: self.secrets.bank_http_secret},
        )

    def _spec(
        self,
        name: str,
        *arguments: str,
        address: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> ChildSpec:
        log = make_private(self.config.home / "log") / f"{name}.log"
        return ChildSpec(
            name=name,
            argv=(sys.executable, *arguments),
            log=log,
            env={**self._environment(), **(environment or {})},
            cwd=self.config.project,
            address=address,
            ready=self._readiness(name, log),
            ready_seconds_max=START_SECONDS_MAX,
        )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TMS_HOME": str(self.config.home),
            "DJANGO_SETTINGS_MODULE": "tms.settings",
            "PYTHONUNBUFFERED": "1",
            "TMS_DB_ROLE": "app",
        }

    def _readiness(self, name: str, log: Path) -> Readiness:
        seen = log.stat().st_size if log.exists() else 0
        return Readiness(
            name=name,
            log=log,
            log_bytes_before=seen,
            config=self.config,
            made=time.monotonic(),
            health=HealthProbe(self.config.host, self.config.port),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Asks one program whether it works: over HTTP, by connecting, or from its own words."""

    name: str
    log: Path
    log_bytes_before: int
    config: RunConfig
    made: float
    health: HealthProbe

    def __call__(self) -> bool:
        if self.name == "web":
            return self.health()
        if self.name == "bank":
            return port_answers("127.0.0.1", self.config.bank_port)
        if self.name == "worker":
            return self._said(b" ready.")
        if self.name == "beat":
            return self._said(b"beat: Starting")
        if self.name in ("relay", "channels", "intake"):
            return self._said(f"{self.name}: ready".encode())
        return time.monotonic() - self.made > SETTLED_SECONDS

    def _said(self, words: bytes) -> bool:
        if not self.log.exists():
            return False
        with self.log.open("rb") as file:
            if self.log.stat().st_size >= self.log_bytes_before:
                file.seek(self.log_bytes_before)
            return words in file.read()


class HealthProbe:
    """Whether /health answers with its report; the system may still call itself degraded.

    A call sends the question or reads what came of the answer, and never waits for more: a web
    that waits for its database must not keep the supervisor from starting the database again.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = _reachable(host), port
        self._line: socket.socket | None = None
        self._heard = b""
        self._asked = 0.0

    def __call__(self) -> bool:
        try:
            if self._line is None:
                self._ask()
            return self._has_ended() and self._is_report()
        except OSError:
            self.close()
            return False

    def close(self) -> None:
        """Give this question up; the next call asks anew."""
        if self._line is not None:
            self._line.close()
        self._line, self._heard = None, b""

    def _ask(self) -> None:
        self._line = socket.create_connection((self._host, self._port), CONNECT_SECONDS_MAX)
        host = f"{self._host}:{self._port}"
        question = f"GET /health HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n\r\n"
        self._line.sendall(question.encode())
        self._line.settimeout(0)
        self._asked = time.monotonic()

    def _has_ended(self) -> bool:
        while self._line is not None and len(self._heard) < HEALTH_BYTES_MAX:
            try:
                more = self._line.recv(HEALTH_BYTES_MAX)
            except BlockingIOError:
                if time.monotonic() - self._asked > HEALTH_SECONDS_MAX:
                    self.close()
                return False
            if not more:
                break
            self._heard += more
        return True

    def _is_report(self) -> bool:
        head, _, body = self._heard.partition(b"\r\n\r\n")
        self.close()
        if b"\r\nlocation: https://" in head.lower():
            return True  # behind a proxy that speaks TLS
        try:
            report = json.loads(body)
        except ValueError:
            return False
        return isinstance(report, dict) and "status" in report


def port_answers(host: str, port: int) -> bool:
    """Whether somebody listens."""
    try:
        with socket.create_connection((_reachable(host), port), timeout=CONNECT_SECONDS_MAX):
            return True
    except OSError:
        return False


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
