"""Scenes: what many tests begin with is built once, and each test goes back to it.

A fixture marked `@scene` writes the same for every test that asks for it: a tenant, its people, a
house with accounts. Scenes lie upon each other, each in a savepoint of one open transaction. A
test plays in a savepoint above those it asks for, and is rolled back down to them; the next test
finds them as they were built, takes away those it does not ask for and lays its own on top. What
a test is given are copies, so that it cannot change the objects of the next one either.

What must hold for a scene: it writes to the database only, and what it makes depends only on its
arguments and on the clock. Where another clock is held, or an argument is another one, it is
built anew. A test that asks for no scene finds none: the transaction has ended before it starts.
"""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import pytest
from django.db import Error, connection, transaction
from pytest_django.plugin import DjangoDbBlocker

from core import clock, tenancy

# What a scene needs besides its own arguments.
NEEDED: Final = ("request", "django_db_setup", "django_db_blocker")
# Tests that ask for these commit or change tables: nothing of ours may be open beside them.
ALONE: Final = frozenset({"anew", "committed_db", "transactional_db", "owner_connection"})
# What lets a test at the database; `db` opens its savepoint.
TOUCHING: Final = ("db", "_django_db_helper", "_django_db_marker")
ENDING: Final = "scenes_end"
BEGINNING: Final = "scenes_are_set"
WIDE: Final = ("class", "module", "package")


@dataclass(frozen=True, slots=True)
class Layer:
    """One scene as it lies: what it was built from, what it made, and how it goes away."""

    key: tuple[Any, ...]
    value: Any
    leaving: ExitStack


class Stage:
    """The scenes that lie on each other in this process, and how many of them a test stands on."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.standing_on = 0
        self.is_open = False
        self.copies: dict[int, Any] = {}
        self.given: list[Any] = []
        self.leaving = ExitStack()
        self.session: Any = None

    def enter(self) -> None:
        """Begin a test: nothing is given out yet."""
        if not self._is_sound():
            self.strike()
        self.standing_on, self.is_open, self.copies, self.given = 0, True, {}, []

    def play(self, build: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Return a copy of what the scene makes, which is built unless it lies there already."""
        others = (
            (name, value)
            for name, value in arguments.items()
            if not any(value is known for known in self.given)
        )
        key = (build, clock._frozen.get(), *others)
        if self.standing_on == len(self.layers) or self.layers[self.standing_on].key != key:
            self.strike(keep=self.standing_on)
            self._lay(key, build, arguments)
        value = deepcopy(self.layers[self.standing_on].value, self.copies)
        self.standing_on += 1
        self.given.append(value)
        return value

    def set(self) -> None:
        """Take away what this test does not stand on; from here on it plays."""
        self.strike(keep=self.standing_on)
        self.is_open = False
        if (scope := tenancy.current_scope()) is not None:
            scope.memory.clear()

    def strike(self, *, keep: int = 0) -> None:
        """Take layers away from above, and end the transaction with the last one."""
        while len(self.layers) > keep:
            _leave(self.layers.pop().leaving)
        if not keep and self.session is not None:
            self.session = None
            _leave(self.leaving)

    def _lay(
        self, key: tuple[Any, ...], build: Callable[..., Any], given: Mapping[str, Any]
    ) -> None:
        if self.session is None:
            _enter(self.leaving)
            self.session = connection.connection
        assert self.layers or not connection.savepoint_ids, "a scene asked for what uses db itself"
        leaving = ExitStack()
        _enter(leaving)
        try:
            made = build(**given)
            value = next(made) if inspect.isgenerator(made) else made
            # What is looked at when a transaction ends is looked at here, once.
            connection.check_constraints()
        except BaseException:
            _leave(leaving)
            raise
        if inspect.isgenerator(made):
            leaving.callback(next, made, None)
        self.layers.append(Layer(key=key, value=deepcopy(value, {}), leaving=leaving))

    def _is_sound(self) -> bool:
        return self.session is None or (
            connection.connection is self.session
            and connection.in_atomic_block
            and not connection.needs_rollback
            and not connection.connection.closed
        )


