"""What can be proven about the stored data at any time: the audit trail and the books."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.audit import chain
from core.tenancy import bound
from tms.ops.tenants import TenantName
from treasury.selectors.invariants import Finding, invariants


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProof:
    """The verdict over one tenant's audit trail."""

    tenant: TenantName
    verdict: chain.Verdict

    @property
    def holds(self) -> bool:
        """Return whether the trail is what was sealed."""
        return self.verdict.is_intact

    def as_json(self) -> dict[str, Any]:
        """Return the verdict for machines."""
        return {
            "tenant": self.tenant.slug,
            "intact": self.holds,
            "links": self.verdict.links_count,
            "head": self.verdict.head,
            "faults": [asdict(fault) for fault in self.verdict.faults],
        }

    def as_text(self) -> str:
        """Return the verdict for people, one line and one more per fault."""
        state = "intact" if self.holds else "NOT INTACT"
        links, head = self.verdict.links_count, self.verdict.head[:16]
        first = f"{self.tenant.slug}: {state}, {links:,} links, head {head}…"
        faults = [f"  {fault.code} at {fault.sequence}: {fault.message}" for fault in self.faults]
        return "\n".join([first, *faults])

    @property
    def faults(self) -> tuple[chain.Fault, ...]:
        """Return what was found."""
        return self.verdict.faults


def audit_proofs(tenants: Sequence[TenantName]) -> list[AuditProof]:
    """Verify the audit trail of each tenant."""
    return [AuditProof(tenant=tenant, verdict=chain.verify(tenant=tenant.id)) for tenant in tenants]


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksProof:
    """Whether one tenant's books balance, and where they do not."""

    tenant: TenantName
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Return whether nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Return the findings for machines."""
        findings = [
            {"code": one.code, "message": one.message, "subject_id": str(one.subject_id)}
            for one in self.findings
        ]
        return {"tenant": self.tenant.slug, "balanced": self.holds, "findings": findings}

    def as_text(self) -> str:
        """Return the findings for people, one line and one more for each."""
        first = f"{self.tenant.slug}: {'balanced' if self.holds else 'NOT BALANCED'}"
        return "\n".join([first, *(f"  {one.code}: {one.message}" for one in self.findings)])


def books_proofs(tenants: Sequence[TenantName]) -> list[BooksProof]:
    """Look for anything that does not balance in the books of each tenant."""
    proofs = []
    for tenant in tenants:
        with bound(tenant.id, actor="system:verify"):
            proofs.append(BooksProof(tenant=tenant, findings=tuple(invariants())))
    return proofs
