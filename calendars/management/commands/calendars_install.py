"""Install reference calendars and rails for one tenant."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calendars import services
from calendars.constants import REFERENCE_YEARS
from core.changes.errors import NothingChanges
from core.changes.models import ChangeRequest
from core.changes.services import write_or_propose
from core.errors import DomainError
from core.tenancy import Tenant, bound, tenant_ids


class Command(BaseCommand):
    """Install or extend the provisional calendars and the rails of the house."""

    help = "Install provisional holidays for the given years, and the rails. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the years and offer machine-readable output."""
        parser.add_argument("--tenant", help="Slug; every tenant when left out.")
        parser.add_argument("--years", type=int, nargs="+", default=list(REFERENCE_YEARS))
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Install and report."""
        reports = []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:calendars", reason="calendars_install command"):
                slug = Tenant.objects.get(pk=tenant).slug
                if options["tenant"] in {None, slug}:
                    reports.append({"tenant": slug, **self._install(options["years"])})
        if not reports:
            raise CommandError("There is no such tenant.")
        if options["json"]:
            self.stdout.write(json.dumps({"installed": reports}))
            return
        for row in reports:
            self.stdout.write(
                f"{row['tenant']}: waits for another person: {row['proposed']}."
                if "proposed" in row
                else f"{row['tenant']}: {row['holidays_added']} holidays and"
                f" {row['rails_added']} rails added."
            )

    def _install(self, years: list[int]) -> dict[str, int | str]:
        """Install at once, or propose to where the tenant is opened."""

        def install() -> dict[str, int | str]:
            report = services.install_reference_calendars(years=years)
            rails = services.install_rails()
            return {"holidays_added": report.holidays_added, "rails_added": rails}

        try:
            made = write_or_propose(run=install, maker=None, reason="Reference calendars.")
        except NothingChanges:
            return {"holidays_added": 0, "rails_added": 0}
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if isinstance(made, ChangeRequest):
            return {"holidays_added": 0, "rails_added": 0, "proposed": made.title}
        return made
