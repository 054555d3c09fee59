"""Sweep decisions: a balance is reported, recorded and decided on, everything committed.

Every report changes the balance of another account whose window is near; nine of ten go into bills,
one goes overnight because its value at risk is above the limit. Each leaves a statement with its
balance, the decision with its record, the order within its mandate with its history, the expected
flow, two events and the audit trail.
Ours: set-based, 500 reports in one commit, and one report in a commit by itself.
Peer: the services of one account, plain ORM, as they stand in the product as the reference; equal
rows are a property test (tests/treasury/sweeps/test_batching.py).
Limit: the rows that ours wrote, inserted again by INSERT … SELECT, one statement for each table
and one commit, past the same guards, audit and foreign keys: nothing is read and nothing decided.
Audit entries come of the triggers in all of them.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

from django.db import connection

from benchmarks import database, sweep_scene
from benchmarks.measure import Contestant, Report, rows, unlogged
from benchmarks.sweep_scene import ACTOR, NOW, Scene
from core import clock
from core.tenancy import bound
from treasury.models import BankAccount
from treasury.selectors import sweeps as reads
from treasury.services import reported, sweeps

BATCHED, SINGLE = "set-based, 500 in a commit", "set-based, one in a commit"
REFERENCE, BARE = "services, plain ORM, one in a commit", "INSERT … SELECT of the same rows"
_GOALS = ((SINGLE, 10.0), (BATCHED, 60.0))
_LIMIT_GOAL = 0.60
# Parents before children; what triggers write comes of itself.
_COPIED = (
    "treasury_statement",
    "treasury_statementbalance",
    "treasury_sweepdecision",
    "treasury_sweeporder",
    "treasury_historicalsweeporder",
    "treasury_expectedflow",
    "core_outboxevent",
)
_STASH = "bench_sweep_"


def run(*, quick: bool) -> Iterator[Report]:
    """Yield one report; processor time for each event."""
    batch, alone, repeats = (500, 100, 3) if quick else (500, 100, 7)
    with unlogged(), tempfile.TemporaryDirectory() as folder, clock.frozen(NOW):
        scene = sweep_scene.set_scene(Path(folder), count=batch)
        yield _report(_Bench(scene, batch=batch, alone=alone), repeats=repeats)


class _Bench:
    """The contestants' work: each begins where no account of the window is decided."""

    def __init__(self, scene: Scene, *, batch: int, alone: int) -> None:
        self.scene, self.batch, self.alone = scene, batch, alone
        self.turn = 0
        for warming in (self.single, self.batched):
            warming()
        self._stash()

    def batched(self) -> float:
        """Take in all reports in one commit."""

        def work() -> None:
            with bound(self.scene.tenant, actor=ACTOR):
                self._take(range(self.batch))

        return self._timed(work, self.batch)

    def single(self) -> float:
        """Take in some reports, each in its own commit."""

        def work() -> None:
            for place in range(self.alone):
                with bound(self.scene.tenant, actor=ACTOR):
                    self._take(range(place, place + 1))

        return self._timed(work, self.alone)

    def reference(self) -> float:
        """Let the services take in some reports, each in its own commit."""

        def work() -> None:
            for place in range(self.alone):
                with bound(self.scene.tenant, actor=ACTOR):
                    report = self._event(place)
                    recorded = reported.record_balance(balance=report)
                    account = BankAccount.objects.select_related("entity", "bank").get(
                        pk=recorded.account_id
                    )
                    window = reads.next_window(now=clock.now())
                    sweeps.decide_account(account=account, window=window)

        return self._timed(work, self.alone)

    def bare(self) -> float:
        """Insert the stashed rows again, past the same guards."""

        def work() -> None:
            with bound(self.scene.tenant, actor=ACTOR), connection.cursor() as cursor:
                for table in _COPIED:
                    cursor.execute(f"INSERT INTO {table} SELECT * FROM {_STASH}{table}")

        return self._timed(work, self.batch)

    def _timed(self, work: Callable[[], None], events: int) -> float:
        sweep_scene.forget(self.scene)
        self.turn += 1
        busy = database.busy_clock()
        start = busy()
        work()
        spent = (busy() - start) / events
        self._check(events)
        return spent

    def _take(self, places: range) -> None:
        told = reported.record_balances(balances=[self._event(place) for place in places])
        accounts = [one.account_id for one in told if one.is_newest and one.account_id]
        batch = sweeps.decide_many(accounts=accounts, now=clock.now())
        assert not batch.handed_over

    def _event(self, place: int) -> reported.ReportedBalance:
        return self.scene.event(
            place, name=f"{self.turn}-{place}", amount=Decimal("1000000.00"), at=clock.now()
        )

    def _check(self, events: int) -> None:
        with bound(self.scene.tenant, actor=ACTOR), connection.cursor() as cursor:
            for table in _COPIED[2:5]:
                cursor.execute(f"SELECT count(*) FROM {table}")
                assert cursor.fetchone() == (events,), table

    def _stash(self) -> None:
        """Keep the rows of the batch that was just taken in."""
        with database.administrator() as server:
            for table in _COPIED:
                server.execute(f"DROP TABLE IF EXISTS {_STASH}{table}")
                server.execute(
                    f"CREATE TABLE {_STASH}{table} AS SELECT * FROM {table} t"
                    f" WHERE {_WRITTEN_BY_BATCH.get(table, 'true')}"
                )
                server.execute(f"GRANT SELECT ON {_STASH}{table} TO tms_app")


_WRITTEN_BY_BATCH = {
    "treasury_statement": "statement_ref NOT LIKE 'morning-%'",
    "treasury_statementbalance": "code <> 'ITBD'",
    "treasury_expectedflow": "source = 'SWEEP'",
}


def _report(bench: _Bench, *, repeats: int) -> Report:
    contestants = [
        Contestant(name=name, role=role, work=work, units={"events/s": 1})
        for name, role, work in (
            (BATCHED, "ours", bench.batched),
            (SINGLE, "part", bench.single),
            (REFERENCE, "peer", bench.reference),
            (BARE, "limit", bench.bare),
        )
    ]
    seconds: dict[str, list[float]] = {one.name: [] for one in contestants}
    for _ in range(repeats):
        for one in contestants:
            seconds[one.name].append(one.work())
    middle = {name: statistics.median(found) for name, found in seconds.items()}
    share = middle[BARE] / middle[BATCHED]
    return Report(
        name="sweeping",
        what=f"balance events with a decision and an order each, {bench.batch} accounts",
        clock="processor (client and server)",
        repeats=repeats,
        rows=rows(contestants, seconds),
        notes=(
            *(
                f"{name}: {middle[REFERENCE] / middle[name]:.1f} × the services"
                f" (goal: {goal:.0f}, {_met(middle[REFERENCE] / middle[name], goal)})"
                for name, goal in _GOALS
            ),
            (
                f"{BATCHED}: {share:.0%} of the limit's rate"
                f" (goal: {_LIMIT_GOAL:.0%}, {_met(share, _LIMIT_GOAL)})"
            ),
        ),
    )


def _met(found: float, goal: float) -> str:
    return "met" if found >= goal else "NOT MET"
