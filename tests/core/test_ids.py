"""Identifiers are drawn by each process itself, whatever its parent drew before it."""

import os
import time
from uuid import UUID

import pytest

from core.ids import uuid7

HOUR = 3_600 * 10**9


def drawn_by_a_child() -> UUID:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, uuid7().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writable)
    with os.fdopen(readable, "rb") as told:
        return UUID(bytes=told.read())


def test_with_the_clock_set_back_forked_processes_draw_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last, behind = uuid7(), time.time_ns() - HOUR
    monkeypatch.setattr(time, "time_ns", lambda: behind)

    children = {drawn_by_a_child(), drawn_by_a_child()}

    counted_on = uuid7()  # as who inherits the number would
    assert counted_on.int == last.int + 1
    assert len(children - {counted_on}) == 2
