"""From a balance that is due to its committed decision, in an open loop: 2,000 events a second.

A feeder (a process of its own) records what is due by then in one commit; this process drains, as
the relay does in the product: woken by the commit's NOTIFY it takes whatever has arrived, at most
500, decides it in one commit and completes the deliveries with it. No timer waits for more.
The time of an event runs from the instant at which it was due to the return of the commit that
holds its decision, so waiting behind others counts. One event in ten makes an order, every one a
decision with its record; the accounts of orders report once. Sending events outwards is not part.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import database, house, sweep_scene
from benchmarks.measure import Contestant, Report, percentile, rows, unlogged
from benchmarks.sweep_feeder import SWEEPING_EACH
from core import clock, policies
from core.events import Envelope, drain
from core.events.bus import many_consumers
from core.events.listening import Listener
from core.tenancy import bound
from treasury.models import SweepDecision, SweepOrder
from treasury.policies import SWEEP_CUTOFFS_UTC

# Shares of all events and milliseconds: the goal under load, and the requirement at ten a second.
Goals = tuple[tuple[float, float], ...]
_GOALS: Goals = ((0.95, 25.0), (0.99, 50.0))
REQUIRED: Goals = ((0.95, 500.0),)
_QUIET_MAX = 8_000
_WINDOWS = ",".join(f"{15 + m // 60}:{m % 60:02d}" for m in range(30, 270, 10))


@dataclass(slots=True, kw_only=True)
class Taken:
    """Seconds from due to committed, and how many were committed together."""

    seconds: list[float] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    busy: float = 0.0


def run(*, quick: bool) -> Iterator[Report]:
    """Yield one report; wall time, and the machine is shared."""
    yield measure(rate=2_000, seconds=10 if quick else 60)


def measure(*, rate: int, seconds: int, goals: Goals = _GOALS) -> Report:
    """Feed `rate` events a second for so many seconds and report how long each took."""
    with unlogged(), tempfile.TemporaryDirectory() as folder:
        offset = Path(folder) / "clock.json"
        shift = (sweep_scene.NOW - clock.wall()).total_seconds()
        offset.write_text(json.dumps({"offset_seconds": shift}), encoding="utf-8")
        sweeping = -(-rate * seconds // SWEEPING_EACH)
        quiet = min(_QUIET_MAX, sweeping * (SWEEPING_EACH - 1))
        scene = sweep_scene.set_scene(Path(folder), count=sweeping + quiet + 1)
        with clock.frozen(sweep_scene.NOW), bound(scene.tenant, actor=house.ACTOR):
            policies.change(
                policy=SWEEP_CUTOFFS_UTC, value=_WINDOWS, actor=None, reason="benchmark"
            )
        # The scene took a while to build: the clock begins anew.
        shift = (sweep_scene.NOW - clock.wall()).total_seconds()
        offset.write_text(json.dumps({"offset_seconds": shift}), encoding="utf-8")
        clock.configure(offset)
        wish = {
            "tenant": str(scene.tenant),
            "rate": rate,
            "seconds": seconds,
            "sweeping": sweeping,
            "quiet": quiet,
            "offset": str(offset),
        }
        try:
            taken = _drain_until(scene, wish)
        finally:
            clock.configure(None)
    return _report(scene, taken, rate=rate, seconds=seconds, goals=goals)


def _drain_until(scene: sweep_scene.Scene, wish: dict[str, Any]) -> Taken:
    taken, total = Taken(), wish["rate"] * wish["seconds"]
    many = next(one for one in many_consumers() if one.consumer == "treasury.sweeps")
    listener = Listener()
    feeder = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("sweep_feeder.py")), json.dumps(wish)],
        env=os.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert feeder.stdin is not None
    assert feeder.stdout is not None
    assert feeder.stdout.readline() == "ready\n"
    while drain.drain(tenant=scene.tenant):
        pass
    busy = database.all_busy_clock()
    began = busy() + _spent(feeder.pid)
    feeder.stdin.write("go\n")
    feeder.stdin.flush()

    def watched(envelopes: Sequence[Envelope]) -> None:
        many.handler(envelopes)
        arrived.extend(datetime.fromisoformat(one.payload["as_of"]) for one in envelopes)

    while len(taken.seconds) < total:
        arrived: list[datetime] = []
        done = drain.take_many(tenant=scene.tenant, many=replace(many, handler=watched))
        if not done:
            if feeder.poll():
                raise RuntimeError("The feeder failed.")
            listener.wait(0.5)
            continue
        now = clock.now()
        assert done == len(arrived)
        taken.batches.append(done)
        taken.seconds.extend((now - one).total_seconds() for one in arrived)
    taken.busy = busy() + _spent(feeder.pid) - began
    feeder.wait()
    listener.close()
    return taken


def _spent(pid: int) -> float:
    """Return the processor seconds of a process, also of one that has just ended."""
    told = Path(f"/proc/{pid}/schedstat")
    return int(told.read_text().split()[0]) / 1e9 if told.is_file() else 0.0


def _report(
    scene: sweep_scene.Scene, taken: Taken, *, rate: int, seconds: int, goals: Goals
) -> Report:
    name = "due to committed"
    with bound(scene.tenant, actor=house.ACTOR):
        # The account that warms the connections is not counted.
        decisions = SweepDecision.objects.exclude(account=scene.accounts[-1].pk).count()
        orders = SweepOrder.objects.count()
    shares = [(share, percentile(taken.seconds, share) * 1_000) for share in (0.5, 0.95, 0.99)]
    judged = "; ".join(
        f"p{share * 100:.0f} at most {goal:.0f} ms,"
        f" {'met' if percentile(taken.seconds, share) * 1_000 <= goal else 'NOT MET'}"
        for share, goal in goals
    )
    contestant = Contestant(name=name, role="ours", work=float)
    return Report(
        name="sweep latency",
        what=f"{rate:,} balance events a second for {seconds:,} s, {len(taken.seconds):,} in all",
        clock="wall",
        repeats=1,
        rows=rows([contestant], {name: taken.seconds}),
        notes=(
            ", ".join(f"p{share * 100:.0f} {found:.1f} ms" for share, found in shares)
            + f", longest {max(taken.seconds) * 1_000:.0f} ms ({judged})",
            f"{decisions:,} decisions, {orders:,} orders",
            f"{len(taken.batches):,} commits of at most {max(taken.batches)} events",
            (
                f"processor time of feeder, drain and database:"
                f" {taken.busy / len(taken.seconds) * 1_000:.2f} ms an event;"
                f" load when it ended {os.getloadavg()[0]:.1f}"
            ),
        ),
    )
