"""P1, P2, P11 on a running system: kill -9 of every part under load loses and doubles nothing."""

import math
import os
import random
import sys
import time
from typing import Final

import pytest

from tests.chaos.killer import Killer
from tests.chaos.live import LiveSystem, eventually
from tests.chaos.load import Load, load_on
from tests.chaos.verdict import as_text, failures, faults_of, unrest

pytestmark = pytest.mark.chaos

SEED: Final = int(os.environ.get("TMS_CHAOS_SEED", "7"))
# The slice of every build takes minutes; TMS_CHAOS_FULL=1 is the promise in full.
IS_FULL: Final = os.environ.get("TMS_CHAOS_FULL") == "1"
PROPOSALS: Final = int(os.environ.get("TMS_CHAOS_PROPOSALS", "5000" if IS_FULL else "160"))
KILLS: Final = int(os.environ.get("TMS_CHAOS_KILLS", "510" if IS_FULL else "72"))
# How often each part falls, of a hundred: the servers most, for everybody notices them.
SHARES: Final = {
    "web": 10, "worker": 10, "beat": 8, "relay": 8, "channels": 8, "bank": 8, "valkey": 24,
    "postgres": 24,
}  # fmt: skip
VICTIMS: Final = {name: math.ceil(KILLS * share / 100) for name, share in SHARES.items()}
MADE_MEANWHILE_MIN: Final = PROPOSALS // 2
PAUSE_SECONDS: Final = (0.15, 0.7)
MAKERS: Final = int(os.environ.get("TMS_CHAOS_MAKERS", "4"))
HANDS: Final = 2
# What a machine with two busy cores needs: bounds for a hang, not goals.
RAMPAGE_SECONDS_MAX: Final = 120.0 + 2.0 * PROPOSALS + 3.0 * KILLS
LOAD_SECONDS_MAX: Final = RAMPAGE_SECONDS_MAX + 200.0
QUIET_SECONDS_MAX: Final = 120.0
# A machine that others use as well may take longer; the figure is told, and judged above.
WAIT_SECONDS_MAX: Final = QUIET_SECONDS_MAX * float(os.environ.get("TMS_CHAOS_PATIENCE", "1"))
RECOVERY_SECONDS_MAX: Final = 120.0
RAIL_SECONDS: Final = 210  # the slowest rail of the load takes 200 s on the bank's clock
FAULTS: Final = (
    {"kind": "accept_then_timeout", "rate": 0.05, "seed": SEED, "mode": "close"},
    {"kind": "answer_twice", "rate": 0.05, "seed": SEED},
)


def _work_off(system: LiveSystem, load: Load) -> float:
    """Move the bank's clock until everything has landed; return the seconds until it was quiet."""
    began = time.monotonic()
    assert eventually(load.is_over, LOAD_SECONDS_MAX), unrest(system)
    for _ in range(12):
        system.ask_bank("POST", "/clock/advance", {"seconds": RAIL_SECONDS})
        if eventually(lambda: not unrest(system), WAIT_SECONDS_MAX / 12, every=0.5):
            return time.monotonic() - began
    pytest.fail(f"not quiet: {unrest(system)}\n{system.tail_of_logs(['channels', 'relay'])}")


def test_kills_under_load_lose_nothing_and_double_nothing(system: LiveSystem) -> None:
    rng = random.Random(SEED)
    for fault in FAULTS:
        system.ask_bank("POST", "/faults", fault)
    load = load_on(
        system,
        count=PROPOSALS,
        rng=rng,
        seconds_max=LOAD_SECONDS_MAX,
        makers=MAKERS,
        hands=HANDS,
    )
    killer = Killer(
        system=system,
        rng=rng,
        pause_seconds=PAUSE_SECONDS,
        progress=lambda: load.journal.progress(PROPOSALS),
    )
    began = time.monotonic()
    load.start()
    killer.rampage(VICTIMS, seconds_max=RAMPAGE_SECONDS_MAX)
    rampage_seconds = time.monotonic() - began
    made_meanwhile = len(load.journal.acknowledged)
    assert eventually(killer.watch, RECOVERY_SECONDS_MAX)
    quiet_seconds = _work_off(system, load)
    fired = {row["kind"]: row["fired"] for row in system.ask_bank("GET", "/faults")["faults"]}
    system.ask_bank("DELETE", "/faults")

    faults, books = faults_of(system, load.journal)
    counts = killer.counts()
    slowest, median = killer.recoveries()
    summary = {
        "seed": SEED,
        "kills": dict(counts),
        "kills_total": counts.total(),
        "rampage_seconds": round(rampage_seconds, 1),
        "acknowledged": len(load.journal.acknowledged),
        "acknowledged_during_the_kills": made_meanwhile,
        "executed_by_the_bank": len(books.executed),
        "not_executed": dict(failures(books)),
        "broken_calls": load.journal.broken_count,
        "answers": dict(load.journal.answers),
        "slowest_answer_seconds": round(load.journal.slowest_seconds, 1),
        "recovery_max_seconds": round(slowest, 1),
        "recovery_median_seconds": round(median, 1),
        "quiet_after_seconds": round(quiet_seconds, 1),
        "bank_faults_fired": fired,
        "faults": faults,
    }
    sys.__stdout__.write(f"\nchaos {as_text(summary)}\n")

    assert faults == []
    assert counts.total() >= KILLS
    assert made_meanwhile >= MADE_MEANWHILE_MIN
    assert len(load.journal.acknowledged) == PROPOSALS
    assert slowest < RECOVERY_SECONDS_MAX
    assert load.journal.oddities == []
