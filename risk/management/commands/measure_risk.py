"""Measure the risk of all accounts now, or as it stood on a past day."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.tenancy import bound, tenant_ids
from risk.models import AccountRisk
from risk.services.measuring import measure_risk


class Command(BaseCommand):
    """Measure every tenant's accounts."""

    help = "Measure value at risk and expected shortfall of all active accounts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer a past day and machine-readable output."""
        parser.add_argument("--day", help="YYYY-MM-DD; today in each account's zone by default")
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and report."""
        day = _day(options["day"])
        found: list[dict[str, Any]] = []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:risk", reason="measure_risk command"):
                done = measure_risk(now=clock.now(), day=day)
                rows = [_facts(one) for one in done.readings]
                found.append({"tenant": str(tenant), "new": len(done.new), "readings": rows})
        if options["json"]:
            self.stdout.write(json.dumps({"runs": found}))
            return
        for run in found:
            for row in run["readings"]:
                self.stdout.write(_line(row))
        self.stdout.write(f"{sum(run['new'] for run in found)} new readings.")


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise CommandError("--day is a date like 2026-11-20.") from error


def _facts(one: AccountRisk) -> dict[str, Any]:
    return {
        "account": one.account.label,
        "currency": one.currency,
        "day": one.day.isoformat(),
        "method": f"historical_{one.quantile}",
        "observations": one.observations,
        "var": None if one.var_amount is None else f"{one.var_amount:f}",
        "expected_shortfall": (
            None if one.expected_shortfall is None else f"{one.expected_shortfall:f}"
        ),
        "var_bps": None if one.var_bps is None else f"{one.var_bps:f}",
        "missing": one.missing,
        "why_missing": one.why_missing,
    }


def _line(row: dict[str, Any]) -> str:
    days = f"{row['observations']} days"
    if row["var"] is None:
        return f"{row['account']}: no figure from {days}. {row['why_missing']}"
    share = f"{row['var_bps']} bp" if row["var_bps"] else row["why_missing"]
    return (
        f"{row['account']}: VaR {row['var']} {row['currency']}, ES {row['expected_shortfall']},"
        f" {share} ({row['method']}, {days})"
    )
