"""Recompute the audit chain of every tenant and compare it with the anchors outside."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.audit import chain
from core.errors import DomainError
from tms.ops.proofs import audit_proofs
from tms.ops.tenants import chosen_tenants


class Command(BaseCommand):
    """Exit code 0: every trail is what was sealed. 1: a fault was found, and where."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Choose a tenant, seal first, or ask for JSON."""
        parser.add_argument("--tenant", default="", metavar="SLUG", help="only this tenant")
        parser.add_argument("--seal", action="store_true", help="seal what waits before verifying")
        parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Verify, print, and fail when a trail is not intact."""
        try:
            tenants = chosen_tenants(options["tenant"])
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["seal"]:
            for tenant in tenants:
                while chain.seal(tenant=tenant.id):
                    pass
        proofs = audit_proofs(tenants)
        if options["json"]:
            self.stdout.write(json.dumps({"tenants": [proof.as_json() for proof in proofs]}))
        else:
            for proof in proofs:
                self.stdout.write(proof.as_text())
        if not all(proof.holds for proof in proofs):
            raise CommandError("An audit trail is not intact.", returncode=1)
