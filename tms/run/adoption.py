"""Processes that somebody else forked for us and that are our children all the same (Linux).

When a process ends, the kernel gives its children to the nearest forefather that called itself a
reaper (prctl(2), PR_SET_CHILD_SUBREAPER). So a process can be forked by one that stays warm and
still belong to the runner: the runner waits for it, and is the parent whose death it is told of.
The price: orphans of other parts come to the runner too, which has to wait for them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
WAIT_POLL_SECONDS: Final = 0.01
LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Adopted:
    """The handle of a process that became our child; as much of `Popen` as a supervisor needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code once it has ended (minus the signal's number), None before."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else waited for it: how it ended is not known
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it lives on after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(WAIT_POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended: its number may be somebody else's by now."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def is_possible() -> bool:
    """Whether this system can hand processes on to us, and tell us which ones we have."""
    return LIBC is not None and hasattr(os, "fork") and _list_of_children().exists()


@contextmanager
def adopting() -> Iterator[frozenset[int]]:
    """Take in orphaned descendants during the block; give the children we had before it."""
    if LIBC is None:
        yield frozenset()
        return
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield frozenset(children())
    finally:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def children() -> list[int]:
    """Return the process ids of our children, dead ones that nobody waited for included."""
    return [int(word) for word in _list_of_children().read_text().split()]


def bury_strangers(known: Container[int]) -> None:
    """Wait for the dead among our children that came to us from others (not in `known`)."""
    for pid in children():
        if pid not in known:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def die_with_parent(number: signal.Signals) -> None:
    """Ask the kernel to send us `number` when the thread ends that is our parent now."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _list_of_children() -> Path:
    return Path(f"/proc/self/task/{threading.get_native_id()}/children")
