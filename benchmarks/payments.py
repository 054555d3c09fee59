"""Processor seconds per payment by part: `python -m benchmarks.payments --payments 200`.

A system of its own (`python -m tms.run`), empty but for the house of the chaos tests. Makers
propose over the API, two checkers approve, the sandbox bank executes, every answer is booked; then
the seconds that each part's processes used are read from the kernel and divided by the payments.
What the parts use with nothing to do is measured first and shown beside it.
`--statements N` also counts what the database was asked, the N costliest statements first.
"""

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tests.chaos.live import LiveSystem, eventually, live_system  # noqa: E402
from tests.chaos.load import Filed, load_on  # noqa: E402
from tests.chaos.verdict import unrest  # noqa: E402

IDLE_SECONDS: Final = 20.0
WAIT_SECONDS_MAX: Final = 3_600.0
RAIL_SECONDS: Final = 210
SEED: Final = 7
_STATEMENTS: Final = """
    SELECT calls, total_exec_time, regexp_replace(left(query, 400), '\\s+', ' ', 'g')
      FROM pg_stat_statements ORDER BY total_exec_time DESC
"""


def main(arguments: Sequence[str]) -> int:
    """Run one load and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=200)
    parser.add_argument("--makers", type=int, default=4)
    parser.add_argument(
        "--filed", type=float, default=0.0, metavar="SHARE", help="share that comes in files"
    )
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[25, 100], help="payments of a file, in turn"
    )
    parser.add_argument("--statements", type=int, default=0, metavar="N")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    with live_system() as system:
        if wanted.statements:
            _count_statements(system)
        facts = measure(
            system,
            payments=wanted.payments,
            makers=wanted.makers,
            filed=Filed(share=wanted.filed, rows=tuple(wanted.rows)),
        )
        if wanted.statements:
            facts["statements"] = _statements(system, wanted.payments, wanted.statements)
    sys.stdout.write(json.dumps(facts, indent=2) if wanted.json else "\n".join(_lines(facts)))
    sys.stdout.write("\n")
    return 0


def measure(system: LiveSystem, *, payments: int, makers: int, filed: Filed) -> dict[str, Any]:
    """Let a load run to its end; return seconds of processor per payment, by part."""
    began, before = time.monotonic(), spent(system)
    threading.Event().wait(IDLE_SECONDS)
    idle = _rate(before, spent(system), time.monotonic() - began)
    began, before, own = time.monotonic(), spent(system), time.process_time()
    commits = _commits(system)
    load = load_on(
        system,
        count=payments,
        rng=random.Random(SEED),
        seconds_max=WAIT_SECONDS_MAX,
        makers=makers,
        hands=2,
        filed=filed,
    )
    load.start()
    if not eventually(load.is_over, WAIT_SECONDS_MAX):
        raise SystemExit(f"The load does not end: {unrest(system)}")
    made_seconds = time.monotonic() - began
    while unrest(system):
        system.ask_bank("POST", "/clock/advance", {"seconds": RAIL_SECONDS})
        eventually(lambda: not unrest(system), 10, every=0.5)
    seconds = time.monotonic() - began
    used = _rate(before, spent(system), 1.0)
    return {
        "payments": payments,
        "of_them_in_files": len(load.journal.taken_in_files),
        "oddities": load.journal.oddities[:5],
        "seconds_until_proposed_and_approved": round(made_seconds, 1),
        "seconds_until_quiet": round(seconds, 1),
        "cpu_seconds_per_payment": {k: round(v / payments, 4) for k, v in used.items()},
        "cpu_seconds_per_payment_total": round(used.total() / payments, 4),
        "cpu_share_when_idle": {name: round(share, 3) for name, share in idle.items()},
        "clients_cpu_seconds_per_payment": round((time.process_time() - own) / payments, 4),
        "commits_per_payment": round((_commits(system) - commits) / payments, 1),
    }


def spent(system: LiveSystem) -> Counter[str]:
    """Return the processor seconds of every part so far: its processes and those that ended."""
    found: Counter[str] = Counter()
    for name, row in system.table().items():
        if row["pid"] is None:
            continue
        top = psutil.Process(row["pid"])
        for process in (top, *top.children(recursive=True)):
            try:
                found[name] += sum(process.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
    return found


def _rate(before: Counter[str], after: Counter[str], seconds: float) -> Counter[str]:
    return Counter({name: (after[name] - before[name]) / seconds for name in after})


def _commits(system: LiveSystem) -> int:
    return int(system.rows("SELECT sum(xact_commit)::bigint FROM pg_stat_database")[0][0])


def _count_statements(system: LiveSystem) -> None:
    """Load the extension that counts; it takes a restart, which the supervisor sees to."""
    import psycopg

    from tms.run.config import runtime

    admin = runtime(system.environment).admin
    address = admin.as_role(user=admin.user, password=admin.password, name="tms")
    with psycopg.connect(address.conninfo, autocommit=True) as server:
        server.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    old = system.pid("postgres")
    assert old is not None
    os.kill(old, signal.SIGKILL)
    assert eventually(lambda: system.pid("postgres") != old and system.is_ready("postgres"), 60)
    system.rows("SELECT 1")
    with psycopg.connect(address.conninfo, autocommit=True) as server:
        server.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        server.execute("SELECT pg_stat_statements_reset()")


def _statements(system: LiveSystem, payments: int, count: int) -> dict[str, Any]:
    rows = system.rows(_STATEMENTS)
    return {
        "per_payment": round(sum(row[0] for row in rows) / payments, 1),
        "database_ms_per_payment": round(sum(row[1] for row in rows) / payments, 2),
        "costliest": [
            {"calls": round(calls / payments, 2), "ms": round(ms / payments, 3), "text": text[:260]}
            for calls, ms, text in rows[:count]
        ],
        "most_frequent": [
            {"calls": round(calls / payments, 2), "ms": round(ms / payments, 3), "text": text[:260]}
            for calls, ms, text in sorted(rows, reverse=True)[:count]
        ],
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield f"{name}:"
            yield from (f"  {key:10} {part}" for key, part in value.items())
        else:
            yield f"{name}: {value}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
