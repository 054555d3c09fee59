"""Expire the requests whose cut-off has passed."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from approvals import services
from core import clock
from core.tenancy import bound, tenant_ids


class Command(BaseCommand):
    """Expire for every tenant; what beat does every half minute."""

    help = "Expire pending approval requests whose cut-off has passed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer machine-readable output."""
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Expire and report."""
        now, expired = clock.now(), []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:approvals", reason="approvals_expire command"):
                expired += [
                    {
                        "tenant": str(tenant),
                        "request": str(request.pk),
                        "title": request.title,
                        "cutoff_at": request.cutoff_at.isoformat() if request.cutoff_at else "",
                    }
                    for request in services.expire_due(now=now)
                ]
        if options["json"]:
            self.stdout.write(json.dumps({"expired": expired}))
            return
        for row in expired:
            self.stdout.write(f"{row['title']} expired at {row['cutoff_at']}")
        self.stdout.write(f"{len(expired)} requests expired.")
