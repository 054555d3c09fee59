"""P1, step by step: killed after any statement or commit of a money flow, the end is the same."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from core import clock
from core.audit import chain
from core.identity.services import create_tenant
from tests import emptying
from tests.chaos.crashing import Run, in_a_process, points
from tests.chaos.live import PROJECT
from tests.chaos.passages import Case, Passage, World, build_world, picture, share_files

pytestmark = pytest.mark.chaos

LIMIT: Final = int(os.environ.get("TMS_CHAOS_POINTS", "16"))  # 0: every step
SECRET: Final = "a secret that only this bank and this test share"
RUPEE_ZONE: Final = ZoneInfo("Asia/Kolkata")
BOOK: Final = ("near", "home")  # one bank, over the folder door
RTGS: Final = ("far", "home")  # out over the HTTP door, its credit seen through the folder


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A sandbox bank a thousand times faster than a real one."""
    home = tmp_path_factory.mktemp("bank")
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "integrations.sandbox_bank", "serve", "--port", "0"),
            *("--home", str(home), "--secret-env", "BANK_SECRET"),
            *("--pace", "0.001", "--interim-minutes", "0", "--follow-parent"),
        ],
        cwd=PROJECT,
        env={**os.environ, "BANK_SECRET": SECRET},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["listening"], home
        process.terminate()


@dataclass(slots=True)
class Stage:
    """The world, and a clock that only runs forward."""

    world: World
    now: datetime

    def run(self, action: Callable[[], Any], *, die_after: int | None = None) -> Run:
        self.now += timedelta(seconds=1)
        with clock.frozen(self.now):
            return in_a_process(action, die_after=die_after)

    def case(self, why: str, route: tuple[str, str]) -> Case:
        return Case(world=self.world, why=why, route=route)

    def settle(self, case: Case) -> int:
        """Let the system finish a case; return how often a person had to try again."""
        ending = self.run(case.until_settled).result
        self.now += timedelta(seconds=ending["seconds"])
        return int(ending["retries"])


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: Any, bank: tuple[str, Path]) -> Iterator[Stage]:
    """A committed world on the first hour of the bank's own day; emptied afterwards."""
    url, home = bank
    local = datetime.now(RUPEE_ZONE)  # noqa: TID251 - the bank's clock is the machine's
    at = local.replace(hour=0, minute=30, second=0, microsecond=0).astimezone(UTC)
    with django_db_blocker.unblock():
        try:
            tenant = create_tenant(slug="north", name="North Remit").id
            world = build_world(tenant=tenant, bank_home=home, bank_url=url, secret=SECRET, at=at)
            yield Stage(world=world, now=at)
        finally:
            connections.close_all()
            emptying.empty()


@dataclass(frozen=True, slots=True)
class Flow:
    """A passage to be killed in, what leads up to it, and whether the case then runs on."""

    name: str
    passage: Passage
    before: tuple[Passage, ...]
    route: tuple[str, str] = BOOK
    runs_on: bool = False


_READY: Final = (Case.submit, Case.decide, Case.execute)
_SPOKEN: Final = (*_READY, Case.dispatch, Case.bank_has_spoken)
FLOWS: Final = (
    Flow("submit", Case.submit, ()),
    Flow("decision and release", Case.decide, (Case.submit,)),
    Flow("execute and queue", Case.execute, (Case.submit, Case.decide), runs_on=True),
    Flow("dispatch over the folder", Case.dispatch, _READY, runs_on=True),
    Flow("dispatch over HTTP", Case.dispatch, _READY, route=RTGS, runs_on=True),
    Flow("status and settlement, folder", Case.collect, _SPOKEN, runs_on=True),
    Flow("status and settlement, HTTP", Case.collect, _SPOKEN, route=RTGS, runs_on=True),
)


@dataclass(slots=True)
class Findings:
    """What an enumeration found: how many points, which ended differently, who had to help."""

    steps: int = 0
    points: list[int] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    retries: int = 0


def enumerate_crashes(stage: Stage, flow: Flow, *, limit: int) -> Findings:
    """Play the flow undisturbed, then once per point with a kill and the system's own retry."""
    found = Findings()
    undisturbed = stage.case(f"{flow.name} undisturbed", flow.route)
    found.steps, expected = _play(stage, flow, undisturbed, found, die_after=None)
    found.points = points(found.steps, limit=limit)
    for point in found.points:
        case = stage.case(f"{flow.name} {point}", flow.route)
        _, ended = _play(stage, flow, case, found, die_after=point)
        found.differences += _compare(case.why, expected, ended)
    return found


