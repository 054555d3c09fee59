"""Verify the chain as a job: pages ask for it and show the last verdict, a worker computes it."""

from dataclasses import asdict, dataclass
from uuid import UUID

from core import clock
from core.audit import chain
from core.audit.models import AuditLink, AuditPending, AuditVerification
from core.tenancy import bound

FAULTS_KEPT_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the chain of the bound tenant is sealed, and what the last verification found."""

    sealed_links_count: int
    head: str
    waiting_count: int
    last: AuditVerification | None
    is_being_verified: bool


def ask(*, by: str) -> AuditVerification:
    """Ask for a verification of the bound tenant's chain; one that waits already will do."""
    AuditVerification.objects.bulk_create(
        [AuditVerification(requested_at=clock.now(), requested_by=by)], ignore_conflicts=True
    )
    return AuditVerification.objects.get(finished_at=None)


def carry_out(*, tenant: UUID) -> AuditVerification | None:
    """Verify the chain of `tenant` if somebody asked for it and nobody is at it."""
    with bound(tenant, actor="system:audit-verifier"):
        asked = (
            AuditVerification.objects.select_for_update(skip_locked=True)
            .filter(finished_at=None)
            .first()
        )
        if asked is None:
            return None
        verdict = chain.verify(tenant=tenant)
        asked.finished_at = clock.now()
        asked.links_count, asked.head = verdict.links_count, verdict.head
        asked.faults = [asdict(fault) for fault in verdict.faults[:FAULTS_KEPT_MAX]]
        asked.save()
        return asked


def standing() -> Standing:
    """Return what a badge says about the bound tenant's chain."""
    last_link = AuditLink.objects.order_by("-sequence").first()
    return Standing(
        sealed_links_count=last_link.sequence if last_link else 0,
        head=last_link.hash if last_link else "",
        waiting_count=AuditPending.objects.count(),
        last=AuditVerification.objects.filter(finished_at__isnull=False).first(),
        is_being_verified=AuditVerification.objects.filter(finished_at=None).exists(),
    )
