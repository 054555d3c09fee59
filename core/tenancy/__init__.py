"""Tenancy: bind a tenant, and every query and write is confined to it by the database."""

from core.tenancy.context import (
    NoTenantBound,
    Scope,
    bound,
    current_actor,
    current_scope,
    current_tenant_id,
    once_per_transaction,
    read_anew,
    tenant_ids,
)
from core.tenancy.models import Tenant, TenantModel

__all__ = [
    "NoTenantBound",
    "Scope",
    "Tenant",
    "TenantModel",
    "bound",
    "current_actor",
    "current_scope",
    "current_tenant_id",
    "once_per_transaction",
    "read_anew",
    "tenant_ids",
]