def _play(
    stage: Stage, flow: Flow, case: Case, found: Findings, *, die_after: int | None
) -> tuple[int, dict[str, list[Any]]]:
    for step in flow.before:
        stage.run(lambda step=step: step(case))
    run = stage.run(lambda: flow.passage(case), die_after=die_after)
    if run.was_killed and not flow.runs_on:
        stage.run(lambda: flow.passage(case))
    if flow.runs_on:
        if run.was_killed and flow.passage is Case.execute:
            stage.run(lambda: flow.passage(case))
        found.retries += stage.settle(case)
    return run.steps, picture(stage.world, case.why)


def _compare(
    why: str, expected: dict[str, Sequence[Any]], ended: dict[str, Sequence[Any]]
) -> list[str]:
    return [
        f"{why}: {name} is {ended[name]}, expected {expected[name]}"
        for name in expected
        if ended[name] != expected[name]
    ]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_killed_anywhere_the_end_is_the_same(
    stage: Stage, flow: Flow, record_property: Callable[[str, object], None]
) -> None:
    found = enumerate_crashes(stage, flow, limit=LIMIT)

    facts = {"steps": found.steps, "points": len(found.points), "retried": found.retries}
    record_property("enumeration", facts)
    sys.__stdout__.write(f"\nenumeration {flow.name}: {json.dumps(facts)}\n")
    assert found.differences == []
    if flow.runs_on:
        executed = stage.world.ask_bank("GET", "/book/executed")["executed"]
        assert set(executed.values()) == {1}


def _two_in_a_file(stage: Stage, name: str, *, die_after: int | None) -> tuple[int, list[Any], int]:
    """Hand over two payments that share a file; return steps, how both ended, and retries."""
    cases = [stage.case(f"{name} {one}", RTGS) for one in ("first", "second")]
    for case in cases:
        for step in _READY:
            stage.run(lambda step=step, case=case: step(case))
    run = stage.run(cases[0].dispatch, die_after=die_after)
    retries = sum(stage.settle(case) for case in cases)
    return run.steps, [picture(stage.world, case.why) for case in cases], retries


def test_a_file_of_two_killed_anywhere_ends_the_same_for_both(stage: Stage) -> None:
    stage.run(lambda: share_files(stage.world, at_most=2))
    steps, expected, _ = _two_in_a_file(stage, "file undisturbed", die_after=None)
    carried = "SELECT count(*) FROM integrations_message WHERE orders_count = 2"
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant', %s, false)", [str(stage.world.tenant)])
        assert owner.execute(carried).fetchone() == (1,)
    differences, retried = [], 0
    chosen = points(steps, limit=LIMIT)
    for point in chosen:
        _, ended, retries = _two_in_a_file(stage, f"file {point}", die_after=point)
        retried += retries
        for before, after in zip(expected, ended, strict=True):
            differences += _compare(f"file {point}", before, after)
    stage.run(lambda: share_files(stage.world, at_most=1))
    facts = {"steps": steps, "points": len(chosen), "retried": retried}
    sys.__stdout__.write(f"\nenumeration a file of two: {json.dumps(facts)}\n")
    assert differences == []
    executed = stage.world.ask_bank("GET", "/book/executed")["executed"]
    assert set(executed.values()) == {1}


def test_the_audit_chain_survives_a_sealer_killed_anywhere(stage: Stage) -> None:
    tenant = stage.world.tenant

    def seal() -> int:
        return chain.seal(tenant=tenant)

    stage.run(lambda: stage.case("seal undisturbed", BOOK).submit())
    steps = stage.run(seal).steps
    for point in points(steps, limit=0):
        stage.run(stage.case(f"seal {point}", BOOK).submit)
        stage.run(seal, die_after=point)
    stage.run(seal)
    verdict = stage.run(lambda: [fault.code for fault in chain.verify(tenant=tenant).faults])
    assert verdict.result == []


def test_negative_control_an_effect_before_its_key_is_doubled(stage: Stage) -> None:
    careless = Flow("careless", Case.submit_carelessly, ())
    found = enumerate_crashes(stage, careless, limit=0)
    doubled = [one for one in found.differences if ": proposals is" in one]
    assert doubled
    assert len(doubled) < len(found.points)
