"""P1, P2, P11 on a running system: kill -9 of every part under load loses and doubles nothing."""

import math
import os
import random
import time
from typing import Any, Final

import pytest

from tests.chaos.killer import Killer
from tests.chaos.live import LiveSystem, eventually
from tests.chaos.load import Filed, Load, load_on
from tests.chaos.progress import Reporter, Run, tell
from tests.chaos.seed import DESKS
from tests.chaos.verdict import Books, as_text, failures, faults_of, unrest

pytestmark = pytest.mark.chaos

SEED: Final = int(os.environ.get("TMS_CHAOS_SEED", "7"))
# The slice of every build takes minutes; TMS_CHAOS_FULL=1 is the promise in full.
IS_FULL: Final = os.environ.get("TMS_CHAOS_FULL") == "1"
PAYMENTS: Final = int(os.environ.get("TMS_CHAOS_PROPOSALS", "5000" if IS_FULL else "160"))
KILLS: Final = int(os.environ.get("TMS_CHAOS_KILLS", "510" if IS_FULL else "72"))
# How often each part falls, of a hundred: the servers most, for everybody notices them.
SHARES: Final = {
    "web": 10, "worker": 10, "beat": 7, "relay": 8, "channels": 8, "bank": 7, "nursery": 4,
    "valkey": 23, "postgres": 23,
}  # fmt: skip
VICTIMS: Final = {name: math.ceil(KILLS * share / 100) for name, share in SHARES.items()}
MADE_MEANWHILE_MIN: Final = PAYMENTS // 2
PAUSE_SECONDS: Final = (0.15, 0.7)
MAKERS: Final = int(os.environ.get("TMS_CHAOS_MAKERS", str(DESKS)))
HANDS: Final = 2
# Small files are submitted at once by the web, large ones step by step by the worker.
FILED: Final = Filed(
    share=float(os.environ.get("TMS_CHAOS_IN_FILES", "0.6")),
    rows=tuple(map(int, os.environ.get("TMS_CHAOS_FILE_ROWS", "10,40,20").split(","))),
)
# What a machine with two busy cores needs: bounds for a hang, not goals.
RAMPAGE_SECONDS_MAX: Final = 120.0 + 2.0 * PAYMENTS + 3.0 * KILLS
LOAD_SECONDS_MAX: Final = RAMPAGE_SECONDS_MAX + 200.0
QUIET_SECONDS_MAX: Final = 120.0
# A machine that others use as well may take longer; the figure is told, and judged above.
WAIT_SECONDS_MAX: Final = QUIET_SECONDS_MAX * float(os.environ.get("TMS_CHAOS_PATIENCE", "1"))
RECOVERY_SECONDS_MAX: Final = 120.0
RAIL_SECONDS: Final = 210  # the slowest rail of the load takes 200 s on the bank's clock
BANKS_CLOCK_MOVES: Final = 12
FAULTS: Final = (
    {"kind": "accept_then_timeout", "rate": 0.05, "seed": SEED, "mode": "close"},
    {"kind": "answer_twice", "rate": 0.05, "seed": SEED},
)


def _work_off(system: LiveSystem, load: Load) -> float | None:
    """Move the bank's clock until everything has landed.

    Return the seconds from the load's last call until it was quiet; None: it did not become so.
    """
    eventually(load.is_over, LOAD_SECONDS_MAX)
    began = time.monotonic()
    for _ in range(BANKS_CLOCK_MOVES):
        system.ask_bank("POST", "/clock/advance", {"seconds": RAIL_SECONDS})
        limit = WAIT_SECONDS_MAX / BANKS_CLOCK_MOVES
        if eventually(lambda: not unrest(system), limit, every=0.5):
            return time.monotonic() - began
    return None


