"""Child processes that end when we end: own session, parent-death signal, logs to a file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tms.run.adoption import Adopted, die_with_parent
from tms.run.errors import ServerError
from tms.run.places import Person

POLL_SECONDS = 0.05
TAIL_LINES = 15
TAIL_BYTES = 8_192


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to run, as whom, and how to know that it works."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] | None = None  # None: our own environment
    cwd: Path | None = None
    person: Person | None = None
    address: str = ""
    ready: Callable[[], bool] = _always
    ready_seconds_max: float = 60
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds_max: float = 8
    orphan_signal: signal.Signals = signal.SIGTERM  # what the kernel sends when we are gone
    handed_over: tuple[int, ...] = ()  # descriptors the child gets and we close


class Child:
    """One running process made from a spec: started by us, or forked for us."""

    def __init__(
        self,
        spec: ChildSpec,
        process: subprocess.Popen[bytes] | Adopted,
        *,
        log_bytes_before: int = 0,
    ) -> None:
        self.spec = spec
        self.process = process
        self.log_bytes_before = log_bytes_before

    @classmethod
    def spawn(cls, spec: ChildSpec) -> Child:
        """Start the process in a session of its own. Call from the main thread only:
        the kernel sends the parent-death signal when the *thread* that forked ends.
        """
        descriptor = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        person = spec.person
        before = os.fstat(descriptor).st_size
        try:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                spec.argv,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=spec.env,
                cwd=spec.cwd,
                start_new_session=True,
                pass_fds=spec.handed_over,
                user=person.uid if person else None,
                group=person.gid if person else None,
                extra_groups=[] if person else None,
                preexec_fn=_dies_with(os.getpid(), spec.orphan_signal),  # noqa: PLW1509 - no threads yet
            )
        finally:
            for handed in (descriptor, *spec.handed_over):
                os.close(handed)
        return cls(spec, process, log_bytes_before=before)

    @property
    def pid(self) -> int:
        return self.process.pid

    def last_words(self) -> str:
        """The last lines this very process wrote."""
        return tail(self.spec.log, since_bytes=self.log_bytes_before)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def wait_ready(self) -> None:
        """Wait until the child says so.

        Raises:
            ServerError: it ended, or took too long.
        """
        deadline = time.monotonic() + self.spec.ready_seconds_max
        while time.monotonic() < deadline:
            if not self.alive:
                raise self._failure(f"ended ({self.process.returncode})")
            if self.spec.ready():
                return
            time.sleep(POLL_SECONDS)
        raise self._failure(f"was not ready after {self.spec.ready_seconds_max:.0f} s")

    def _failure(self, what: str) -> ServerError:
        return ServerError(f"{self.spec.name} {what}.\n{self.last_words()}")

    def stop(self) -> None:
        """Ask, wait, insist; then clear whatever is left of its process group."""
        if self.alive:
            self.process.send_signal(self.spec.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.spec.stop_seconds_max)
        self.clear_group()

    def clear_group(self) -> None:
        """Kill what the child left behind in its group: pool processes, forgotten workers."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def tail(log: Path, *, since_bytes: int = 0) -> str:
    """The last lines of a log from some point on, or an empty text."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(since_bytes, log.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-TAIL_LINES:])


def _dies_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent(number)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)

    return prepare
