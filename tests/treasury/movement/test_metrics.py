"""Whoever watches the system sees how many tasks wait, and for how long."""

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.test import Client
from prometheus_client.core import REGISTRY

from core import clock
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.scenes import scene
from tests.treasury.movement.conftest import TUESDAY
from treasury import metrics
from treasury.models import Task
from treasury.services import tasks


@scene
def two_tenants(tenant: Tenant, other_tenant: Tenant) -> None:
    """Three tasks of one kind over two tenants, and one of another kind."""
    for number, (owner, kind) in enumerate(
        [(tenant, "sla"), (tenant, "sla"), (other_tenant, "sla"), (tenant, "unknown")]
    ):
        with bound(owner.id, actor="system:test"), clock.frozen(TUESDAY - timedelta(hours=number)):
            task = tasks.TaskIn(kind=kind, key=f"K{number}", title="It waits", detail="")
            tasks.open_task(task=task)


def told(name: str, kind: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"kind": kind})


@pytest.mark.usefixtures("two_tenants")
def test_open_tasks_are_counted_by_kind_with_the_age_of_the_oldest() -> None:
    with clock.frozen(TUESDAY):
        assert told("tms_open_tasks", "sla") == 3
        assert told("tms_open_tasks", "unknown") == 1
        assert told("tms_open_task_oldest_seconds", "sla") == 2 * 3_600
        assert told("tms_open_task_oldest_seconds", "unknown") == 3 * 3_600


@pytest.mark.usefixtures("two_tenants")
def test_a_task_that_is_done_waits_no_more(tenant: Tenant, maker: User) -> None:
    with bound(tenant.id, actor=maker.pk):
        found = Task.objects.get(kind="unknown")
        tasks.close_task(task_id=found.pk, actor=maker, note="The bank has it.")
    assert told("tms_open_tasks", "unknown") is None
    assert told("tms_open_tasks", "sla") == 3


@pytest.mark.usefixtures("two_tenants")
def test_the_page_of_metrics_tells_them_beside_the_others_and_names_no_tenant(
    tenant: Tenant,
) -> None:
    page = Client().get("/metrics").content.decode()
    assert 'tms_open_tasks{kind="sla"} 3.0' in page
    assert "django_http_requests_before_middlewares_total" in page
    assert str(tenant.id) not in page
    assert "north" not in page


def test_without_a_database_the_others_are_still_told(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(metrics, "tenant_ids", away)
    page = Client().get("/metrics")
    assert page.status_code == 200
    assert 'tms_open_tasks{kind="' not in page.content.decode()
