"""What beat wakes in the treasury; the rows say what is due."""

from collections.abc import Callable
from uuid import UUID

import structlog
from celery import shared_task
from django.db import DatabaseError

from core import clock
from core.errors import DomainError
from core.tenancy import bound, tenant_ids
from treasury.services import (
    asking,
    feeds,
    flows,
    ingest,
    pools,
    position_feed,
    sla,
    sweeps,
    transfers,
    uploading,
)

logger = structlog.get_logger(__name__)


def _each_tenant(work: Callable[[UUID], object]) -> None:
    """Work for every tenant; what fails for one is logged and holds up no other."""
    for tenant in tenant_ids():
        try:
            work(tenant)
        except (DomainError, DatabaseError) as error:
            logger.exception("tenant_skipped", tenant=str(tenant), error=type(error).__name__)


@shared_task(name="treasury.execute", ignore_result=True)
def execute() -> None:
    """Take approved transfers to their banks."""
    for tenant in tenant_ids():
        transfers.execute_due(tenant=tenant)


@shared_task(name="treasury.sla", ignore_result=True)
def mark_breaches() -> None:
    """Mark overdue confirmations."""
    for tenant in tenant_ids():
        with bound(tenant, actor="system:treasury.sla"):
            sla.mark_breaches(now=clock.now())
            sla.ask_about_unknown(now=clock.now())
            asking.ask_for_reports(now=clock.now())


@shared_task(name="treasury.feeds", ignore_result=True)
def tell_late_feeds() -> None:
    """Tell of statements that are later than their bank usually is."""
    for tenant in tenant_ids():
        with bound(tenant, actor="system:treasury.feeds"):
            feeds.tell_late_feeds(now=clock.now())


@shared_task(name="treasury.positions", ignore_result=True)
def tell_positions() -> None:
    """Tell other systems the positions of accounts that had news."""
    _each_tenant(lambda tenant: position_feed.tell_positions(tenant=tenant))


@shared_task(name="treasury.tidy", ignore_result=True)
def tidy() -> None:
    """Set aside pages whose others never came, and expectations that did not happen."""
    for tenant in tenant_ids():
        with bound(tenant, actor="system:treasury.tidy"):
            ingest.quarantine_overdue_pages(now=clock.now())
            flows.mark_stale(now=clock.now())


@shared_task(name="treasury.uploads", ignore_result=True)
def submit_uploads() -> None:
    """Go on with uploads that wait to be submitted."""
    for tenant in tenant_ids():
        uploading.work_off(tenant=tenant)


@shared_task(name="treasury.sweeps.decide", ignore_result=True)
def decide_sweeps() -> None:
    """Decide the sweeps of a window that is near."""
    _each_tenant(lambda tenant: sweeps.decide_sweeps(tenant=tenant))


@shared_task(name="treasury.sweeps.send", ignore_result=True)
def send_sweeps() -> None:
    """Sign and hand out orders, note which have left, and fail those that did not in time."""

    def send(tenant: UUID) -> None:
        sweeps.sign_due(tenant=tenant)
        with bound(tenant, actor="system:treasury.sweeps"):
            sweeps.mark_sent()
            sweeps.expire_due(now=clock.now())
            sweeps.follow_payments(now=clock.now())

    _each_tenant(send)


@shared_task(name="treasury.sweeps.follow", ignore_result=True)
def follow_sweeps() -> None:
    """Note what was booked of sweeps, and tell of what is overdue."""
    for tenant in tenant_ids():
        with bound(tenant, actor="system:treasury.sweeps"):
            sweeps.follow_money(now=clock.now())
            sweeps.tell_unexplained(now=clock.now())


@shared_task(name="treasury.pools.run", ignore_result=True)
def run_pools() -> None:
    """Run the pools that are near their cut-off."""
    _each_tenant(lambda tenant: pools.run_due_pools(tenant=tenant))


@shared_task(name="treasury.pools.pair", ignore_result=True)
def pair_bank_sweeps() -> None:
    """Pair what banks swept by themselves."""
    _each_tenant(lambda tenant: pools.pair_all(tenant=tenant))
