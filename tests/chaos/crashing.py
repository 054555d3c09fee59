"""A process of its own for every attempt, and SIGKILL after its n-th step in the database.

A step is an SQL statement or a commit. Dying after the last statement of a transaction is dying
before its commit; dying after the commit is dying before whatever comes next, a bank call included.
"""

import json
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, connections

CRASHED_BY_ITSELF: Final = 3


@dataclass(frozen=True, slots=True)
class Run:
    """How an attempt ended: killed, or with a result after so many steps."""

    was_killed: bool
    steps: int
    result: Any


class Steps:
    """Counts statements and commits of this process; kills it after one of them."""

    def __init__(self, die_after: int | None) -> None:
        self.count = 0
        self.die_after = die_after

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: Any
    ) -> Any:
        """Let a statement through, then count it."""
        result = execute(sql, params, many, context)
        self._step()
        return result

    def around_commits(self, commit: Callable[[], Any]) -> Callable[[], Any]:
        """Return a commit that is counted once it happened."""

        def counted() -> Any:
            result = commit()
            self._step()
            return result

        return counted

    def _step(self) -> None:
        self.count += 1
        if self.count == self.die_after:
            os.kill(os.getpid(), signal.SIGKILL)


def in_a_process(action: Callable[[], Any], *, die_after: int | None = None) -> Run:
    """Run `action` in a forked process with connections of its own; its result comes as JSON."""
    connections.close_all()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _work(action, writing, die_after)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert die_after is not None
        return Run(was_killed=True, steps=die_after, result=None)
    content = json.loads(said)
    assert os.WEXITSTATUS(status) == 0, content["failure"]
    return Run(was_killed=False, steps=content["steps"], result=content["result"])


def _work(action: Callable[[], Any], writing: int, die_after: int | None) -> None:
    """Be the child: never return into the parent's test run."""
    code, answer = CRASHED_BY_ITSELF, ""
    try:
        steps = Steps(die_after)
        connection._commit = steps.around_commits(connection._commit)
        with connection.execute_wrapper(steps):
            result = action()
        answer, code = json.dumps({"steps": steps.count, "result": result}), 0
    except BaseException:  # noqa: BLE001 - the parent raises what is told here
        answer = json.dumps({"failure": traceback.format_exc()})
    finally:
        os.write(writing, answer.encode()[:60_000])
        os._exit(code)


def points(steps: int, *, limit: int) -> list[int]:
    """Return the steps to die after: all of them, or `limit` spread evenly, both ends included."""
    if limit <= 0 or steps <= limit:
        return list(range(1, steps + 1))
    return sorted({1 + round(index * (steps - 1) / (limit - 1)) for index in range(limit)})
