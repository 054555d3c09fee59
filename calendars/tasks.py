"""Celery: visit every tenant, call one service; rows remember what was done."""

from collections.abc import Callable
from uuid import UUID

import structlog
from celery import shared_task

from calendars import services
from calendars.constants import HOUSE_ZONE
from core import clock
from core.errors import DomainError
from core.tenancy import bound, tenant_ids

ACTOR = "system:calendars"
log = structlog.get_logger(__name__)


def _for_each_tenant(name: str, work: Callable[[], object]) -> None:
    for tenant in tenant_ids():
        _visit(name, tenant, work)


def _visit(name: str, tenant: UUID, work: Callable[[], object]) -> None:
    try:
        with bound(tenant, actor=ACTOR, reason=name):
            work()
    except DomainError as refusal:  # one tenant's missing data must not silence the others
        log.warning(name, tenant=str(tenant), code=refusal.code, facts=refusal.context)


@shared_task(name="calendars.raise_window_alerts", ignore_result=True)
def raise_window_alerts() -> None:
    """Warn every tenant before its rails' cut-offs; beat wakes this each minute."""
    now = clock.now()
    _for_each_tenant("window_alerts", lambda: services.raise_window_alerts(now=now))


@shared_task(name="calendars.holiday_lookahead", ignore_result=True)
def holiday_lookahead() -> None:
    """Publish every tenant's holiday lookahead for the house's local day."""
    today = clock.today(HOUSE_ZONE)
    _for_each_tenant("holiday_lookahead", lambda: services.publish_holiday_lookahead(today=today))
