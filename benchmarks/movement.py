"""The round trip of a transfer: propose, submit, approve, hand to the bank's line; 200 of them.

Ours: services of treasury and approvals as the API calls them, one committed transaction per step:
create and submit, one decision per checker that the rules ask for, then the payment order queued
with its preflight. (Quick: 20.) The bank itself is not part of it.
Limit: as many rows as a round trip writes, in one INSERT and one transaction into a bare table.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

from approvals import selectors as requests
from approvals import services as approvals
from benchmarks import database, house
from benchmarks.measure import Contestant, Report, percentile, rows
from core import clock
from core.tenancy import bound
from treasury.models import (
    BankAccount,
    Proof,
    Proposal,
    ProposalState,
    Statement,
    StatementBalance,
    StatementSource,
    StatementState,
)
from treasury.services import proposals, rates, transfers

_SMALL, _LARGE = Decimal("250000.00"), Decimal("1000000000.00")
_TABLE = "bench_row"
_STEPS = ("propose", "decide", "execute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The house and the two accounts between which money moves."""

    built: house.House
    debit: BankAccount
    credit: BankAccount


def run(*, quick: bool) -> Iterator[Report]:
    """Yield a report for small amounts (one checker) and one for large ones (two)."""
    count = 20 if quick else 200
    with tempfile.TemporaryDirectory() as folder, clock.frozen(house.NOW):
        scene = set_scene(Path(folder))
        for amount, checkers in ((_SMALL, 1), (_LARGE, 2)):
            _round_trip(scene, amount, checkers)
            yield _race(scene, count, amount, checkers)


def set_scene(folder: Path) -> Scene:
    """Build a house with a rate, two rupee accounts and money on the first."""
    built = house.build(folder)
    with bound(built.tenant, actor=house.ACTOR):
        rates.record_usd_rate(
            currency="INR", usd_per_unit=Decimal("0.0117"), as_of=clock.now(), source="benchmark"
        )
        first = house.make_bank("SBNKINBBXXX", "First Bank")
        debit, credit = (
            house.open_account(built, first, number=number, currency="INR", code="SBNK0000001")
            for number in ("1000000001", "1000000002")
        )
        _put_balance(debit)
    return Scene(built=built, debit=debit, credit=credit)


def _put_balance(account: BankAccount) -> None:
    on, amount = clock.now().date(), Decimal(10) ** 14
    statement = Statement.objects.create(
        account=account,
        source=StatementSource.CAMT053,
        statement_ref="OPENING",
        message_id=uuid4(),
        content_sha256="0" * 64,
        statement_date=on,
        period_start=on,
        period_end=on,
        received_at=clock.now(),
        state=StatementState.POSTED,
        proof=Proof.PROVEN,
    )
    StatementBalance.objects.create(
        statement=statement,
        account=account,
        code="CLBD",
        amount=amount,
        on_date=on,
        as_of=clock.now() - timedelta(hours=1),
    )


def _race(scene: Scene, count: int, amount: Decimal, checkers: int) -> Report:
    written = database.rows_written()
    _round_trip(scene, amount, checkers)
    each = database.rows_written() - written
    trips: list[dict[str, float]] = []
    busy = database.busy_clock()
    spent: dict[str, list[float]] = {"round trip": [], f"INSERT of {each} rows": []}
    with database.administrator() as server:
        server.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        server.execute(f"CREATE TABLE {_TABLE} (id uuid PRIMARY KEY, tenant uuid, body text)")
        bare = database.busy_clock(server)
        for _ in range(count):
            start = busy()
            trips.append(_round_trip(scene, amount, checkers))
            spent["round trip"].append(busy() - start)
            start = bare()
            server.execute(
                f"INSERT INTO {_TABLE} SELECT gen_random_uuid(), %s, repeat('x', 200)"
                f" FROM generate_series(1, {each})",
                [scene.built.tenant],
            )
            spent[f"INSERT of {each} rows"].append(bare() - start)
    contestants = [
        Contestant(name=name, role=role, work=float, units={"per second": 1})
        for name, role in zip(spent, ("ours", "limit"), strict=True)
    ]
    return Report(
        name="movement",
        what=f"{count} round trips with {checkers} checker{'s' if checkers > 1 else ''}",
        clock="processor (client and server)",
        repeats=count,
        rows=rows(contestants, spent),
        notes=tuple(_latencies(trips)),
    )


def _latencies(trips: list[dict[str, float]]) -> Iterator[str]:
    """Say how long people wait, by the wall clock of this machine in this run."""
    whole = [sum(trip.values()) for trip in trips]
    yield (
        f"wall time: {1 / statistics.mean(whole):.1f} per second,"
        f" p50 {percentile(whole, 0.50) * 1000:.0f} ms, p95 {percentile(whole, 0.95) * 1000:.0f} ms"
    )
    for step in _STEPS:
        took = [trip[step] for trip in trips]
        yield (
            f"  {step}: p50 {percentile(took, 0.50) * 1000:.0f} ms,"
            f" p95 {percentile(took, 0.95) * 1000:.0f} ms"
        )


def _round_trip(scene: Scene, amount: Decimal, checkers: int) -> dict[str, float]:
    """Take one proposal from its maker to the bank's line; return the seconds of each step."""
    moments = [time.perf_counter()]
    proposal_id = propose(scene, amount)
    moments.append(time.perf_counter())
    for checker in scene.built.checkers[:checkers]:
        with bound(scene.built.tenant, actor=checker.pk):
            request = requests.request_of(subject_type=proposals.SUBJECT, subject_id=proposal_id)
            assert request is not None
            assert request.required_count == checkers
            approvals.decide(
                request_id=request.pk,
                checker=checker,
                outcome="APPROVE",
                content_hash=request.content_hash,
                version=request.subject_version,
                evidence=approvals.Evidence(
                    auth_method="totp",
                    auth_at=clock.now(),
                    ip=None,
                    step_up=database.stepped_up(checker.pk, request.content_hash),
                ),
            )
    moments.append(time.perf_counter())
    with bound(scene.built.tenant, actor=house.ACTOR):
        assert transfers.execute(proposal_id=proposal_id)
        assert Proposal.objects.get(pk=proposal_id).state == ProposalState.EXECUTING
    moments.append(time.perf_counter())
    return dict(zip(_STEPS, (b - a for a, b in pairwise(moments)), strict=True))


def propose(scene: Scene, amount: Decimal) -> UUID:
    """Create and submit a proposal; return its id."""
    maker = scene.built.maker
    with bound(scene.built.tenant, actor=maker.pk):
        draft = proposals.ProposalIn(
            debit_account=scene.debit.pk,
            credit_account=scene.credit.pk,
            amount=amount,
            why="Payouts of tomorrow",
        )
        made = proposals.create_proposal(draft=draft, maker=maker)
        return proposals.submit_proposal(proposal_id=made.pk, actor=maker).pk
