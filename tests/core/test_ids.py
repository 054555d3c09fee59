"""Identifiers are drawn by each process itself, whatever its parent drew before it."""

import os
import time
from uuid import UUID

import pytest

from core import ids
from core.ids import uuid7, uuid7_texts

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


@pytest.mark.parametrize("low", [0, 2**62 - 4, 2**62 - 1])
def test_many_drawn_together_are_those_that_would_be_drawn_one_by_one(
    monkeypatch: pytest.MonkeyPatch, low: int
) -> None:
    ahead = time.time_ns() // 1_000_000 + 60_000
    drawn = {"milliseconds": ahead, "random": 5 << 62 | low}
    monkeypatch.setattr(ids, "_last", dict(drawn))
    alone = [uuid7() for _ in range(6)]
    monkeypatch.setattr(ids, "_last", dict(drawn))

    together = [UUID(text) for text in uuid7_texts(6)]

    assert together == alone == sorted({*alone})
    assert {(one.version, one.variant) for one in together} == {(7, alone[0].variant)}
