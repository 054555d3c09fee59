"""The audit trail under load: 2,000 audited rows a second, sealed beside the writer.

Ours: transactions of 100 inserts into an audited table, paced, while a sealer chains and anchors
what was committed, every two seconds as the beat does. Beside it: the same transactions with no
sealer, and with the audit trigger off (what the trail itself costs).
The lag is how old the oldest entry without a link is, looked at four times a second.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection

from benchmarks import database
from benchmarks.measure import Contestant, Report, percentile, rows
from core.audit import chain
from core.identity.services import create_tenant
from core.tenancy import bound

ROWS_PER_SECOND = 2_000
ROWS_PER_TRANSACTION = 100
SEAL_EVERY_SECONDS = 2.0
LOOK_EVERY_SECONDS = 0.25
LAG_SECONDS_GOAL = 5.0
_OURS, _UNSEALED, _UNAUDITED = "sealed beside the writer", "not sealed", "not audited"
_INSERT = """
    INSERT INTO core_policyversion (id, tenant_id, key, version, value, reason, changed_at)
    SELECT gen_random_uuid(), %s, %s, n, to_jsonb(n), 'a benchmark', clock_timestamp()
      FROM generate_series(1, %s) n
"""
_LAG = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.at)), 0)::float
      FROM core_auditpending p JOIN core_auditentry e ON e.id = p.entry_id
"""


class _Sealer(threading.Thread):
    """Seal every two seconds, and look how far behind the chain is."""

    def __init__(self, tenant: UUID) -> None:
        super().__init__(daemon=True)
        self.tenant = tenant
        self.lags: list[float] = []
        self.done = threading.Event()

    def run(self) -> None:
        """Alternate between looking and sealing until told to stop."""
        due = time.monotonic() + SEAL_EVERY_SECONDS
        while not self.done.wait(LOOK_EVERY_SECONDS):
            with bound(self.tenant), connection.cursor() as cursor:
                cursor.execute(_LAG)
                self.lags.append(cursor.fetchone()[0])
            if time.monotonic() >= due:
                due += SEAL_EVERY_SECONDS
                chain.seal_all(tenant=self.tenant)
        connection.close()

    def stop(self) -> None:
        """Let the thread end and wait for it."""
        self.done.set()
        self.join()


def run(*, quick: bool) -> Iterator[Report]:
    """Yield one report: the same paced writer with a sealer, without, and without the trail."""
    seconds = 4 if quick else 20
    with tempfile.TemporaryDirectory() as folder:
        settings.TMS_AUDIT_ANCHOR_DIR = Path(folder)
        database.empty()
        tenant = create_tenant(slug="north", name="North Remit").id
        _write(tenant, seconds=1)
        spent = {_UNAUDITED: _unaudited(tenant, seconds), _UNSEALED: _write(tenant, seconds)}
        start = time.monotonic()
        backlog = chain.seal_all(tenant=tenant)
        alone = backlog / (time.monotonic() - start)
        sealer = _Sealer(tenant)
        sealer.start()
        begun = time.monotonic()
        spent[_OURS] = _write(tenant, seconds)
        rate = len(spent[_OURS]) * ROWS_PER_TRANSACTION / (time.monotonic() - begun)
        sealer.stop()
        chain.seal_all(tenant=tenant)
        verdict = chain.verify(tenant=tenant)
    assert verdict.is_intact, verdict.faults
    contestants = [
        Contestant(name=name, role=role, work=float, units={"rows/s": ROWS_PER_TRANSACTION})
        for name, role in ((_OURS, "ours"), (_UNSEALED, "part"), (_UNAUDITED, "limit"))
    ]
    worst = max(sealer.lags)
    goal = f"below {LAG_SECONDS_GOAL:.0f} s: {'met' if worst < LAG_SECONDS_GOAL else 'NOT MET'}"
    lag = f"p50 {percentile(sealer.lags, 0.5):.1f} s, worst {worst:.1f} s"
    yield Report(
        name="audit",
        what=f"{ROWS_PER_TRANSACTION} inserts a transaction, paced to {ROWS_PER_SECOND:,} rows/s",
        clock="wall",
        repeats=len(spent[_OURS]),
        rows=rows(contestants, spent),
        notes=(
            f"written {rate:,.0f} rows/s for {seconds} s while sealing",
            f"lag of the chain: {lag} (goal: {goal})",
            f"sealing alone: {alone:,.0f} rows/s; verified: {verdict.links_count:,} links intact",
        ),
    )


def _unaudited(tenant: UUID, seconds: float) -> list[float]:
    with database.administrator() as server:
        server.execute("ALTER TABLE core_policyversion DISABLE TRIGGER audited_inserts")
        try:
            return _write(tenant, seconds)
        finally:
            server.execute("ALTER TABLE core_policyversion ENABLE TRIGGER audited_inserts")


def _write(tenant: UUID, seconds: float) -> list[float]:
    """Write at the pace for so many seconds; return how long each transaction took."""
    pause = ROWS_PER_TRANSACTION / ROWS_PER_SECOND
    took = []
    start = time.perf_counter()
    for number in range(round(seconds / pause)):
        ahead = start + number * pause - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        begun = time.perf_counter()
        with bound(tenant, actor="system:benchmark"), connection.cursor() as cursor:
            key = f"BENCH_{time.monotonic_ns()}"
            cursor.execute(_INSERT, [tenant, key, ROWS_PER_TRANSACTION])
        took.append(time.perf_counter() - begun)
    return took
