"""Celery: visit every tenant, call one service; the rows remember what is due."""

from collections.abc import Callable
from uuid import UUID

import structlog
from celery import shared_task

from approvals import services
from core import clock
from core.errors import DomainError
from core.tenancy import bound, tenant_ids

ACTOR = "system:approvals"
log = structlog.get_logger(__name__)


def _for_each_tenant(name: str, work: Callable[[], object]) -> None:
    for tenant in tenant_ids():
        _visit(name, tenant, work)


def _visit(name: str, tenant: UUID, work: Callable[[], object]) -> None:
    try:
        with bound(tenant, actor=ACTOR, reason=name):
            work()
    except DomainError as refusal:  # one tenant's refusal must not stop the others
        log.warning(name, tenant=str(tenant), code=refusal.code, facts=refusal.context)


@shared_task(name="approvals.escalate", ignore_result=True)
def escalate() -> None:
    """Escalate what waited too long; beat wakes this each minute."""
    now = clock.now()
    _for_each_tenant("escalate", lambda: services.escalate_due(now=now))


@shared_task(name="approvals.expire", ignore_result=True)
def expire() -> None:
    """Expire what nobody approved before its cut-off; beat wakes this every half minute."""
    now = clock.now()
    _for_each_tenant("expire", lambda: services.expire_due(now=now))
