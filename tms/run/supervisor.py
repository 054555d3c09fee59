"""Keeps a list of processes alive: starts in order, restarts what dies, stops in reverse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tms.run.adoption import bury_strangers
from tms.run.errors import ServerError, StartError
from tms.run.guard import Guard
from tms.run.process import Child, ChildSpec, tail
from tms.run.warm import Nursery

TICK_SECONDS = 0.1
RESTART_SECONDS_FIRST = 0.2
RESTART_SECONDS_MAX = 10.0
FIRST_START_TRIES_MAX = 3
STOP_SECONDS_MAX = 5.0
LOG_BYTES_MAX = 5_000_000
LOG_GENERATIONS = 2
LOG_CHECK_SECONDS = 5.0
REGISTER = Path("run") / "processes.json"
NURSERY = "nursery"
NURSERY_TRIES_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the system; its spec is made anew for every start."""

    name: str
    spec: Callable[[], ChildSpec]
    once: bool = False  # runs to its end and is not started again
    guarded: bool = True  # the guard may kill it; databases are left to the kernel's signal


@dataclass(slots=True, kw_only=True)
class Member:
    """A part while the system runs."""

    part: Part
    child: Child | None = None
    log: Path = field(default_factory=Path)
    address: str = ""
    restarts: int = 0
    failures: int = 0  # deaths in a row before it was ready
    ever_ready: bool = False
    ready: bool = False
    finished: bool = False
    due: float = 0.0

    @property
    def state(self) -> str:
        if self.finished:
            return "finished"
        if self.child is None:
            return "restarting"
        return "ready" if self.ready else "starting"


