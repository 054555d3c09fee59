"""Check that the books of every tenant balance."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.events.bus import jsonable
from core.tenancy import bound, tenant_ids
from treasury.selectors.invariants import Finding, invariants


class Command(BaseCommand):
    help = "Check positions, statements, entries and flows of every tenant; exit 1 on findings."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Offer output for machines."""
        parser.add_argument("--json", action="store_true", help="print findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Visit each tenant in its own transaction."""
        found: dict[str, list[Finding]] = {}
        for tenant in tenant_ids():
            with bound(tenant, actor="system:verify"):
                found[str(tenant)] = invariants()
        count = sum(len(findings) for findings in found.values())
        if options["json"]:
            self.stdout.write(json.dumps({"findings": _plain(found), "count": count}))
        else:
            for tenant_id, findings in found.items():
                for one in findings:
                    self.stdout.write(f"{tenant_id} {one.code}: {one.message} ({one.subject_id})")
            self.stdout.write(f"{count} findings in {len(found)} tenants.")
        if count:
            raise SystemExit(1)


def _plain(found: dict[str, list[Finding]]) -> list[dict[str, Any]]:
    return [
        {
            "tenant": tenant,
            "code": one.code,
            "message": one.message,
            "subject_id": jsonable(one.subject_id),
        }
        for tenant, findings in found.items()
        for one in findings
    ]
