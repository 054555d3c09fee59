"""Two deals of one net at the same instant: whoever moves them takes turns, and nobody is put out.

The negative control shows the race: with the deals alone locked, as they were once, one of two
that undo their net is thrown out as a deadlock.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction

from core import clock, policies
from core.tenancy import bound
from fx.models import DayFixing, Deal, NdfFixing, SettlementNet
from fx.policies import FX_NETTING_LEAD_MINUTES
from fx.services import dealing, failing, instructing, netting
from tests.fx.settling import Settling, build_committed
from tests.fx.test_closing import ndf
from tests.fx.test_deals_guards import sql

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
RACES = 3


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
