"""What one tenant cannot do stops nobody else's work."""

from django.db import OperationalError

from core.tenancy import Tenant
from fx import tasks


def test_a_deadlock_of_one_tenant_does_not_stop_the_others(tenant: Tenant) -> None:
    def deadlock() -> None:
        raise OperationalError("deadlock detected")

    tasks._visit(tenant.pk, deadlock)
