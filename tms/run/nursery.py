"""The nursery: a process that has imported everything once and forks the Python parts on request.

`python -m tms.run.nursery DESCRIPTOR RUNNER ROOM` is started by the runner. It imports Django, the
apps and what the parts need, opens no connection and no thread, says that it is warm, and forks
a part for each order on its socket. A forked part becomes the runner's own child (see
`tms.run.adoption`): it lives on when the nursery is killed, and ends with the runner.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import stat
import struct
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

from tms.run.adoption import die_with_parent

WARM: Final = b"warm\n"
GO: Final = b"g"
LENGTH: Final = struct.Struct("!Q")  # of an order, in bytes
PID: Final = struct.Struct("!q")  # of the forked part; 0: it could not be forked
# What the parts import beyond the installed apps. `tms.asgi` is not among them: it asks the
# database whether it is safe to serve.
MODULES: Final = (
    "tms.urls",
    "tms.routing",
    "core.sockets",
    "core.checks",
    "channels_redis.core",
    "uvicorn.main",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "uvicorn.loops.auto",
    "uvicorn.lifespan.on",
    "celery.bin.celery",
    "celery.bin.worker",
    "celery.bin.beat",
    "celery.apps.worker",
    "celery.apps.beat",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "celery.fixups.django",
    "kombu.transport.redis",
    "core.management.commands.relay",
    "integrations.management.commands.channels",
    "integrations.sandbox_bank.__main__",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to run, as the command line of an interpreter, without the interpreter itself."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    orphan_signal: int

    def as_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, content: bytes) -> Order:
        known = json.loads(content)
        return cls(**{**known, "arguments": tuple(known["arguments"])})

    @property
    def title(self) -> str:
        return " ".join((sys.executable, *self.arguments))


class NotWarmError(Exception):
    """The process holds something that must not be shared by a fork."""


def main(arguments: list[str]) -> None:
    """Warm up, serve until the runner closes its end; in a forked part: be that part."""
    orders, runner = socket.socket(fileno=int(arguments[0])), int(arguments[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    entitle(f"{sys.executable} -m tms.run.nursery")
    before = dict(os.environ)
    warm_up()
    imported = {name: value for name, value in os.environ.items() if before.get(name) != value}
    refuse_what_is_shared(allowed=orders.fileno())
    orders.sendall(WARM)
    order = serve(orders, runner=runner)
    if order is not None:
        become(order, imported=imported)


def warm_up() -> None:
    """Import everything; what is there now is never looked at by the collector again."""
    gc.disable()
    import django

    django.setup()
    for name in MODULES:
        importlib.import_module(name)
    from django.core.management import get_commands
    from django.urls import get_resolver

    from tms.celery import app

    app.loader.import_default_modules()
    app.finalize()
    get_commands()
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
    gc.enable()
    _fork_once()


def refuse_what_is_shared(*, allowed: int) -> None:
    """Refuse to be forked with a thread, or with a socket other than `allowed`.

    Raises:
        NotWarmError: a fork would share a connection, or copy the locks of a thread that is not.
    """
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise NotWarmError(f"{threads} threads run after the imports.")
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:  # the one that listed the folder
            continue
        if stat.S_ISSOCK(mode) and descriptor != allowed:
            raise NotWarmError(f"Descriptor {descriptor} is a connection.")


def serve(orders: socket.socket, *, runner: int) -> Order | None:
    """Fork a part for each order. Return its order in the part, None when the runner is gone."""
    while True:
        head, descriptors, _, _ = socket.recv_fds(orders, LENGTH.size, 1)
        if not head:
            return None
        order = Order.parse(_exactly(orders, LENGTH.unpack(head)[0]))
        (log,) = descriptors
        if _deliver(order, orders, runner=runner):
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            orders.close()
            return order
        os.close(log)


def _deliver(order: Order, orders: socket.socket, *, runner: int) -> bool:
    """Fork twice, so that the part is an orphan whom the runner adopts; true in the part.

    The part tells its number and waits for a word, which the runner gives when it knows the part
    as its child. A nursery that dies on the way, or is given up, takes the unborn part along.
    """
    number_in, number_out = os.pipe()
    word_in, word_out = os.pipe()
    between = os.fork()
    if between == 0:
        _step_aside()
        os.close(word_out)
        os.close(number_in)
        os.setsid()
        os.write(number_out, PID.pack(os.getpid()))
        os.close(number_out)
        if os.read(word_in, 1) != GO:
            os._exit(1)
        os.close(word_in)
        die_with_parent(signal.Signals(order.orphan_signal))
        if os.getppid() != runner:  # the runner died before it could be watched
            os._exit(1)
        return True
    os.close(number_out)
    os.close(word_in)
    number = os.read(number_in, PID.size)
    os.close(number_in)
    os.waitpid(between, 0)
    orders.sendall(number or PID.pack(0))
    if number:
        os.write(word_out, _exactly(orders, len(GO)))
    os.close(word_out)
    return False


def _step_aside() -> None:
    """Fork again and end; only the second child returns."""
    try:
        second = os.fork()
    except OSError:
        os._exit(1)
    if second:
        os._exit(0)


def become(order: Order, *, imported: Mapping[str, str]) -> NoReturn:
    """Be the part: its name, folder, environment, signals and chance; then run its program.

    `imported` is what the imports put into the environment, as they do in a spawned part.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.environ.clear()
    os.environ.update({**order.environment, **imported})
    os.chdir(order.folder)
    entitle(order.title)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # the standard library reseeds itself after a fork
    first, *rest = order.arguments
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")
    sys.exit(0)


def entitle(title: str) -> None:
    """Let process lists show `title` for us, as far as our own command line gave it room.

    The kernel shows what stands in the memory of the first arguments. With a last byte that is
    not zero it takes one text up to the first zero (proc(5), /proc/pid/cmdline).
    """
    words = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    start, end = int(words[45]), int(words[46])  # arg_start and arg_end, fields 48 and 49
    room = end - start
    if not start:  # a kernel that does not say where they stand
        return
    text = os.fsencode(title)[: room - 2]
    ctypes.memmove(start, text + bytes(room - 1 - len(text)) + b".", room)


def _exactly(orders: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        more = orders.recv(length - len(content))
        if not more:
            sys.exit(0)
        content += more
    return content


def _fork_once() -> None:
    """Let libraries put away their threads: OpenBLAS does before a fork, and for good."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
