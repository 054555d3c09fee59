"""Timing contestants in turn, and showing what came out: medians and ratios, nothing else.

The machine may be busy with other work, so a figure of one run says little; the ratio between two
contestants that took turns in the same run says what it costs.
"""

import logging
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Role = Literal["ours", "part", "peer", "limit"]
Clock = Callable[[], float]
WALL: Clock = time.perf_counter
CPU: Clock = time.process_time


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One way to do a job; `work` returns the seconds that count."""

    name: str
    role: Role
    work: Callable[[], float]
    units: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A contestant's median; `share` is its time divided by ours (above 1: ours is faster)."""

    name: str
    role: Role
    seconds: float
    fastest: float
    slowest: float
    rates: dict[str, float]
    share: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one benchmark found."""

    name: str
    what: str
    clock: str
    repeats: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@contextmanager
def unlogged() -> Iterator[None]:
    """Write no log while this lasts, as with a level above all that is told."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        root.setLevel(before)


def timed(work: Callable[[], object], *, clock: Clock = WALL) -> float:
    """Run `work` once and return how long it took."""
    start = clock()
    work()
    return clock() - start


def race(contestants: Sequence[Contestant], *, repeats: int) -> tuple[Row, ...]:
    """Let all run in turn, `repeats` times, and return their medians beside the first of ours."""
    seconds: dict[str, list[float]] = {one.name: [] for one in contestants}
    for _ in range(repeats):
        for one in contestants:
            seconds[one.name].append(one.work())
    return rows(contestants, seconds)


def rows(contestants: Sequence[Contestant], seconds: dict[str, list[float]]) -> tuple[Row, ...]:
    """Return medians of times that were taken elsewhere."""
    ours = next(one for one in contestants if one.role == "ours")
    base = statistics.median(seconds[ours.name])
    found = []
    for one in contestants:
        middle = statistics.median(seconds[one.name])
        found.append(
            Row(
                name=one.name,
                role=one.role,
                seconds=middle,
                fastest=min(seconds[one.name]),
                slowest=max(seconds[one.name]),
                rates={unit: count / middle for unit, count in one.units.items()},
                share=middle / base,
            )
        )
    return tuple(found)


def beside(
    others: Sequence[Row], contestant: Contestant, seconds: Sequence[float]
) -> tuple[Row, ...]:
    """Return rows with those of a contestant that had its turns by itself, after the parts."""
    base = next(one.seconds for one in others if one.role == "ours")
    middle = statistics.median(seconds)
    row = Row(
        name=contestant.name,
        role=contestant.role,
        seconds=middle,
        fastest=min(seconds),
        slowest=max(seconds),
        rates={unit: count / middle for unit, count in contestant.units.items()},
        share=middle / base,
    )
    place = 1 + max(number for number, one in enumerate(others) if one.role in ("ours", "part"))
    return *others[:place], row, *others[place:]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def machine(postgres: dict[str, str] | None = None) -> dict[str, str]:
    """Return what the figures depend on; no name and no place."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "load at start": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **(postgres or {}),
    }


def as_text(report: Report) -> str:
    """Return one benchmark's table."""
    lines = [f"{report.name}: {report.what}", f"  {report.clock} time, {report.repeats} turns each"]
    width = max(len(row.name) for row in report.rows)
    lines.append(f"  {'':5} {'':{width}} {'median':>10} {'range':>19} {'÷ ours':>7}")
    for row in report.rows:
        rates = "  ".join(
            f"{rate:,.{0 if rate >= 100 else 1}f} {unit}" for unit, rate in row.rates.items()
        )
        spread = f"{_seconds(row.fastest)}–{_seconds(row.slowest)}"
        lines.append(
            f"  {row.role:5} {row.name:{width}} {_seconds(row.seconds):>10} {spread:>19}"
            f" {row.share:>7.2f}  {rates}"
        )
    lines.extend(f"  {note}" for note in report.notes)
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def as_json(reports: Sequence[Report], facts: dict[str, str]) -> dict[str, Any]:
    """Return everything in a form for machines."""
    return {"machine": facts, "benchmarks": [asdict(report) for report in reports]}
