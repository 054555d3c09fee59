"""Decide the next window's sweeps now, for every tenant."""

from typing import Any

from django.core.management.base import BaseCommand

from core.tenancy import tenant_ids
from treasury.services.sweeps import decide_window


class Command(BaseCommand):
    help = "Decide the sweeps of the next window now. Deciding again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        """Decide each tenant's accounts, and say what came of it."""
        for tenant in tenant_ids():
            for one in decide_window(tenant=tenant):
                held, order = one.decision, one.order
                words = "decided" if one.is_new else "stands"
                what = f" {order.order_id} {order.amount:,.2f} USD" if order else ""
                self.stdout.write(
                    f"{held.pk} {words}: {held.account.label} {held.result} {held.reason}{what}"
                )
