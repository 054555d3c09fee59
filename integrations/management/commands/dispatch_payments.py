"""Hand due payments to the banks once, and ask about those whose outcome is unknown."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from core.tenancy import tenant_ids
from integrations import services


class Command(BaseCommand):
    """One round over all tenants."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Offer machine-readable output."""
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Dispatch, enquire and report."""
        rows = []
        for tenant in tenant_ids():
            sent = services.dispatch_due(tenant=tenant)
            asked = services.enquire_unknown(tenant=tenant)
            rows.append({"tenant": str(tenant), **asdict(sent), **asdict(asked)})
        if options["json"]:
            self.stdout.write(json.dumps({"tenants": rows}))
            return
        for row in rows:
            facts = ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in row)
            self.stdout.write(facts)
