"""Celery: visit every tenant, call one service; the rows remember what there is to do."""

from collections.abc import Callable
from uuid import UUID

import structlog
from celery import shared_task

from core.errors import DomainError
from core.tenancy import tenant_ids
from integrations import services

logger = structlog.get_logger(__name__)


def _for_each_tenant(name: str, work: Callable[[UUID], object]) -> None:
    for tenant in tenant_ids():
        try:
            work(tenant)
        except DomainError as refusal:  # one tenant's trouble must not silence the others
            logger.warning(name, tenant=str(tenant), code=refusal.code, facts=refusal.context)


@shared_task(name="integrations.dispatch", ignore_result=True)
def dispatch() -> None:
    """Hand due payments to the banks."""
    _for_each_tenant("dispatch", lambda tenant: services.dispatch_due(tenant=tenant))


@shared_task(name="integrations.enquire", ignore_result=True)
def enquire() -> None:
    """Ask about payments whose outcome is unknown."""
    _for_each_tenant("enquire", lambda tenant: services.enquire_unknown(tenant=tenant))


@shared_task(name="integrations.collect", ignore_result=True)
def collect() -> None:
    """Fetch the banks' messages."""
    _for_each_tenant("collect", lambda tenant: services.collect_inbound(tenant=tenant))
