"""Celery doors of the event room: wake up, look at the rows, work."""

from celery import shared_task

from core.audit import chain, verification, witness
from core.events import drain as draining
from core.tenancy import bound, tenant_ids


@shared_task(name="core.events.drain", ignore_result=True)
def drain() -> None:
    """Handle every due delivery."""
    draining.drain_all()


@shared_task(name="core.audit.seal", ignore_result=True)
def seal_audit() -> None:
    """Chain and anchor what was audited since the last time."""
    for tenant in tenant_ids():
        chain.seal_all(tenant=tenant)


@shared_task(name="core.audit.witness", ignore_result=True)
def tell_witness() -> None:
    """Hand new anchor lines to the external witness, if there is one."""
    for tenant in tenant_ids():
        witness.tell(tenant=tenant)


@shared_task(name="core.audit.verify", ignore_result=True)
def verify_audit() -> None:
    """Carry out the verifications that people asked for."""
    for tenant in tenant_ids():
        verification.carry_out(tenant=tenant)


@shared_task(name="core.audit.verify_nightly", ignore_result=True)
def ask_for_verification() -> None:
    """Ask for the verification that every chain gets every night."""
    for tenant in tenant_ids():
        with bound(tenant, actor="system:audit-verifier"):
            verification.ask(by="system:nightly")