def _enter(leaving: ExitStack) -> None:
    leaving.enter_context(transaction.atomic())
    leaving.callback(_nothing_stays)


def _nothing_stays() -> None:
    if connection.in_atomic_block:
        transaction.set_rollback(True)


def _leave(leaving: ExitStack) -> None:
    _nothing_stays()
    with suppress(Error):  # the server puts out who stood idle for long
        leaving.close()


STAGE: Final = Stage()


def scene(build: Callable[..., Any]) -> Any:
    """Make a fixture of a function whose writes are the same for every test that asks for it."""

    def played(
        request: pytest.FixtureRequest,
        django_db_setup: None,
        django_db_blocker: DjangoDbBlocker,
        **given: Any,
    ) -> Iterator[Any]:
        if STAGE.is_open:
            with django_db_blocker.unblock():
                value = STAGE.play(build, given)
            yield value
            return
        request.getfixturevalue("db")
        made = build(**given)
        if inspect.isgenerator(made):
            yield from made
        else:
            yield made

    functools.update_wrapper(played, build)
    own = inspect.signature(build).parameters.values()
    needed = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in NEEDED]
    played.__signature__ = inspect.Signature([*needed, *own])  # type: ignore[attr-defined]
    played.is_scene = True  # type: ignore[attr-defined]
    return pytest.fixture(played)


def prepare(item: pytest.Function) -> None:
    """Let a test's scenes come before all else that it asks for but what surrounds it.

    The largest comes first: so a house stays where the people in front of it change.
    """
    asked = {name: _asked_through(item, name) for name in item.fixturenames}
    if any(_is_wide(item, name) for name in asked):
        STAGE.strike()  # what several tests share may commit when it begins
    scenes = [name for name in asked if _is_scene(item, name)]
    if not scenes or ALONE.intersection(asked):
        STAGE.strike()
        STAGE.is_open = False
        return
    STAGE.enter()
    before = itertools.takewhile(lambda name: name not in scenes, asked)
    touching = {*scenes, *TOUCHING}
    surrounding = {*before, *(name for name in asked if _is_around(item, name))}
    around = [name for name in asked if name in surrounding and touching.isdisjoint(asked[name])]
    scenes = sorted(scenes, key=lambda name: -len(asked[name].intersection(scenes)))
    rest = [name for name in asked if name not in {*around, *scenes}]
    item.fixturenames[:] = [*around, ENDING, *scenes, BEGINNING, *rest]


def _definition(item: pytest.Function, name: str) -> pytest.FixtureDef[Any] | None:
    found = item._fixtureinfo.name2fixturedefs.get(name)
    return found[-1] if found else None


def _is_scene(item: pytest.Function, name: str) -> bool:
    found = _definition(item, name)
    return found is not None and getattr(found.func, "is_scene", False)


def _is_wide(item: pytest.Function, name: str) -> bool:
    """Whether several tests share a fixture; pytest-django's own, around every class, is none."""
    found = _definition(item, name)
    return (
        found is not None
        and found.scope in WIDE
        and not found.func.__module__.startswith("pytest_django")
    )


def _is_around(item: pytest.Function, name: str) -> bool:
    """Whether a fixture is there for every test of a folder, or for several tests at once."""
    found = _definition(item, name)
    return found is not None and (found.scope != "function" or name in _autouse(item))


def _autouse(item: pytest.Function) -> set[str]:
    return set(item.session._fixturemanager._getautousenames(item))


def _asked_through(item: pytest.Function, name: str) -> set[str]:
    """Return the fixture itself and all that it asks for, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        definition = _definition(item, one)
        if one not in found:
            found.add(one)
            waiting.extend(definition.argnames if definition else ())
    return found