def _broken_promises(
    system: LiveSystem, run: Run, *, quiet_seconds: float | None, made_meanwhile: int
) -> tuple[list[str], Books]:
    """Return what is not as promised, in words; the names of payments among them."""
    journal, killer = run.journal, run.killer
    eventually(system.everybody_ready, RECOVERY_SECONDS_MAX)
    faults, books = faults_of(system, journal)
    if quiet_seconds is None:
        faults.append(f"not quiet after {WAIT_SECONDS_MAX:.0f} s: {unrest(system)}")
    if journal.proposed() != PAYMENTS:
        faults.append(f"{PAYMENTS - journal.proposed()} payments were never acknowledged")
    if killer.counts().total() < KILLS:
        faults.append(f"{killer.counts().total()} kills instead of {KILLS}")
    if made_meanwhile < MADE_MEANWHILE_MIN:
        faults.append(f"only {made_meanwhile} payments were proposed during the kills")
    slowest, _ = killer.recoveries()
    if slowest >= RECOVERY_SECONDS_MAX or killer.still_away():
        faults.append(f"slowest recovery {slowest:.0f} s, still away: {killer.still_away()}")
    return [*faults, *journal.oddities], books


def _summary(run: Run, books: Books, **facts: Any) -> dict[str, Any]:
    journal, counts = run.journal, run.killer.counts()
    slowest, median = run.killer.recoveries()
    return {
        "seed": SEED,
        "kills": dict(counts),
        "kills_total": counts.total(),
        "acknowledged": journal.proposed(),
        "acknowledged_in_files": len(journal.taken_in_files),
        "executed_by_the_bank": len(books.executed),
        "not_executed": dict(failures(books)),
        "broken_calls": journal.broken_count,
        "answers": dict(journal.answers),
        "slowest_answer_seconds": round(journal.slowest_seconds, 1),
        "recovery_by_part_median_and_max": run.killer.recoveries_by_part(),
        "recovery_max_seconds": round(slowest, 1),
        "recovery_median_seconds": round(median, 1),
        "seconds": round(time.monotonic() - run.began, 1),
        **facts,
    }


def test_kills_under_load_lose_nothing_and_double_nothing(system: LiveSystem) -> None:
    rng = random.Random(SEED)
    for fault in FAULTS:
        system.ask_bank("POST", "/faults", fault)
    load = load_on(
        system,
        count=PAYMENTS,
        rng=rng,
        seconds_max=LOAD_SECONDS_MAX,
        makers=MAKERS,
        hands=HANDS,
        filed=FILED,
    )
    killer = Killer(
        system=system,
        rng=rng,
        pause_seconds=PAUSE_SECONDS,
        progress=lambda: load.journal.progress(PAYMENTS),
    )
    kills = sum(VICTIMS.values())
    run = Run(system=system, journal=load.journal, killer=killer, payments=PAYMENTS, kills=kills)
    with Reporter(run.line):
        load.start()
        killer.rampage(VICTIMS, seconds_max=RAMPAGE_SECONDS_MAX)
        rampage_seconds, made_meanwhile = time.monotonic() - run.began, load.journal.proposed()
        run.phase = "all killed, working off"
        eventually(killer.watch, RECOVERY_SECONDS_MAX)
        quiet_seconds = _work_off(system, load)
        quiet_at = time.monotonic()
        run.phase = "judging"
        fired = {row["kind"]: row["fired"] for row in system.ask_bank("GET", "/faults")["faults"]}
        system.ask_bank("DELETE", "/faults")
        faults, books = _broken_promises(
            system, run, quiet_seconds=quiet_seconds, made_meanwhile=made_meanwhile
        )
    summary = _summary(
        run,
        books,
        rampage_seconds=round(rampage_seconds, 1),
        quiet_after_last_kill_seconds=round(quiet_at - run.began - rampage_seconds, 1),
        acknowledged_during_the_kills=made_meanwhile,
        quiet_after_seconds=None if quiet_seconds is None else round(quiet_seconds, 1),
        bank_faults_fired=fired,
    )
    tell(f"chaos {as_text(summary)}")
    tell("\n".join(["chaos VERDICT: " + (f"{len(faults)} faults" if faults else "kept"), *faults]))

    assert faults == [], system.tail_of_logs(["channels", "relay"])
