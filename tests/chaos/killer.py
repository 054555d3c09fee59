"""A killer with a seed: SIGKILL to one part after the other, and a stopwatch for their return."""

import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.live import LiveSystem

TICK_SECONDS: Final = 0.05
STARTING_TOO: Final = 0.2  # how often a part that is only starting is killed as well
# Blows that fall while nobody works prove nothing, and neither does work that is done before or
# after all of them: volleys are spread over the load, each due when its share of it is done.
VOLLEY: Final = 5
SPREAD: Final = 0.95
BREATH_SECONDS_MAX: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Kill:
    """One SIGKILL: whom, when, and how long until the part was ready again."""

    name: str
    pid: int
    at: float
    recovery_seconds: float | None = None


@dataclass(slots=True, kw_only=True)
class Killer:
    """Kills what it was given, each name as often as it says, with pauses drawn by `rng`.

    `progress` says how much of the load is done, as a share from 0 to 1.
    """

    system: LiveSystem
    rng: random.Random
    pause_seconds: tuple[float, float]
    progress: Callable[[], float]
    kills: list[Kill] = field(default_factory=list)

    def rampage(self, victims: Mapping[str, int], *, seconds_max: float) -> None:
        """Kill until every name has had its share, or the time is over."""
        left = [name for name, times in victims.items() for _ in range(times)]
        self.rng.shuffle(left)
        total = len(left)
        deadline = time.monotonic() + seconds_max
        next_at = time.monotonic()
        while left and time.monotonic() < deadline:
            self.watch()
            if time.monotonic() >= next_at:
                name = next((name for name in left if self._may_be_killed(name)), None)
                if name is not None and self._kill(name):
                    left.remove(name)
                    if len(self.kills) % VOLLEY == 0:
                        self._let_work(SPREAD * len(self.kills) / total, deadline)
                    next_at = time.monotonic() + self.rng.uniform(*self.pause_seconds)
            threading.Event().wait(TICK_SECONDS)

    def _let_work(self, share: float, deadline: float) -> None:
        """Hold back until this share of the load is done, or nothing moves any more."""
        best, moved_at = self.progress(), time.monotonic()
        while self.progress() < share and time.monotonic() < deadline:
            if self.progress() > best:
                best, moved_at = self.progress(), time.monotonic()
            if time.monotonic() - moved_at > BREATH_SECONDS_MAX:
                return
            self.watch()
            threading.Event().wait(TICK_SECONDS)

    def watch(self) -> bool:
        """Note who is back; return whether everybody is."""
        table = self.system.table()
        now = time.monotonic()
        for kill in self.kills:
            row = table[kill.name]
            if kill.recovery_seconds is None and row["state"] == "ready" and row["pid"] != kill.pid:
                kill.recovery_seconds = now - kill.at
        return all(kill.recovery_seconds is not None for kill in self.kills)

    def counts(self) -> Counter[str]:
        return Counter(kill.name for kill in list(self.kills))

    def recoveries_by_part(self) -> dict[str, str]:
        """Return for each part the median and the longest time, in seconds."""
        found = {}
        for name in sorted(self.counts()):
            times = [
                kill.recovery_seconds
                for kill in self.kills
                if kill.name == name and kill.recovery_seconds is not None
            ]
            if times:
                found[name] = f"{statistics.median(times):.1f} / {max(times):.1f}"
        return found

    def still_away(self) -> list[str]:
        """Return what was killed and has not come back."""
        return [kill.name for kill in self.kills if kill.recovery_seconds is None]

    def recoveries(self) -> tuple[float, float]:
        """Return the longest and the median time until a killed part was ready again."""
        kills = list(self.kills)  # somebody else may be killing meanwhile
        times = [kill.recovery_seconds for kill in kills if kill.recovery_seconds is not None]
        return (max(times), statistics.median(times)) if times else (0.0, 0.0)

    def _may_be_killed(self, name: str) -> bool:
        row = self.system.table()[name]
        last = next((kill for kill in reversed(self.kills) if kill.name == name), None)
        # The table still names who was killed; later its number may be another process's.
        is_down = last is not None and last.recovery_seconds is None and last.pid == row["pid"]
        if row["pid"] is None or is_down:
            return False
        return row["state"] == "ready" or self.rng.random() < STARTING_TOO * TICK_SECONDS

    def _kill(self, name: str) -> bool:
        self.system.note_processes()
        pid = self.system.pid(name)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills.append(Kill(name=name, pid=pid, at=time.monotonic()))
            return True
        return False
