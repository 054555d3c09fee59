"""A process killed after any statement or commit of a settlement pays once, and settles once."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from core import clock
from core.events.drain import LEASE_SECONDS, drain
from core.identity.services import create_tenant
from core.tenancy import bound
from fx.models import Deal
from fx.proofs import CHECKS
from fx.services import dealing, instructing, settling
from integrations.models import Message
from integrations.services import dispatching
from tests import emptying
from tests.chaos.crashing import in_a_process, points
from tests.fx.settling import Settling, book, build_committed, leg, payment_of, price
from treasury.selectors.invariants import invariants
from treasury.services import proposals, transfers
from treasury.services.proposals import ProposalIn

pytestmark = pytest.mark.chaos
LIMIT: Final = int(os.environ.get("TMS_CHAOS_POINTS", "6"))  # 0: every step
MORNING: Final = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
_OF_DEAL: Final = {
    "deal": "SELECT state FROM fx_deal WHERE id = %(deal)s",
    "legs": "SELECT string_agg(direction || version || state, ' ' ORDER BY leg_no, version)"
    " FROM fx_dealleg WHERE deal_id = %(deal)s",
    "payments": "SELECT count(*) || min(state) FROM treasury_proposal"
    " WHERE reference LIKE %(name)s || '%%'",
    "transfers": "SELECT count(*) FROM treasury_transfer WHERE end_to_end_id LIKE %(name)s || '%%'",
    "orders": "SELECT count(*) FROM integrations_message WHERE reference LIKE %(name)s || '%%'",
    "flows": "SELECT string_agg(state, ' ' ORDER BY source_ref) FROM treasury_expectedflow"
    " WHERE source = 'DEAL' AND source_ref LIKE %(name)s || '%%'",
    "told settled": "SELECT count(*) FROM core_outboxevent WHERE topic = 'fx.deal.instruction'"
    " AND payload->>'deal_id' = %(deal)s::text AND payload->>'state' = 'SETTLED'",
    "results": "SELECT count(*) FROM fx_pnlentry WHERE deal_id = %(deal)s AND kind = 'REALISED'",
    "waiting": "SELECT count(*) FROM core_delivery WHERE state = 'WAITING'",
}
WHOLE: Final = {
    "deal": "SETTLED", "legs": "PAY1SETTLED RECEIVE1SETTLED", "payments": "1CONFIRMED",
    "transfers": 1, "orders": 1, "flows": "MATCHED MATCHED", "told settled": 1, "results": 1,
    "waiting": 0,
}  # fmt: skip


@dataclass(slots=True)
class Stage:
    """A committed desk; every attempt settles a deal of its own."""

    tenant: UUID
    settles: Settling
    now: datetime
    count: int = 0

    def run(self, action: Callable[[], Any], *, die_after: int | None = None) -> int:
        """Run an action in a process of its own, once the leases of the one before have ended."""
        self.now += timedelta(seconds=LEASE_SECONDS + 5)
        with clock.frozen(self.now):
            return in_a_process(action, die_after=die_after).steps

    def deal(self) -> Deal:
        """Return a confirmed deal of an amount that no other one has."""
        self.count += 1
        with clock.frozen(self.now), bound(self.tenant, actor="system:chaos"):
            price()
            desk = self.settles.desk
            made = desk.approved(tenor="CASH", dealt=f"{10_000 + self.count}.00 USD")
            made = dealing.execute_deal(
                deal_id=made.pk,
                rate=made.limit_rate,
                counterparty_reference=f"CP-{self.count}",
                actor=desk.dealer,
            )
            return self.settles.confirm(made)

    def work(self) -> None:
        """Do what the workers do, but for the call of the bank."""
        with bound(self.tenant, actor="system:chaos"):
            instructing.instruct_due(now=clock.now())
        transfers.execute_due(tenant=self.tenant)
        drain(tenant=self.tenant)
        with bound(self.tenant, actor="system:chaos"):
            settling.follow_open()
        drain(tenant=self.tenant)

    def approve(self, deal: Deal) -> None:
        with bound(self.tenant, actor="system:chaos"):
            self.settles.approve(deal)

    def hand_over(self, deal: Deal) -> None:
        """Let the bank have the payment, as the dispatcher says once its call returned."""
        with bound(self.tenant, actor="system:chaos"):
            held = Message.objects.get(reference=payment_of(deal).reference)
            dispatching._lease(held, until=clock.now() + timedelta(minutes=1))
            dispatching.become_sent(held, bank_reference="", facts={})
        with bound(self.tenant, actor="system:chaos"):
            transfers.mark_sent(reference=payment_of(deal).reference, bank_reference="")

    def book(self, deal: Deal) -> None:
        """Let both banks book what moves."""
        with bound(self.tenant, actor="system:chaos"):
            book(leg(deal, 1))
            book(leg(deal, 2), end_to_end_id=deal.counterparty_reference)

    def picture(self, deal: Deal) -> dict[str, Any]:
        """Return how much there is of everything about a deal."""
        facts = {"deal": deal.pk, "name": deal.reference}
        with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
            owner.execute("SELECT set_config('app.tenant', %s, false)", [str(self.tenant)])
            found = {
                name: owner.execute(query, facts).fetchone() for name, query in _OF_DEAL.items()
            }
        return {name: row[0] if row else None for name, row in found.items()}


@pytest.fixture
def stage(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[Stage]:
    with django_db_blocker.unblock():
        try:
            tenant = create_tenant(slug="north", name="North Remit").id
            with clock.frozen(MORNING), bound(tenant, actor="system:chaos"):
                settles = build_committed(tenant, tmp_path)
            yield Stage(tenant, settles, MORNING)
        finally:
            connections.close_all()
            emptying.empty()


# What is killed, in order: instructed, queued at its bank, with its bank, settled.
PASSAGES: Final = ("instruct", "queue", "sent", "settle")


def settle(
    stage: Stage, *, die_in: str = "", die_after: int | None = None
) -> tuple[Deal, dict[str, int]]:
    """Settle a deal; in one passage the workers die after a step, and others go on."""
    deal, steps = stage.deal(), {}
    between: dict[str, Callable[[], None]] = {
        "instruct": lambda: None,
        "queue": lambda: stage.approve(deal),
        "sent": lambda: stage.hand_over(deal),
        "settle": lambda: stage.book(deal),
    }
    for name in PASSAGES:
        stage.run(between[name])
        steps[name] = stage.run(stage.work, die_after=die_after if name == die_in else None)
        if name == die_in:
            stage.run(stage.work)
    return deal, steps


def test_killed_after_any_step_a_settlement_ends_the_same(stage: Stage) -> None:
    first, steps = settle(stage)
    assert stage.picture(first) == WHOLE
    otherwise = {}
    for name in PASSAGES:
        for point in points(steps[name], limit=LIMIT):
            deal, _ = settle(stage, die_in=name, die_after=point)
            if (seen := stage.picture(deal)) != WHOLE:
                otherwise[name, point] = seen
    assert otherwise == {}
    with bound(stage.tenant, actor="system:chaos"):
        assert not {one.code for one in invariants()} & {code for code, _, _ in CHECKS}
    assert min(steps.values()) > 10


def test_a_careless_instruction_would_be_noticed(stage: Stage) -> None:
    """The negative control: where the payment commits before its leg, some step loses the leg."""

    def carelessly(deal: Deal) -> None:
        with bound(stage.tenant, actor="system:chaos"):
            pay = leg(deal, 1)
            made = proposals.create_proposal(
                draft=ProposalIn(
                    debit_account=pay.account_id,
                    amount=pay.amount,
                    beneficiary=pay.instruction.beneficiary_id if pay.instruction else None,
                    purpose=instructing.PURPOSE,
                    rail=pay.rail,
                    value_date=pay.value_date,
                    why="carelessly",
                ),
                maker=None,
                maker_label=instructing.MAKER_LABEL,
                reference=pay.reference,
            )
        with bound(stage.tenant, actor="system:chaos"):
            pay = leg(deal, 1)
            pay.proposal = made
            pay.instruct(at=clock.now())
            pay.save()

    deal = stage.deal()
    steps = stage.run(lambda: carelessly(deal))
    lost = 0
    for point in range(steps - 7, steps):  # between the payment and its leg
        deal = stage.deal()
        stage.run(lambda mine=deal: carelessly(mine), die_after=point)
        stage.run(stage.work)
        with bound(stage.tenant, actor="system:chaos"):
            lost += leg(deal, 1).proposal is None
    assert lost > 0
