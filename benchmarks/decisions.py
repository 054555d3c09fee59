"""What the guards cost: decisions committed with everything that protects them, and without.

Ours: `approvals.services.decide` as the API calls it, the only approval a request needs: lock,
checks, decision, transition, release of the transfer, events, committed, with every trigger of the
database awake (guards, content hash, audit) and the second factor checked.
Peer: the same call on the same database with all triggers asleep: nothing is guarded, nothing is
audited. The requests were made beforehand, by the guarded system.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from approvals import selectors as requests
from approvals import services as approvals
from benchmarks import database, house
from benchmarks.measure import Contestant, Report, percentile, rows
from benchmarks.movement import Scene, propose, set_scene
from core import clock
from core.tenancy import bound
from treasury.services import proposals

GUARDED, BARE = "guarded and audited", "all triggers asleep"
_BATCH = 20
_COST_GOAL = 2.0
_AMOUNT = Decimal("250000.00")
_TABLES = """
    SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE NOT t.tgisinternal ORDER BY 1
"""


def run(*, quick: bool) -> Iterator[Report]:
    """Yield one report."""
    batches = 2 if quick else 15
    spent: dict[str, list[float]] = {GUARDED: [], BARE: []}
    waited: dict[str, list[float]] = {GUARDED: [], BARE: []}
    with tempfile.TemporaryDirectory() as folder, clock.frozen(house.NOW):
        scene = set_scene(Path(folder))
        _decide_all(scene, _requests(scene))
        for _ in range(batches):
            ready = _requests(scene)
            _measure(scene, ready, spent[GUARDED], waited[GUARDED])
            ready = _requests(scene)
            with _asleep():
                _measure(scene, ready, spent[BARE], waited[BARE])
    cost = sum(spent[GUARDED]) / sum(spent[BARE])
    goal = f"goal: at most {_COST_GOAL:.0f}, {'met' if cost <= _COST_GOAL else 'NOT MET'}"
    yield Report(
        name="decisions",
        what=f"{batches * _BATCH} decisions each, every one the last that its request needs",
        clock="processor (client and server)",
        repeats=batches * _BATCH,
        rows=rows(
            [
                Contestant(name=name, role=role, work=float, units={"decisions/s": 1})
                for name, role in ((GUARDED, "ours"), (BARE, "peer"))
            ],
            spent,
        ),
        notes=(
            f"guards and audit cost {cost:.2f} × ({goal})",
            *(
                f"wall time, {name}: {len(times) / sum(times):.1f} per second,"
                f" p95 {percentile(times, 0.95) * 1000:.0f} ms"
                for name, times in waited.items()
            ),
        ),
    )


def _requests(scene: Scene) -> list[UUID]:
    """Return proposals that wait for one decision each."""
    return [propose(scene, _AMOUNT) for _ in range(_BATCH)]


def _measure(scene: Scene, ready: Sequence[UUID], spent: list[float], waited: list[float]) -> None:
    busy = database.busy_clock()
    for proposal_id in ready:
        evidence = _evidence(scene, proposal_id)
        start, began = busy(), time.perf_counter()
        _decide(scene, proposal_id, evidence)
        waited.append(time.perf_counter() - began)
        spent.append(busy() - start)


def _decide_all(scene: Scene, ready: Sequence[UUID]) -> None:
    for proposal_id in ready:
        _decide(scene, proposal_id, _evidence(scene, proposal_id))


def _evidence(scene: Scene, proposal_id: UUID) -> approvals.Evidence:
    """Let the checker show the second factor; the proof commits before the decision."""
    checker = scene.built.checkers[0]
    with bound(scene.built.tenant, actor=checker.pk):
        request = requests.request_of(subject_type=proposals.SUBJECT, subject_id=proposal_id)
        assert request is not None
        proof = database.stepped_up(checker.pk, request.content_hash)
    return approvals.Evidence(auth_method="totp", auth_at=clock.now(), ip=None, step_up=proof)


def _decide(scene: Scene, proposal_id: UUID, evidence: approvals.Evidence) -> None:
    checker = scene.built.checkers[0]
    with bound(scene.built.tenant, actor=checker.pk):
        request = requests.request_of(subject_type=proposals.SUBJECT, subject_id=proposal_id)
        assert request is not None
        result = approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=evidence,
        )
        assert result.is_final


@contextmanager
def _asleep() -> Iterator[None]:
    """Put every trigger of ours to sleep for the block; foreign keys and checks stay awake."""
    with database.administrator() as server:
        tables = [name for (name,) in server.execute(_TABLES).fetchall()]
        for table in tables:
            server.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
        try:
            yield
        finally:
            for table in tables:
                server.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')