class Announcer:
    """Tells people, or machines, what happens; one line each."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def say(self, event: str, text: str, **facts: object) -> None:
        line = json.dumps({"event": event, **facts}) if self.as_json else text
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Supervisor:
    """Owns the members. Everything happens in one thread; signals only set a flag."""

    def __init__(
        self,
        *,
        register: Path,
        guard: Guard,
        announcer: Announcer,
        ours_before: frozenset[int] | None = None,
    ) -> None:
        """Adopt orphans if `ours_before` names the children of this process that others await."""
        self.members: list[Member] = []
        self._stopping = False
        self._register = register
        self._guard = guard
        self._announcer = announcer
        self._logs_checked = 0.0
        self._nursery: Nursery | None = None
        self._ours_before = ours_before

    def use_nursery(self, nursery: Nursery) -> None:
        """Have parts forked from now on."""
        self._nursery = nursery
        self.add(Part(name=NURSERY, spec=nursery.spec))

    def await_nursery(self, *, seconds_max: float) -> None:
        """Wait until parts can be forked. One that does not come, or not in time, is no trouble."""
        deadline = time.monotonic() + seconds_max
        members = [member for member in self.members if member.part.name == NURSERY]
        while not self.asked_to_stop() and time.monotonic() < deadline:
            if all(member.ready or member.failures for member in members):
                return
            self.tick()
            time.sleep(TICK_SECONDS)

    @contextmanager
    def catching_signals(self) -> Iterator[None]:
        """Within the block, being asked to end only sets a flag."""
        asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._stop_soon) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, parts: Iterable[Part]) -> None:
        """Start the parts together and wait until each is ready.

        Raises:
            ServerError: one of them keeps dying, or is not ready in its time.
        """
        fresh = [Member(part=part) for part in parts]
        self.members += fresh
        for member in fresh:
            self._spawn(member)
        started = time.monotonic()
        while not self.asked_to_stop() and not all(
            member.ready or member.finished for member in fresh
        ):
            self.tick()
            self._refuse_hopeless(fresh, waited=time.monotonic() - started)
            time.sleep(TICK_SECONDS)

    def complete(self, part: Part, *, seconds_max: float) -> None:
        """Run a one-time part to its end while the others are watched.

        Raises:
            ServerError: it failed or took too long.
        """
        self.add(part)
        member = self.members[-1]
        child = member.child
        deadline = time.monotonic() + seconds_max
        while not self.asked_to_stop() and not member.finished:
            if time.monotonic() > deadline:
                raise ServerError(f"{part.name} took longer than {seconds_max:.0f} s.")
            self.tick()
            time.sleep(TICK_SECONDS)
        if member.finished:
            self.members.remove(member)
        if child is not None and child.process.returncode:
            raise ServerError(f"{part.name} failed; its log is {member.log}.")

    def add(self, part: Part) -> None:
        """Start one more part without waiting for it."""
        member = Member(part=part)
        self.members.append(member)
        self._spawn(member)

    def run(self) -> None:
        """Watch until somebody asks to stop."""
        while not self.asked_to_stop():
            self.tick()
            time.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Look once at everybody."""
        for member in self.members:
            if member.finished:
                continue
            if member.child is None:
                if time.monotonic() >= member.due:
                    self._revive(member)
            elif not member.child.alive:
                self._bury(member)
            elif not member.ready and member.child.spec.ready():
                self._mark_ready(member)
        self._look_after_adopted()
        self._rotate_logs()

    def stop(self) -> None:
        """Ask all in reverse order, wait, insist. Servers go after the programs using them."""
        self._stopping = True
        programs = [member for member in reversed(self.members) if member.part.guarded]
        servers = [member for member in reversed(self.members) if not member.part.guarded]
        for group in (programs, servers):
            self._stop_group(group)
        self._register.unlink(missing_ok=True)

    def asked_to_stop(self) -> bool:
        return self._stopping

    def table(self) -> list[dict[str, object]]:
        return [
            {
                "name": member.part.name,
                "pid": member.child.pid if member.child else None,
                "address": member.address,
                "restarts": member.restarts,
                "state": member.state,
            }
            for member in self.members
        ]

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _spawn(self, member: Member) -> None:
        spec = member.part.spec()
        member.log, member.address = spec.log, spec.address
        forked = self._nursery.fork(spec) if self._nursery else None
        member.child = forked or Child.spawn(spec)
        member.ready = False
        if member.part.guarded:
            self._guard.watch(member.child.pid)
        self._write_register()

    def _look_after_adopted(self) -> None:
        """Wait for orphans of our parts; end a nursery that was given up, to have another."""
        if self._ours_before is not None:
            pids = {member.child.pid for member in self.members if member.child}
            bury_strangers(pids | self._ours_before)
        if self._nursery is None or not self._nursery.is_given_up:
            return
        for member in self.members:
            if member.part.name == NURSERY and member.child:
                member.child.process.send_signal(signal.SIGKILL)

    def _revive(self, member: Member) -> None:
        """Start a member again; one that cannot even be prepared is tried again later."""
        member.restarts += 1
        try:
            self._spawn(member)
        except StartError as refusal:
            member.failures += 1
            member.due = time.monotonic() + restart_delay(member.failures)
            name = member.part.name
            self._announcer.say("refused", f"  {name}: {refusal}", name=name, reason=str(refusal))

    def _mark_ready(self, member: Member) -> None:
        member.ready = member.ever_ready = True
        member.failures = 0
        name, address = member.part.name, member.address
        if not member.part.once:
            self._announcer.say(
                "ready", f"  {name:<9} ready  {address}", name=name, address=address
            )
        self._write_register()

    def _bury(self, member: Member) -> None:
        child = member.child
        if child is None:
            return
        child.clear_group()
        self._guard.forget(child.pid)
        code, name = child.process.returncode, member.part.name
        member.child = None
        if member.part.once:
            member.finished = True
        else:
            member.failures = 0 if member.ready else member.failures + 1
            member.due = time.monotonic() + restart_delay(member.failures)
        member.ready = False
        member.finished |= name == NURSERY and member.failures >= NURSERY_TRIES_MAX
        if code or not member.part.once:
            last = child.last_words()
            self._announcer.say(
                "ended", f"  {name} ended ({code}):\n{last}", name=name, code=code, log=last
            )
        else:
            self._announcer.say("finished", f"  {name} finished.", name=name, code=code)
        if member.finished and name == NURSERY:
            text = f"  {name} does not come up and is not tried again: parts are spawned."
            self._announcer.say("refused", text, name=name, reason="it does not come up")
        self._write_register()

    def _refuse_hopeless(self, members: list[Member], *, waited: float) -> None:
        for member in members:
            if member.ready or member.finished:
                continue
            if member.failures >= FIRST_START_TRIES_MAX:
                raise ServerError(f"{member.part.name} does not start; its log is {member.log}.")
            limit = member.child.spec.ready_seconds_max if member.child else waited
            if waited > limit:
                raise ServerError(
                    f"{member.part.name} was not ready after {limit:.0f} s.\n{tail(member.log)}"
                )

    def _stop_group(self, members: list[Member]) -> None:
        children = [member.child for member in members if member.child]
        for child in children:
            if child.alive:
                child.process.send_signal(child.spec.stop_signal)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while any(child.alive for child in children) and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS / 2)
        for child in children:
            child.clear_group()
            self._guard.forget(child.pid)

    def _write_register(self) -> None:
        draft = self._register.with_suffix(".draft")
        draft.write_text(json.dumps({"runner": os.getpid(), "processes": self.table()}, indent=1))
        draft.replace(self._register)

    def _rotate_logs(self) -> None:
        if time.monotonic() - self._logs_checked < LOG_CHECK_SECONDS:
            return
        self._logs_checked = time.monotonic()
        for member in self.members:
            rotate(member.log)


def address_of(name: str, *, home: Path) -> str:
    """Return the address that a running program of this home was given; empty when none runs."""
    try:
        known = json.loads((home / REGISTER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return next((str(row["address"]) for row in known["processes"] if row["name"] == name), "")


def restart_delay(failures: int) -> float:
    """Seconds to wait before the next try: doubling, capped, short after a good life."""
    return min(RESTART_SECONDS_FIRST * 2.0 ** min(failures, 16), RESTART_SECONDS_MAX)


def rotate(log: Path, *, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Copy a grown log aside and empty it in place; its writer appends, so goes on at zero."""
    if not log.is_file() or log.stat().st_size <= bytes_max:
        return
    for generation in range(LOG_GENERATIONS, 1, -1):
        older = log.with_name(f"{log.name}.{generation - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{generation}"))
    shutil.copy2(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)
