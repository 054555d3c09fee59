"""Put a tenant under four eyes, for good."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.changes.services import open_tenant
from core.errors import DomainError
from core.tenancy import Tenant, bound, tenant_ids


class Command(BaseCommand):
    """Open one tenant, once its static data and its people are in place."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the tenant's short name."""
        parser.add_argument("tenant", help="Slug.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Open and say so."""
        for tenant in tenant_ids():
            with bound(tenant, actor="system:provisioning", reason="open_tenant command"):
                if Tenant.objects.get(pk=tenant).slug != options["tenant"]:
                    continue
                try:
                    opened = open_tenant(actor=None)
                except DomainError as refusal:
                    raise CommandError(refusal.message) from refusal
                self.stdout.write(f"{opened.slug} is open: two people change what steers money.")
                return
        raise CommandError("There is no such tenant.")
