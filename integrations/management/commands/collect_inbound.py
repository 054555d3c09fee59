"""Fetch the banks' messages once, over every active line."""

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
        """Collect and report."""
        rows = [
            {"tenant": str(tenant), **asdict(services.collect_inbound(tenant=tenant))}
            for tenant in tenant_ids()
        ]
        if options["json"]:
            self.stdout.write(json.dumps({"tenants": rows}))
            return
        for row in rows:
            facts = ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in row)
            self.stdout.write(facts)
