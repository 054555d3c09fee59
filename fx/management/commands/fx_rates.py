"""Install the usual sources of rates, and take the European Central Bank's reference rates in."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.changes.errors import NothingChanges
from core.changes.models import ChangeRequest
from core.changes.services import write_or_propose
from core.errors import DomainError
from core.tenancy import Tenant, bound, tenant_ids
from fx.constants import HISTORY_DAYS_MAX
from fx.services.reference import take_reference_rates
from fx.services.sources import install_usual_sources


class Command(BaseCommand):
    """Make a tenant ready to know rates."""

    help = "Install the usual sources and take in reference rates. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the days, and offer machine-readable output."""
        parser.add_argument("--tenant", help="Slug; every tenant when left out.")
        parser.add_argument("--days", type=int, default=HISTORY_DAYS_MAX)
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Install, take in and report."""
        reports = []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:fx", reason="fx_rates command"):
                slug = Tenant.objects.get(pk=tenant).slug
                if options["tenant"] in {None, slug}:
                    reports.append({"tenant": slug, "outcome": self._take(options["days"])})
        if not reports:
            raise CommandError("There is no such tenant.")
        if options["json"]:
            self.stdout.write(json.dumps({"taken": reports}))
            return
        for row in reports:
            self.stdout.write(f"{row['tenant']}: {row['outcome']}")

    def _take(self, days: int) -> str:
        """Return what was done, or what stands in the way, as a sentence."""
        try:
            made = write_or_propose(
                run=install_usual_sources, maker=None, reason="Usual sources of rates."
            )
        except NothingChanges:
            made = []
        if isinstance(made, ChangeRequest):
            return f"The sources wait for another person: {made.title}."
        try:
            taken = take_reference_rates(days=days)
        except DomainError as refusal:
            return refusal.message
        return f"{taken.new} reference rates are new, {taken.known} were known."
