"""A process killed after any step of a sweep that our own bank pays loses and doubles nothing."""

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
from core.events.drain import drain
from core.identity.services import create_tenant
from core.tenancy import Tenant, bound
from integrations import services as lines
from tests import emptying
from tests.chaos.crashing import in_a_process, points
from tests.chaos.test_sweeps import Stage as Sweeps
from tests.conftest import make_user
from tests.treasury.movement.conftest import age, put_on_the_list
from tests.treasury.sweeps.conftest import QUARTER_PAST, build_sweeping, set_policy
from tests.treasury.sweeps.paying import FUND
from treasury.models import BankAccount, Beneficiary, Proposal, SweepOrder
from treasury.policies import OUTFLOW_24H_BENEFICIARY_USD_MAX
from treasury.services import sweeps, transfers
from treasury.services.sweeps import paying, sending

pytestmark = pytest.mark.chaos
LIMIT: Final = int(os.environ.get("TMS_CHAOS_POINTS", "16"))  # 0: every step
# The last round comes after the window: what a dead sender held is asked about then.
ROUNDS: Final = (3, 8, 13, 30)
WHOLE: Final = {
    "orders": 1, "sent": 1, "payments": 1, "transfers": 1, "messages": 1, "files": 1,
    "intents": 0, "reserved": 1,
}  # fmt: skip
# The sender was killed with the payment in its hand, before any file of it was written: nobody
# knows that until the bank says so. Then order and payment have failed, and nothing is reserved.
NEVER_LEFT: Final = WHOLE | {"sent": 0, "payments": 0, "files": 0, "reserved": 0}
_PICTURE: Final = {
    "orders": "SELECT count(*) FROM treasury_sweeporder WHERE account_id = %(account)s",
    "sent": "SELECT count(*) FROM treasury_sweeporder WHERE account_id = %(account)s"
    " AND state = 'SENT'",
    "payments": "SELECT count(*) FROM treasury_proposal WHERE debit_account_id = %(account)s"
    " AND state = 'SENT'",
    "transfers": "SELECT count(*) FROM treasury_transfer t JOIN treasury_proposal p"
    " ON p.id = t.proposal_id WHERE p.debit_account_id = %(account)s",
    "messages": "SELECT count(*) FROM integrations_message m JOIN treasury_proposal p"
    " ON p.reference = m.reference WHERE p.debit_account_id = %(account)s",
    "intents": "SELECT count(*) FROM core_outboxevent WHERE topic = 'sweep_intent'",
    "reserved": "SELECT count(*) FROM treasury_expectedflow WHERE account_id = %(account)s"
    " AND source IN ('SWEEP', 'TRANSFER') AND state = 'EXPECTED'",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A committed house whose bills go over a folder; every attempt has an account of its own."""

    tenant: UUID
    sweeps: Sweeps
    fund: Beneficiary
    files: Path

    def account(self, number: int) -> BankAccount:
        """Open an account with an excess, a mandate, and a line to the fund."""
        made = self.sweeps.account(number)
        with clock.frozen(QUARTER_PAST), bound(self.tenant, actor="system:chaos"):
            sweeps.add_line(
                line=sweeps.LineIn(
                    name=f"Line {number}",
                    account_id=made.pk,
                    product="TBILL_4W",
                    beneficiary=self.fund.pk,
                )
            )
        return made

    def sweep(self, account: BankAccount) -> None:
        """Decide, sign, pay, queue, hand over and follow, as the workers do."""
        self.sweeps.sweep(account)
        for minutes in ROUNDS:
            with clock.frozen(QUARTER_PAST + timedelta(minutes=minutes)):
                transfers.execute_due(tenant=self.tenant)
                lines.dispatch_due(tenant=self.tenant)
                lines.enquire_unknown(tenant=self.tenant)
                drain(tenant=self.tenant)
                with bound(self.tenant, actor="system:chaos"):
                    sweeps.follow_payments(now=clock.now())

    def sweep_carelessly(self, account: BankAccount) -> None:
        """The mistake that must be noticed: the signature commits before the payment is made."""
        original, sending.pay_order = sending.pay_order, lambda **_order: None
        try:
            self.sweeps.sweep(account)
        finally:
            sending.pay_order = original
        with clock.frozen(QUARTER_PAST + timedelta(minutes=4)):
            with bound(self.tenant, actor="system:chaos"):
                found = SweepOrder.objects.filter(account=account, jws__gt="", attempts=1).first()
                if found is None or Proposal.objects.filter(reference=found.order_id).exists():
                    return
                found.attempts = 2
                found.save(update_fields=["attempts"])
            with bound(self.tenant, actor="system:chaos"):
                paying.pay_order(order=found)

    def picture(self, account: BankAccount) -> dict[str, int]:
        """Return how much there is of everything about an account, and of files at the bank."""
        with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
            owner.execute("SELECT set_config('app.tenant', %s, false)", [str(self.tenant)])
            rows: dict[str, Any] = {
                name: owner.execute(query, {"account": account.pk}).fetchone()
                for name, query in _PICTURE.items()
            }
        number, tray = account.number.encode(), self.files / "outbound"
        files = [one for one in tray.rglob("*.xml") if number in one.read_bytes()]
        return {name: int(row[0]) for name, row in rows.items()} | {"files": len(files)}


@pytest.fixture
def stage(
    django_db_setup: None, django_db_blocker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    monkeypatch.setattr(settings, "TMS_SIGNING_DIR", str(tmp_path / "signing"))
    files = tmp_path / "files"
    with django_db_blocker.unblock():
        try:
            tenant = create_tenant(slug="north", name="North Remit").id
            with clock.frozen(QUARTER_PAST), bound(tenant, actor="system:chaos"):
                for name in ("anna", "bert"):
                    make_user(name, "treasury_checker")
                keeper = make_user("keeper", "static_data")
                built = build_sweeping(Tenant.objects.get(pk=tenant), files)
                fund = put_on_the_list(built.tenant, keeper, **FUND)
                # Every step that is tried pays the fund a million more.
                set_policy(OUTFLOW_24H_BENEFICIARY_USD_MAX, Decimal(0))
            with bound(tenant, actor="system:chaos"):
                age()
            yield Stage(tenant, Sweeps(tenant, built), fund, files)
        finally:
            connections.close_all()
            emptying.empty()


def test_killed_after_any_step_a_paid_sweep_ends_the_same(stage: Stage) -> None:
    # The first of all sweeps asks a few things that are asked once.
    first, second = stage.account(0), stage.account(1)
    in_a_process(lambda: stage.sweep(first))
    whole = in_a_process(lambda: stage.sweep(second))
    assert stage.picture(first) == stage.picture(second) == WHOLE
    otherwise, never_left = {}, []
    for number, step in enumerate(points(whole.steps, limit=LIMIT), start=2):
        account = stage.account(number)
        killed = in_a_process(lambda mine=account: stage.sweep(mine), die_after=step)
        assert killed.was_killed or step == whole.steps
        in_a_process(lambda mine=account: stage.sweep(mine))
        if (seen := stage.picture(account)) == NEVER_LEFT:
            never_left.append(step)
        elif seen != WHOLE:
            otherwise[step] = seen
    assert otherwise == {}
    assert len(never_left) <= 1
    assert whole.steps > 60


def test_a_payment_made_after_the_signature_would_be_noticed(stage: Stage) -> None:
    """The negative control: some step of it loses the payment for good."""
    whole = in_a_process(lambda: stage.sweep_carelessly(stage.account(0)))
    lost = 0
    for number, step in enumerate(points(whole.steps, limit=max(LIMIT, 16)), start=1):
        account = stage.account(number)
        in_a_process(lambda mine=account: stage.sweep_carelessly(mine), die_after=step)
        in_a_process(lambda mine=account: stage.sweep_carelessly(mine))
        lost += stage.picture(account)["transfers"] == 0
    assert lost > 0
