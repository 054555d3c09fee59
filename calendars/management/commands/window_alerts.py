"""Raise the window alerts that are due now."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from calendars import services
from core import clock
from core.tenancy import bound, tenant_ids


class Command(BaseCommand):
    """Raise due window alerts for every tenant; what beat does each minute."""

    help = "Warn before each rail's cut-off, exactly once per rail, business date and kind."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer machine-readable output."""
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise and report."""
        now, raised = clock.now(), []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:calendars", reason="window_alerts command"):
                raised += [
                    {
                        "tenant": str(tenant),
                        "rail": alert.rail.code,
                        "currency": alert.rail.currency,
                        "kind": str(alert.kind),
                        "business_date": alert.business_date.isoformat(),
                        "cutoff_at": alert.cutoff_at.isoformat(),
                        "minutes_left": alert.minutes_left,
                        "revision": alert.revision,
                    }
                    for alert in services.raise_window_alerts(now=now)
                ]
        if options["json"]:
            self.stdout.write(json.dumps({"raised": raised}))
            return
        for row in raised:
            self.stdout.write(
                f"{row['rail']} {row['currency']} closes in {row['minutes_left']} minutes"
            )
        self.stdout.write(f"{len(raised)} alerts raised.")
