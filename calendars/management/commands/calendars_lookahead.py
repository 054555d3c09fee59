"""Publish the holiday lookahead."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from calendars import services
from calendars.constants import HOUSE_ZONE
from core import clock
from core.tenancy import bound, tenant_ids


class Command(BaseCommand):
    """Publish the lookahead of every tenant; what beat does each morning."""

    help = "Publish the weekday closures of the next three days, once a day."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer another day and machine-readable output."""
        parser.add_argument("--date", type=date.fromisoformat, help="Local day, YYYY-MM-DD.")
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish and report."""
        today = options["date"] or clock.today(HOUSE_ZONE)
        runs = []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:calendars", reason="calendars_lookahead command"):
                run = services.publish_holiday_lookahead(today=today)
                runs.append(
                    {
                        "tenant": str(tenant),
                        "generated_for": run.generated_for.isoformat(),
                        "closures": run.closures,
                        "currencies_closed": run.currencies_closed.split(),
                    }
                )
        if options["json"]:
            self.stdout.write(json.dumps({"runs": runs}))
            return
        for row in runs:
            self.stdout.write(f"{row['generated_for']}: {row['closures']} closures ahead.")
