"""Celery: visit every tenant, call one service."""

from collections.abc import Callable
from uuid import UUID

import structlog
from celery import shared_task
from django.db import DatabaseError

from core import clock
from core.errors import DomainError
from core.tenancy import bound, tenant_ids
from fx.services.chasing import chase_overdue
from fx.services.dealing import expire_due
from fx.services.exposing import watch_exposure
from fx.services.fixing import fix_from_sources
from fx.services.instructing import instruct_due, instruct_nets
from fx.services.reference import take_reference_rates
from fx.services.reforecasting import watch_forecasts
from fx.services.settling import follow_open
from fx.services.suggesting import suggest_all
from fx.services.taking import expire_suggestions
from fx.services.valuing import revalue as revalue_deals
from fx.services.watching import watch_rates

ACTOR = "system:fx"
REFERENCE_DAYS = 30
log = structlog.get_logger(__name__)


@shared_task(name="fx.watch", ignore_result=True)
def watch() -> None:
    """Look at rates and exposure of every tenant; beat wakes this every minute."""
    for tenant in tenant_ids():
        _visit(tenant, lambda: watch_rates(now=clock.now()))
        _visit(tenant, lambda: watch_exposure(now=clock.now()))
        _visit(tenant, lambda: suggest_all(now=clock.now()))
        _visit(tenant, lambda: watch_forecasts(now=clock.now()))


@shared_task(name="fx.reference", ignore_result=True)
def reference() -> None:
    """Take in the reference rates that a newer package may have brought; beat wakes this daily."""
    for tenant in tenant_ids():
        _visit(tenant, lambda: take_reference_rates(days=REFERENCE_DAYS))


@shared_task(name="fx.expire", ignore_result=True)
def expire() -> None:
    """Expire what was approved and not dealt before its day ended; beat wakes this every minute."""
    for tenant in tenant_ids():
        _visit(tenant, lambda: expire_due(now=clock.now()))
        _visit(tenant, lambda: expire_suggestions(now=clock.now()))


@shared_task(name="fx.settle", ignore_result=True)
def settle() -> None:
    """Propose what is due, follow banks and chase what is late; beat wakes this every minute."""
    for tenant in tenant_ids():
        _visit(tenant, lambda: fix_from_sources(now=clock.now()))
        _visit(tenant, lambda: instruct_nets(now=clock.now()))
        _visit(tenant, lambda: instruct_due(now=clock.now()))
        _visit(tenant, follow_open)
        _visit(tenant, lambda: chase_overdue(now=clock.now()))


@shared_task(name="fx.revalue", ignore_result=True)
def revalue() -> None:
    """Value the open deals of every tenant; beat wakes this each afternoon of New York."""
    for tenant in tenant_ids():
        _visit(tenant, lambda: revalue_deals(at=clock.now()))


def _visit(tenant: UUID, work: Callable[[], object]) -> None:
    try:
        with bound(tenant, actor=ACTOR):
            work()
    except DomainError as refusal:  # one tenant's refusal must not stop the others
        log.warning("fx_not_done", tenant=str(tenant), code=refusal.code)
    except DatabaseError as trouble:  # nor a lock that somebody else holds
        log.warning("fx_not_done", tenant=str(tenant), code=type(trouble).__name__)
