"""Celery: visit every tenant, call one service; unchanged inputs write nothing."""

from uuid import UUID

import structlog
from celery import shared_task

from core import clock
from core.errors import DomainError
from core.tenancy import bound, tenant_ids
from liquidity.services.forecasting import run_daily_forecast

ACTOR = "system:liquidity"
log = structlog.get_logger(__name__)


@shared_task(name="liquidity.forecast", ignore_result=True)
def forecast() -> None:
    """Forecast all accounts of every tenant; beat wakes this every fifteen minutes."""
    for tenant in tenant_ids():
        _visit(tenant)


def _visit(tenant: UUID) -> None:
    try:
        with bound(tenant, actor=ACTOR, reason="daily forecast"):
            run_daily_forecast(now=clock.now())
    except DomainError as refusal:  # one tenant's refusal must not stop the others
        log.warning("forecast_failed", tenant=str(tenant), code=refusal.code)
