"""A process killed after any statement or commit of a sweep loses and doubles nothing."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from core import clock
from core.identity.services import create_tenant
from core.tenancy import Tenant, bound
from tests import emptying
from tests.chaos.crashing import in_a_process, points
from tests.conftest import make_user
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import (
    QUARTER_PAST,
    Sweeping,
    build_sweeping,
    make_mandate,
    read_risk,
)
from treasury.engine.sweep_records import facts_digest
from treasury.engine.sweeps import decide
from treasury.models import BankAccount, SweepDecision
from treasury.selectors import sweeps as reads
from treasury.services import static, sweeps
from treasury.services.sweeps import deciding, ordering

pytestmark = pytest.mark.chaos
LIMIT: Final = int(os.environ.get("TMS_CHAOS_POINTS", "16"))  # 0: every step
WHOLE: Final = {"decisions": 1, "orders": 1, "signed": 1, "intents": 1, "reserved": 1}
_PICTURE: Final = {
    "decisions": "SELECT count(*) FROM treasury_sweepdecision WHERE account_id = %(account)s",
    "orders": "SELECT count(*) FROM treasury_sweeporder WHERE account_id = %(account)s",
    "signed": "SELECT count(*) FROM treasury_sweeporder WHERE account_id = %(account)s"
    " AND jws <> '' AND state = 'NEW' AND release = 'MANDATE'",
    "intents": "SELECT count(*) FROM core_outboxevent e JOIN treasury_sweeporder o"
    " ON e.aggregate = 'sweep:' || o.order_id"
    " WHERE e.topic = 'sweep_intent' AND o.account_id = %(account)s",
    "reserved": "SELECT count(*) FROM treasury_expectedflow WHERE account_id = %(account)s"
    " AND source = 'SWEEP' AND state = 'EXPECTED'",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A committed house; every attempt sweeps an account of its own."""

    tenant: UUID
    sweeping: Sweeping

    def account(self, number: int) -> BankAccount:
        """Open an account with an excess, a mandate and a value at risk."""
        with clock.frozen(QUARTER_PAST), bound(self.tenant, actor="system:chaos"):
            like = self.sweeping.account
            made = static.open_account(
                account=static.AccountIn(
                    entity=like.entity,
                    bank=like.bank,
                    label=f"Sweep {number}",
                    currency="USD",
                    number=f"77000{number:05d}",
                    clearing_code="021000021",
                    timezone=like.timezone,
                )
            )
            put_balance(made, "1000000.00")
            read_risk(made)
            make_mandate(made, order_max=Decimal(2_000_000))
        return made

    def sweep(self, account: BankAccount) -> None:
        """Decide, sign and hand out, as the workers do."""
        with clock.frozen(QUARTER_PAST + timedelta(seconds=1)):
            with bound(self.tenant, actor="system:chaos"):
                window = reads.next_window(now=clock.now())
                sweeps.decide_account(account=account, window=window)
            sweeps.sign_due(tenant=self.tenant)

    def sweep_carelessly(self, account: BankAccount) -> None:
        """The mistake that must be noticed: the decision commits before its order."""
        with clock.frozen(QUARTER_PAST + timedelta(seconds=1)):
            with bound(self.tenant, actor="system:chaos"):
                window = reads.next_window(now=clock.now())
                inputs = reads.inputs_for(account=account, window=window, now=clock.now())
                if SweepDecision.objects.filter(account=account).exists():
                    return
                outcome, facts = decide(inputs), facts_digest(inputs)
                kept = deciding._keep(account, inputs, outcome, facts=facts, sequence=1)
            with bound(self.tenant, actor="system:chaos"):
                ordering.make_order(decision=kept, inputs=inputs, outcome=outcome)
            sweeps.sign_due(tenant=self.tenant)

    def picture(self, account: BankAccount) -> dict[str, int]:
        """Return how much there is of everything about an account."""
        with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
            owner.execute("SELECT set_config('app.tenant', %s, false)", [str(self.tenant)])
            found: dict[str, Any] = {
                name: owner.execute(query, {"account": account.pk}).fetchone()
                for name, query in _PICTURE.items()
            }
        return {name: int(row[0]) for name, row in found.items()}


@pytest.fixture
def stage(
    django_db_setup: None, django_db_blocker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    monkeypatch.setattr(settings, "TMS_SIGNING_DIR", str(tmp_path / "signing"))
    with django_db_blocker.unblock():
        try:
            tenant = create_tenant(slug="north", name="North Remit").id
            with clock.frozen(QUARTER_PAST), bound(tenant, actor="system:chaos"):
                for name in ("anna", "bert"):
                    make_user(name, "treasury_checker")
                built = build_sweeping(Tenant.objects.get(pk=tenant), tmp_path)
            yield Stage(tenant, built)
        finally:
            connections.close_all()
            emptying.empty()


def test_killed_after_any_step_a_sweep_ends_the_same(stage: Stage) -> None:
    first = stage.account(0)
    whole = in_a_process(lambda: stage.sweep(first))
    assert stage.picture(first) == WHOLE
    otherwise = {}
    for number, step in enumerate(points(whole.steps, limit=LIMIT), start=1):
        account = stage.account(number)
        killed = in_a_process(lambda mine=account: stage.sweep(mine), die_after=step)
        assert killed.was_killed or step == whole.steps
        in_a_process(lambda mine=account: stage.sweep(mine))
        if (seen := stage.picture(account)) != WHOLE:
            otherwise[step] = seen
    assert otherwise == {}
    assert whole.steps > 30


def test_a_careless_sweep_would_be_noticed(stage: Stage) -> None:
    """The negative control: some step of it loses the order for good."""
    whole = in_a_process(lambda: stage.sweep_carelessly(stage.account(0)))
    lost = 0
    for number, step in enumerate(points(whole.steps, limit=max(LIMIT, 16)), start=1):
        account = stage.account(number)
        in_a_process(lambda mine=account: stage.sweep_carelessly(mine), die_after=step)
        in_a_process(lambda mine=account: stage.sweep_carelessly(mine))
        lost += stage.picture(account)["orders"] == 0
    assert lost > 0
