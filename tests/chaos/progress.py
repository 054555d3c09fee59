"""A line every half minute on how a long run stands: for the one who waits for its verdict."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

import psycopg

from tests.chaos.killer import Killer
from tests.chaos.live import LiveSystem
from tests.chaos.load import Journal

EVERY_SECONDS: Final = 30.0
STATES: Final = "SELECT state, count(*) FROM treasury_proposal GROUP BY state"
EXECUTED: Final = ("CONFIRMED", "SETTLED")


def tell(line: str) -> None:
    """Write past what captures output, at once."""
    sys.__stdout__.write(f"{line}\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


@dataclass(slots=True, kw_only=True)
class Run:
    """A load under kills, and how far it has come."""

    system: LiveSystem
    journal: Journal
    killer: Killer
    payments: int
    kills: int
    phase: str = "load under kills"
    began: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """Return payments proposed, approved and executed, kills by part, and the recoveries."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        journal, counts = self.journal, self.killer.counts()
        parts = ", ".join(f"{name} {times}" for name, times in sorted(counts.items()))
        slowest, median = self.killer.recoveries()
        return (
            f"chaos {minutes:02d}:{seconds:02d} {self.phase}:"
            f" proposed {journal.proposed()}/{self.payments}"
            f" (in files {len(journal.taken_in_files)}),"
            f" approved {len({one.split()[0] for one in list(journal.approved)})},"
            f" executed {self._executed()};"
            f" kills {counts.total()}/{self.kills} ({parts});"
            f" recovery median {median:.1f} s, worst {slowest:.1f} s;"
            f" broken calls {journal.broken_count}, 503 {journal.answers[503]}"
        )

    def _executed(self) -> str:
        try:
            states = Counter(dict(self.system.rows(STATES)))
        except psycopg.Error:
            return "? (no database just now)"
        return str(sum(states[name] for name in EXECUTED))


class Reporter:
    """Tells the line of `source` every half minute during the block, and once at its end."""

    def __init__(self, source: Callable[[], str], *, every_seconds: float = EVERY_SECONDS) -> None:
        self._source = source
        self._every_seconds = every_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep_telling, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_trouble: object) -> None:
        self._done.set()
        self._thread.join(self._every_seconds)
        tell(self._source())

    def _keep_telling(self) -> None:
        while not self._done.wait(self._every_seconds):
            tell(self._source())
