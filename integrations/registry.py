"""What this room contributes to others: its part of `/health`."""

from typing import Any

from django.db import DatabaseError

from core.tenancy import bound, tenant_ids
from integrations import selectors


def bank_apis() -> dict[str, Any]:
    """Report `degraded` while the circuit of any active line is open."""
    circuits = 0
    try:
        for tenant in tenant_ids():
            with bound(tenant, actor="system:health"):
                circuits += len(selectors.open_circuits())
    except DatabaseError as error:
        return {"status": "degraded", "error": type(error).__name__}
    return {"status": "degraded" if circuits else "ok", "open_circuits": circuits}
