"""Several connections at the same instant: one decision and one order per account and window."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from core import clock
from core.tenancy import Tenant, bound
from tests.conftest import make_user
from tests.treasury.sweeps.conftest import QUARTER_PAST, Sweeping, build_sweeping
from treasury.models import ExpectedFlow, SweepDecision, SweepOrder
from treasury.services import sweeps

WORKERS = 4


def together(committed: Sweeping) -> list[str]:
    """Decide and sign in several threads at once; return the orders that they were told."""
    ready = threading.Barrier(WORKERS)

    def work(_number: int) -> str:
        try:
            with clock.frozen(QUARTER_PAST + timedelta(seconds=1)):
                ready.wait()
                with bound(committed.tenant.id, actor="system:test"):
                    decided = committed.decide()
                sweeps.sign_due(tenant=committed.tenant.id)
                return decided.order.order_id if decided.order else ""
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, range(WORKERS)))


def test_workers_at_one_instant_make_one_order(committed_tenant: UUID, tmp_path: Path) -> None:
    with clock.frozen(QUARTER_PAST):
        with bound(committed_tenant, actor="system:test"):
            for name in ("anna", "bert"):
                make_user(name, "treasury_checker")
            built = build_sweeping(Tenant.objects.get(pk=committed_tenant), tmp_path)
        told = together(built)
        with bound(committed_tenant, actor="system:test"):
            assert set(told) == {"SWP-2026-11-17-0001"}
            assert (SweepDecision.objects.count(), SweepOrder.objects.count()) == (1, 1)
            assert ExpectedFlow.objects.filter(source="SWEEP").count() == 1
            assert SweepOrder.objects.get().attempts == 1


def test_without_the_lock_the_database_lets_one_order_stand(
    committed_tenant: UUID, tmp_path: Path
) -> None:
    """The negative control of the guard below the lock: its index gone, two orders stand."""
    with clock.frozen(QUARTER_PAST), bound(committed_tenant, actor="system:test"):
        built = build_sweeping(Tenant.objects.get(pk=committed_tenant), tmp_path)
    with (
        clock.frozen(QUARTER_PAST + timedelta(seconds=1)),
        bound(committed_tenant, actor="system:test"),
    ):
        made = built.decide().order
        assert made is not None
        row = {field.attname: getattr(made, field.attname) for field in made._meta.local_fields}
    copied = _copy_of_the_decision(committed_tenant, row["decision_id"])
    row |= {"id": copied, "decision_id": copied, "order_id": "SWP-2026-11-17-0009"}
    insert = _insert(row)
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant', %s, false)", [str(committed_tenant)])
        owner.execute("ALTER TABLE treasury_sweeporder DISABLE TRIGGER guard")
        try:
            with pytest.raises(psycopg.errors.UniqueViolation, match="stands_once"):
                owner.execute(insert, list(row.values()))
            with owner.transaction(force_rollback=True):
                owner.execute("DROP INDEX sweep_order_stands_once")
                owner.execute(insert, list(row.values()))
        finally:
            owner.execute("ALTER TABLE treasury_sweeporder ENABLE TRIGGER guard")


def _insert(row: dict[str, object]) -> str:
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    return f"INSERT INTO treasury_sweeporder ({names}) VALUES ({marks})"


def _copy_of_the_decision(tenant: UUID, decision: UUID) -> UUID:
    with bound(tenant, actor="system:test"):
        held = SweepDecision.objects.get(pk=decision)
        held.pk, held.sequence = UUID(int=held.pk.int + 1), 2
        SweepDecision.objects.bulk_create([held])
    return UUID(str(held.pk))
