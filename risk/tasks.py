"""Celery: visit every tenant, call one service; unchanged inputs write nothing."""

from uuid import UUID

import structlog
from celery import shared_task

from core import clock
from core.errors import DomainError
from core.tenancy import bound, tenant_ids
from risk.services.measuring import measure_risk

ACTOR = "system:risk"
log = structlog.get_logger(__name__)


@shared_task(name="risk.measure", ignore_result=True)
def measure() -> None:
    """Measure all accounts of every tenant; beat wakes this early each day."""
    for tenant in tenant_ids():
        _visit(tenant)


def _visit(tenant: UUID) -> None:
    try:
        with bound(tenant, actor=ACTOR, reason="daily measurement of risk"):
            measure_risk(now=clock.now())
    except DomainError as refusal:  # one tenant's refusal must not stop the others
        log.warning("risk_not_measured", tenant=str(tenant), code=refusal.code)
