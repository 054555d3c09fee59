"""Escalate the requests that waited too long."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from approvals import services
from core import clock
from core.tenancy import bound, tenant_ids


class Command(BaseCommand):
    """Escalate for every tenant; what beat does each minute."""

    help = "Raise overdue approval requests to the level their waiting time amounts to."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer machine-readable output."""
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Escalate and report."""
        now, escalated = clock.now(), []
        for tenant in tenant_ids():
            with bound(tenant, actor="system:approvals", reason="approvals_escalate command"):
                escalated += [
                    {
                        "tenant": str(tenant),
                        "request": str(step.request_id),
                        "level": step.level,
                        "due_at": step.due_at.isoformat(),
                    }
                    for step in services.escalate_due(now=now)
                ]
        if options["json"]:
            self.stdout.write(json.dumps({"escalated": escalated}))
            return
        for row in escalated:
            self.stdout.write(f"{row['request']} is on level {row['level']}")
        self.stdout.write(f"{len(escalated)} escalations.")
