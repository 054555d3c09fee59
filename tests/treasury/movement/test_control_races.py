"""Several connections at the same instant: a limit has one winner, a stop stops what comes after.

The negative control takes away that payments of one maker are counted one after the other: then
two proposals that together pass the limit are both accepted.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from core import clock, policies
from core.identity.models import User
from core.tenancy import bound
from integrations import selectors as archive
from tests.approvals.test_races import Field
from tests.conftest import make_user
from tests.treasury.movement.conftest import TUESDAY, House, approve, build_house
from treasury import policies as knobs
from treasury.models import Freeze, Proposal, ProposalState, Transfer
from treasury.services import controls, freezing, proposals, transfers
from treasury.services.proposals import ProposalIn

RACES = int(os.environ.get("TMS_CONTROL_RACES", "3"))
AMOUNT = Decimal("2750000.00")  # rupees, about 32,000 dollars


@dataclass(frozen=True)
class Desk:
    """A committed house, its people, and a thread with its own connection for each of two."""

    tenant: UUID
    house: House
    maker: User
    checker: User
    field: Field

    def drafted(self) -> Proposal:
        """Return a new draft that is worth less than the limit, but more than half of it."""
        with bound(self.tenant, actor=self.maker.pk):
            draft = ProposalIn(
                debit_account=self.house.near.pk,
                credit_account=self.house.home.pk,
                amount=AMOUNT,
                why="Payouts of tomorrow",
            )
            return proposals.create_proposal(draft=draft, maker=self.maker)

    def submit(self, draft: Proposal) -> str:
        with bound(self.tenant, actor=self.maker.pk):
            proposals.submit_proposal(proposal_id=draft.pk, actor=self.maker)
        return "submitted"

    def withdraw(self, proposal: Proposal) -> None:
        with bound(self.tenant, actor=self.maker.pk):
            proposals.withdraw_proposal(
                proposal_id=proposal.pk, actor=self.maker, reason="Next round"
            )

    def limit(self, usd: int) -> None:
        with bound(self.tenant, actor="system:test"):
            knob = knobs.OUTFLOW_24H_MAKER_USD_MAX
            policies.change(policy=knob, value=usd, actor=None, reason="test")

    def approved(self) -> Proposal:
        """Return a proposal that may leave."""
        made = self.drafted()
        self.submit(made)
        with bound(self.tenant):
            made.refresh_from_db()
        approve(self.tenant, made, self.checker)
        return made

    def approve(self, proposal: Proposal, checker: User) -> str:
        approve(self.tenant, proposal, checker)
        return "approved"

    def execute(self, proposal: Proposal) -> str:
        with bound(self.tenant, actor="system:treasury.execute"):
            return "left" if transfers.execute(proposal_id=proposal.pk) else "waits"

    def stop(self) -> str:
        with bound(self.tenant, actor=self.checker.pk):
            freezing.stop_outflows(actor=self.checker, reason="A strange payment")
        return "stopped"

    def race_two(self, one: Callable[[], str], other: Callable[[], str]) -> list[str]:
        """Run two things at the same instant."""
        runs = dict(zip([person.pk for person in self.field.checkers], (one, other), strict=True))
        return self.field.race(lambda person: runs[person.pk]())


@pytest.fixture
def ticking(tmp_path: Path) -> Iterator[None]:
    """Let it be Tuesday morning for every thread, on a clock that goes on."""
    offset = (TUESDAY - clock.wall()) / timedelta(seconds=1)
    place = tmp_path / "clock.json"
    place.write_text(json.dumps({"offset_seconds": offset}), encoding="utf-8")
    clock.configure(place)
    yield
    clock.configure(None)


@pytest.fixture
def desk(ticking: None, committed_tenant: UUID, tmp_path: Path) -> Iterator[Desk]:
    with bound(committed_tenant, actor="system:test"):
        people = [make_user(name, "treasury_checker") for name in ("anna", "bert")]
        maker = make_user("maker", "treasury_maker")
        house = build_house(tmp_path)
    field = Field(committed_tenant, people)
    yield Desk(committed_tenant, house, maker, people[0], field)
    field.close()


def test_of_two_that_together_pass_the_limit_one_is_accepted(desk: Desk) -> None:
    desk.limit(40_000)
    for _ in range(RACES):
        one, two = desk.drafted(), desk.drafted()
        found = desk.race_two(partial(desk.submit, one), partial(desk.submit, two))
        assert sorted(found) == ["limit_exceeded", "submitted"]
        desk.withdraw([one, two][found.index("submitted")])


def test_negative_control_uncounted_both_are_accepted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.limit(40_000)
    one, two = desk.drafted(), desk.drafted()
    both_counted = threading.Barrier(2)
    require = controls.require_limits

    def counted_side_by_side(proposal: Proposal) -> None:
        require(proposal)
        both_counted.wait(timeout=20)

    monkeypatch.setattr(controls, "count_alone", lambda _proposal: None)
    monkeypatch.setattr(controls, "require_limits", counted_side_by_side)
    assert desk.race_two(lambda: desk.submit(one), lambda: desk.submit(two)) == ["submitted"] * 2


def test_of_two_that_pass_a_lowered_limit_one_becomes_a_transfer(desk: Desk) -> None:
    desk.limit(400_000)
    one, two = desk.drafted(), desk.drafted()
    for draft in (one, two):
        desk.submit(draft)
        with bound(desk.tenant):
            draft.refresh_from_db()
    desk.limit(40_000)
    anna, bert = desk.field.checkers
    found = desk.race_two(partial(desk.approve, one, anna), partial(desk.approve, two, bert))
    assert sorted(found) == ["approved", "limit_exceeded"]
    with bound(desk.tenant):
        assert Transfer.objects.filter(proposal__in=[one, two]).count() == 1


def test_what_leaves_while_somebody_stops_everything_left_before_the_stop(desk: Desk) -> None:
    desk.limit(0)
    leaving = [desk.approved() for _ in range(4)]
    found = desk.race_two(desk.stop, lambda: ",".join(desk.execute(one) for one in leaving))
    outcomes = found[1].split(",")
    assert found[0] == "stopped"
    assert outcomes == sorted(outcomes), "nothing leaves after something had to wait"
    assert [desk.execute(one) for one in leaving] == ["waits"] * 4
    with bound(desk.tenant):
        gone = [one for one in leaving if _state(one) == ProposalState.EXECUTING]
        references = [one.reference for one in gone]
        sent = archive.messages().outbound().filter(reference__in=references)
        assert sent.count() == len(gone)


def test_a_proposal_that_is_submitted_during_a_stop_waits_for_its_release(desk: Desk) -> None:
    draft = desk.drafted()
    assert desk.race_two(desk.stop, lambda: desk.submit(draft)) == ["stopped", "submitted"]
    with bound(desk.tenant):
        draft.refresh_from_db()
        assert Freeze.objects.count() == 1
    approve(desk.tenant, draft, desk.checker)
    assert desk.execute(draft) == "waits"


def _state(proposal: Proposal) -> str:
    return str(Proposal.objects.get(pk=proposal.pk).state)
