"""Value all open deals, now or as the market stood at an instant."""

import json
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.errors import DomainError
from core.tenancy import Tenant, bound, tenant_ids
from fx.services.valuing import revalue


class Command(BaseCommand):
    """Value every tenant's open deals."""

    help = "Value all open deals and book the unrealised result. A day is valued once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a tenant, an instant and a reason, and offer machine-readable output."""
        parser.add_argument("--tenant", help="Slug; every tenant when left out.")
        parser.add_argument("--at", help="2026-11-20T20:45:00Z; now when left out.")
        parser.add_argument("--reason", default="", help="Restates a day that is valued already.")
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Value and report."""
        at = _instant(options["at"])
        reports: list[dict[str, Any]] = []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:fx", reason="fx_revalue command"):
                slug = Tenant.objects.get(pk=tenant).slug
                if options["tenant"] in {None, slug}:
                    reports.append({"tenant": slug, **_valued(at, options["reason"])})
        if not reports:
            raise CommandError("There is no such tenant.")
        if options["json"]:
            self.stdout.write(json.dumps({"valued": reports}))
            return
        for row in reports:
            self.stdout.write(f"{row['tenant']}: {row['outcome']}")


def _instant(text: str | None) -> datetime:
    if text is None:
        return clock.now()
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError("--at is an instant like 2026-11-20T20:45:00Z.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _valued(at: datetime, reason: str) -> dict[str, Any]:
    try:
        done = revalue(at=at, reason=reason)
    except DomainError as refusal:
        return {"outcome": refusal.message, "code": refusal.code}
    run = done.run
    return {
        "outcome": f"{run}: {run.deals_count} deals, {run.missing_count} without a value,"
        f" {run.unrealised_usd:,.2f} USD unrealised{'' if done.is_new else ' (as before)'}.",
        "day": run.day.isoformat(),
        "version": run.version,
        "deals": run.deals_count,
        "missing": run.missing_count,
        "stale": run.stale_count,
        "unrealised_usd": f"{run.unrealised_usd:.2f}",
        "new": done.is_new,
    }
