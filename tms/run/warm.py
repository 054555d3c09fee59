"""The runner's end of the nursery: keep it running, have parts forked, do without it in need."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tms.run.adoption import Adopted
from tms.run.nursery import GO, LENGTH, PID, WARM, Order
from tms.run.process import Child, ChildSpec

ANSWER_SECONDS_MAX: Final = 3.0
TITLE_ROOM: Final = "." * 300  # process lists show the parts' own command lines in its place


class Nursery:
    """Forks what has the nursery's own environment; everything else is spawned as ever."""

    def __init__(
        self, *, log: Path, environment: Callable[[], Mapping[str, str]], folder: Path
    ) -> None:
        self._log = log
        self._environment = environment
        self._folder = folder
        self._imported: Mapping[str, str] = {}
        self._orders: socket.socket | None = None
        self._is_warm = False
        self.is_given_up = False

    def spec(self) -> ChildSpec:
        """Describe the process anew; an earlier one is not spoken to any more."""
        self.close()
        ours, theirs = socket.socketpair()
        self._orders, self.is_given_up = ours, False
        self._imported = self._environment()
        command = ("-m", "tms.run.nursery", str(theirs.fileno()), str(os.getpid()), TITLE_ROOM)
        return ChildSpec(
            name="nursery",
            argv=(sys.executable, *command),
            log=self._log,
            env=self._imported,
            cwd=self._folder,
            ready=self.is_warm,
            orphan_signal=signal.SIGKILL,
            handed_over=(theirs.detach(),),
        )

    def close(self) -> None:
        """Speak to it no more; it ends when it notices."""
        if self._orders is not None:
            self._orders.close()
        self._orders, self._is_warm = None, False

    def is_warm(self) -> bool:
        """Whether it can fork; asks without waiting."""
        if self._orders is not None and not self._is_warm:
            self._orders.settimeout(0)
            try:
                self._is_warm = self._orders.recv(len(WARM)) == WARM
            except BlockingIOError:
                return False
            except OSError:
                self.close()
        return self._is_warm

    def fork(self, spec: ChildSpec) -> Child | None:
        """Have the nursery fork this part; None: spawn it, as if there were no nursery.

        A nursery that does not answer in time is given up; its unborn part ends with it.
        """
        if self._orders is None or not self.is_warm() or not self._can_raise(spec):
            return None
        order = Order(
            arguments=spec.argv[1:],
            environment=dict(spec.env or {}),
            folder=str(spec.cwd or self._folder),
            orphan_signal=int(spec.orphan_signal),
        )
        log = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = os.fstat(log).st_size
        try:
            pid = _ask(self._orders, order, log)
        except OSError:
            self.close()
            self.is_given_up = True
            return None
        finally:
            os.close(log)
        return Child(spec, Adopted(pid), log_bytes_before=before) if pid else None

    def _can_raise(self, spec: ChildSpec) -> bool:
        """Settings are read at import: a part may know more than the nursery, not otherwise."""
        env = spec.env
        return (
            env is not None
            and spec.argv[0] == sys.executable
            and spec.person is None
            and not spec.handed_over
            and (spec.argv[1] == "-m" or spec.argv[1].endswith(".py"))
            and all(env.get(name) == value for name, value in self._imported.items())
        )


def _ask(orders: socket.socket, order: Order, log: int) -> int:
    """Send an order and the descriptor of its log; return the part's process id, 0 for none."""
    content = order.as_bytes()
    orders.settimeout(ANSWER_SECONDS_MAX)
    socket.send_fds(orders, [LENGTH.pack(len(content))], [log])
    orders.sendall(content)
    answer = orders.recv(PID.size, socket.MSG_WAITALL)
    if len(answer) < PID.size:
        raise ConnectionResetError("The nursery ended.")
    pid = int(PID.unpack(answer)[0])
    if pid:
        orders.sendall(GO)
    return pid
