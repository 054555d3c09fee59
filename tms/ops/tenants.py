"""Which tenants an operator's command is about."""

from dataclasses import dataclass
from uuid import UUID

from core.errors import NotFound
from core.tenancy import Tenant, bound, tenant_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantName:
    """A tenant's id, short name and name."""

    id: UUID
    slug: str
    name: str


def all_tenants() -> list[TenantName]:
    """Return every tenant, oldest first."""
    found = []
    for tenant in tenant_ids():
        with bound(tenant, actor="system:operations"):
            row = Tenant.objects.get(pk=tenant)
        found.append(TenantName(id=row.id, slug=row.slug, name=row.name))
    return found


def chosen_tenants(slug: str) -> list[TenantName]:
    """Return the tenant of that short name, or all of them for an empty one.

    Raises:
        NotFound: there is no such tenant.
    """
    found = all_tenants()
    if not slug:
        return found
    chosen = [tenant for tenant in found if tenant.slug == slug]
    if not chosen:
        known = ", ".join(tenant.slug for tenant in found) or "none yet"
        raise NotFound(f"There is no tenant {slug}; there are: {known}.", field="tenant")
    return chosen
