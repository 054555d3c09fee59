"""Two deals of one net at the same instant: whoever moves them takes turns, and nobody is put out.

The negative control shows the race: with the deals alone locked, as they were once, one of two
that undo their net is thrown out as a deadlock.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction

from core import clock, policies
from core.tenancy import bound
from fx.errors import CorrectionRefused
from fx.models import Counterparty, DayFixing, Deal, NdfFixing, SettlementNet
from fx.policies import FX_NETTING_LEAD_MINUTES
from fx.services import correcting, dealing, failing, fixing, instructing, netting
from tests.conftest import make_user
from tests.fx.dealing import AT_HOME, give_instruction
from tests.fx.settling import Settling, build_committed
from tests.fx.test_closing import ndf, on_its_fixing_day
from tests.fx.test_deals_guards import sql

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
RACES = 3
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"


@pytest.fixture
def pair(committed_tenant: UUID, tmp_path: Path) -> tuple[Settling, list[UUID]]:
    """A desk, and two deals that two nets tie together."""
    with clock.frozen(NOW), bound(committed_tenant, actor="system:test"):
        settles = build_committed(committed_tenant, tmp_path)
        policies.write_version(
            policy=FX_NETTING_LEAD_MINUTES, value="1440", actor=None, reason="a test"
        )
        netting.sign_agreement(
            party=settles.desk.bank,
            wish=netting.AgreementIn(
                reference="ISDA 2002",
                signed_on=datetime(2026, 1, 2, tzinfo=UTC).date(),
                starts_on=datetime(2026, 2, 2, tzinfo=UTC).date(),
            ),
        )
        two = [settles.confirmed().pk, settles.confirmed(side="BUY", dealt="400000.00 USD").pk]
        instructing.instruct_nets(now=clock.now())
        assert SettlementNet.objects.count() == 2
    return settles, two


def race(tenant: UUID, deals: list[UUID], run: Callable[[UUID, threading.Barrier], None]) -> int:
    """Let both deals be moved at once, taken back afterwards; return how many were thrown out."""
    start = threading.Barrier(len(deals))

    def one(deal_id: UUID) -> bool:
        try:
            with clock.frozen(NOW), bound(tenant, actor="system:test"), transaction.atomic():
                run(deal_id, start)
                transaction.set_rollback(True)
        except OperationalError:
            return True
        finally:
            connection.close()
        return False

    with ThreadPoolExecutor(len(deals)) as workers:
        return sum(workers.map(one, deals))


def test_two_deals_of_a_net_fall_one_after_the_other(
    pair: tuple[Settling, list[UUID]],
) -> None:
    settles, two = pair
    tenant, person = settles.desk.tenant.id, settles.desk.back_office

    def as_it_was(deal_id: UUID, start: threading.Barrier) -> None:
        held = Deal.objects.select_for_update().get(pk=deal_id)
        start.wait(timeout=20)
        failing.leave_nets(held, reason="a race", if_it_left=True)

    def as_it_is(deal_id: UUID, start: threading.Barrier) -> None:
        start.wait(timeout=20)
        dealing.fail_deal(deal_id=deal_id, reason="a race", actor=person)

    assert race(tenant, two, as_it_was) == 1
    assert [race(tenant, two, as_it_is) for _ in range(RACES)] == [0] * RACES


FIX = (
    "INSERT INTO fx_ndffixing (id, tenant_id, deal_id, rate, fixed_on, said_by, entered_by_id,"
    " entered_at) SELECT gen_random_uuid(), tenant_id, id, %s, fixing_date, 'x', %s,"
    " fixing_date + interval '12 hours' FROM fx_deal WHERE id = %s"
)


def test_two_fixings_of_a_day_at_one_instant_do_not_differ(
    pair: tuple[Settling, list[UUID]],
) -> None:
    """Below every service; that they would differ without the guard is shown in test_fixings."""
    settles, _ = pair
    tenant, person = settles.desk.tenant.id, settles.desk.back_office.pk
    with clock.frozen(NOW), bound(tenant, actor="system:test"):
        deals = [ndf(settles).pk, ndf(settles, side="SELL").pk]
    start = threading.Barrier(len(deals))

    def fix(number: int) -> str:
        try:
            with bound(tenant, actor="system:test"):
                start.wait(timeout=20)
                sql(FIX, 86 + number / 100, person, deals[number])
        except DatabaseError as refusal:
            return str(refusal).splitlines()[0]
        finally:
            connection.close()
        return "fixed"

    with ThreadPoolExecutor(len(deals)) as workers:
        found = sorted(workers.map(fix, range(len(deals))))
    assert found == ["fixed", "one fixing holds for all deals of a pair and day"]
    with bound(tenant, actor="system:test"):
        assert NdfFixing.objects.count() == DayFixing.objects.count() == 1


def backend() -> int:
    """Return the number of this connection's process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [number] = cursor.fetchone() or (0,)
    return int(number)


def test_a_deal_fixed_beside_a_correction_does_not_keep_what_it_replaces(
    committed_tenant: UUID, tmp_path: Path
) -> None:
    """Of another counterparty: the fixing in force alone makes them take turns."""
    with clock.frozen(NOW), bound(committed_tenant, actor="system:test"):
        settles = build_committed(committed_tenant, tmp_path)
        desk = settles.desk
        other = Counterparty.objects.create(
            code="BANK2", name="Second Bank", bic="SECDGB2LXXX", tenor_days_max=370
        )
        clerks = make_user("clerk-3", "static_data"), make_user("clerk-4", "static_data")
        for n, currency in enumerate(("USD", "INR")):
            give_instruction(other, currency, f"60200000{n:02d}", *clerks, at=AT_HOME[currency][2:])
        first = ndf(settles)
        late = settles.confirm(
            desk.executed(kind="NDF", tenor="1M", rate="85.0000", counterparty=other.pk)
        )
        second = make_user("back-two", "back_office")
    at = on_its_fixing_day(first)
    by: dict[str, Any] = {"rate": Decimal(86), "said_by": "FBIL", "actor": desk.back_office}
    with clock.frozen(at), bound(committed_tenant, actor="system:test"):
        fixing.fix_deal(deal_id=first.pk, **by)
        made = correcting.propose_correction(
            fixing_id=DayFixing.objects.get().pk, reason="x", **by | {"rate": Decimal("86.1")}
        )

    def accept() -> str:
        try:
            with clock.frozen(at), bound(committed_tenant, actor="system:test"):
                correcting.accept_correction(fixing_id=made.pk, actor=second)
        except CorrectionRefused as refusal:
            return refusal.message
        finally:
            connection.close()
        return "accepted"

    with ThreadPoolExecutor(1) as worker:
        with clock.frozen(at), bound(committed_tenant, actor="system:test"), transaction.atomic():
            fixing.fix_deal(deal_id=late.pk, **by)
            found = worker.submit(accept)
            with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as watch:
                while not found.done():
                    if watch.execute(WAITING, [backend()]).fetchone() != (0,):
                        break
        assert "fixed just now" in found.result(timeout=20)
    assert accept() == "accepted"
    with bound(committed_tenant, actor="system:test"):
        assert {one.rate for one in NdfFixing.objects.all()} == {Decimal("86.1")}
