"""Forecast all accounts now; what beat does every fifteen minutes."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.errors import Invalid
from core.tenancy import bound, tenant_ids
from liquidity.constants import HORIZON_DAYS
from liquidity.services.forecasting import DailyRun, run_daily_forecast


class Command(BaseCommand):
    """Forecast every tenant's accounts."""

    help = "Forecast the days ahead of all active accounts and announce what will be missing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer a horizon and machine-readable output."""
        parser.add_argument("--horizon-days", type=int, default=HORIZON_DAYS)
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Forecast and report."""
        found = []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:liquidity", reason="run_forecast command"):
                try:
                    done = run_daily_forecast(now=clock.now(), horizon_days=options["horizon_days"])
                except Invalid as refusal:
                    raise CommandError(refusal.message) from refusal
                found.append({"tenant": str(tenant), **_facts(done)})
        if options["json"]:
            self.stdout.write(json.dumps({"runs": found}))
            return
        for run in found:
            for row in run["forecasts"]:
                self.stdout.write(
                    f"{row['account']}: needs {row['required']} {row['currency']} until"
                    f" {row['need_until']}, has {row['available']}, lacks {row['shortfall']}"
                )
            for one in run["refusals"]:
                self.stdout.write(f"{one['label']}: no forecast. {one['message']}")
        self.stdout.write(f"{sum(len(run['forecasts']) for run in found)} forecasts.")


def _facts(done: DailyRun) -> dict[str, Any]:
    return {
        "run": str(done.run.pk),
        "announced": done.announced,
        "refusals": done.run.refusals,
        "forecasts": [
            {
                "forecast": str(one.pk),
                "account": one.account.label,
                "currency": one.currency,
                "need_until": one.need_until.isoformat(),
                "required": f"{one.required:f}",
                "available": f"{one.available:f}",
                "shortfall": f"{one.shortfall:f}",
                "is_stale_input": one.is_stale_input,
            }
            for one in done.forecasts
        ],
    }
