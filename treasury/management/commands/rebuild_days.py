"""Add the sums per day up anew from the entries, for every tenant."""

from typing import Any

from django.core.management.base import BaseCommand

from core.tenancy import bound, tenant_ids
from treasury.services.days import rebuild_days


class Command(BaseCommand):
    help = "Add the daily balances of every tenant up anew from its entries."

    def handle(self, *args: Any, **options: Any) -> None:
        """Visit each tenant in its own transaction."""
        for tenant in tenant_ids():
            with bound(tenant, actor="system:rebuild"):
                days = rebuild_days()
            self.stdout.write(f"{tenant}: {days} daily balances.")
