"""A last watchman: when the runner is gone, end what is left of its children's process groups.

The kernel's parent-death signal reaches children, but not the children of children (pool
processes, web workers), and it only asks. The guard reads a pipe; its end means that the runner
is gone.
It is a program by itself (standard library only), so that it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

GRACE_SECONDS = 1.5


class Guard:
    """The runner's end of the pipe."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Run a guard for the block; a block that ends well leaves it nothing to do."""
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        ) as process:
            pipe = process.stdin
            if pipe is None:
                raise RuntimeError("A pipe was asked for.")
            guard = cls(pipe)  # type: ignore[arg-type]
            try:
                yield guard
                guard.say("done", "")
            finally:
                pipe.close()
                process.wait()

    def watch(self, group: int) -> None:
        self.say("watch", str(group))

    def forget(self, group: int) -> None:
        self.say("forget", str(group))

    def remove_at_end(self, folder: Path) -> None:
        self.say("remove", str(folder))

    def say(self, verb: str, word: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # a killed guard must not take the runner along
            self._pipe.write(f"{verb} {word}\n".encode())


def keep_guard(lines: Iterator[str]) -> None:
    """Follow the runner's words to their end; act for it unless it said that all is done."""
    groups: set[int] = set()
    folders: set[str] = set()
    for line in lines:
        verb, _, word = line.rstrip("\n").partition(" ")
        if verb == "watch":
            groups.add(int(word))
        elif verb == "forget":
            groups.discard(int(word))
        elif verb == "remove":
            folders.add(word)
        elif verb == "done":
            return
    time.sleep(GRACE_SECONDS)  # the kernel has asked them to end; this is their time for it
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    keep_guard(iter(sys.stdin.readline, ""))
