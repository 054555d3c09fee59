"""Several connections at the same instant: one run, one set of proposals, one place per account."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection

from core import clock
from core.tenancy import bound
from tests.conftest import make_user
from tests.treasury.movement.conftest import NEAR_YEARS, build_house
from tests.treasury.pools.conftest import MORNING, Pooled, build_pooled
from treasury.errors import PoolNotRun
from treasury.models import CashPool, CashPoolMember, PoolMove, PoolRun, Proposal
from treasury.services import pools

WORKERS = 4


@pytest.fixture
def committed(committed_tenant: UUID, tmp_path: Path) -> Pooled:
    with clock.frozen(MORNING), bound(committed_tenant, actor="system:test"):
        for name in ("anna", "bert"):
            make_user(name, "treasury_checker")
        return build_pooled(build_house(tmp_path, years=NEAR_YEARS))


def test_workers_at_one_instant_make_one_run(committed: Pooled) -> None:
    ready = threading.Barrier(WORKERS)

    def work(_number: int) -> tuple[UUID, bool]:
        try:
            with clock.frozen(MORNING + timedelta(seconds=1)):
                ready.wait()
                with bound(committed.tenant.id, actor="system:test"):
                    ran = pools.run_pool(pool_id=committed.pool.pk)
                return ran.run.pk, ran.is_new
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as workers:
        told = list(workers.map(work, range(WORKERS)))
    assert len({run for run, _ in told}) == 1
    assert sum(is_new for _, is_new in told) == 1
    with bound(committed.tenant.id, actor="system:test"):
        assert (PoolRun.objects.count(), PoolMove.objects.count()) == (1, 3)
        assert Proposal.objects.filter(purpose="POOL").count() == 3


def test_without_the_unique_key_a_day_is_run_twice(committed: Pooled) -> None:
    """The negative control of the key below the lock: with it gone, the same day goes in twice."""
    with (
        clock.frozen(MORNING + timedelta(seconds=1)),
        bound(committed.tenant.id, actor="system:test"),
    ):
        run = committed.run()
        row = {field.attname: getattr(run, field.attname) for field in run._meta.local_fields}
    row["id"] = UUID(int=run.pk.int + 1)
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    insert = f"INSERT INTO treasury_poolrun ({names}) VALUES ({marks})"
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant', %s, false)", [str(committed.tenant.id)])
        with pytest.raises(psycopg.errors.UniqueViolation, match="once_a_day"):
            owner.execute(insert, list(row.values()))
        with owner.transaction(force_rollback=True):
            owner.execute("ALTER TABLE treasury_poolrun DROP CONSTRAINT pool_run_once_a_day")
            owner.execute(insert, list(row.values()))


def test_what_is_committed_while_a_run_waits_for_its_pool_is_seen(committed: Pooled) -> None:
    tenant, pool = committed.tenant.id, committed.pool.pk

    def work() -> str:
        try:
            with (
                clock.frozen(MORNING + timedelta(seconds=1)),
                bound(tenant, actor="system:test"),
            ):
                pools.run_pool(pool_id=pool)
        except PoolNotRun as refusal:
            return refusal.message
        else:
            return ""
        finally:
            connection.close()

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
    with (
        psycopg.connect(settings.TMS_OWNER_CONNINFO) as owner,
        psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as watch,
        ThreadPoolExecutor(1) as workers,
    ):
        owner.execute("SELECT set_config('app.tenant', %s, false)", [str(tenant)])
        changed = owner.execute(
            "UPDATE treasury_cashpool SET is_active = false WHERE id = %s", [pool]
        )
        assert changed.rowcount == 1
        told = workers.submit(work)
        while not told.done():
            if watch.execute(waiting, [owner.info.backend_pid]).fetchone() != (0,):
                break
        owner.commit()
        assert "switched off" in told.result()


def test_two_pools_do_not_take_one_account_at_one_instant(committed: Pooled) -> None:
    """The guard looks at the other pools alone: neither of two sees what the other just wrote."""
    with bound(committed.tenant.id, actor="system:test"):
        CashPoolMember.objects.filter(account=committed.shop).delete()
        for code in ("ONE", "TWO"):
            CashPool(
                code=code, name=code, kind="NOTIONAL", currency="GBP", header=committed.header
            ).save()
    ready = threading.Barrier(2)

    def take(code: str) -> str:
        try:
            ready.wait()
            with bound(committed.tenant.id, actor="system:test"):
                pool = CashPool.objects.get(code=code)
                CashPoolMember(pool=pool, account=committed.shop).save()
        except DatabaseError as refusal:
            return str(refusal)
        else:
            return ""
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as workers:
        told = sorted(workers.map(take, ("ONE", "TWO")))
    assert told[0] == ""
    assert "has its place in" in told[1]
