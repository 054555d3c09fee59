"""Say how many beneficiaries of every tenant could be paid today."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.tenancy import bound, tenant_ids
from treasury.selectors.readiness import Readiness, readiness


class Command(BaseCommand):
    help = "Score the addresses of beneficiaries against the rules in force; see --least."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Offer output for machines and a bar to clear."""
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        parser.add_argument(
            "--least", type=int, default=0, help="exit 1 when a tenant has less percent than this"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Visit each tenant in its own transaction."""
        found: dict[str, Readiness] = {}
        for tenant in tenant_ids():
            with bound(tenant, actor="system:readiness"):
                found[str(tenant)] = readiness()
        if options["json"]:
            plain = {tenant: _plain(one) for tenant, one in found.items()}
            self.stdout.write(json.dumps(plain))
        else:
            for tenant_id, one in found.items():
                self.stdout.write(
                    f"{tenant_id}: {one.percent} % ({one.payable} of {one.total} could be paid)"
                )
                for rule in one.rules:
                    self.stdout.write(f"  {rule.count:6} {rule.code}: {rule.words}")
        if any(one.percent < options["least"] for one in found.values()):
            raise SystemExit(1)


def _plain(found: Readiness) -> dict[str, Any]:
    return {
        "percent": found.percent,
        "payable": found.payable,
        "total": found.total,
        "rules": {rule.code: rule.count for rule in found.rules},
    }
