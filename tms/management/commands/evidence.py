"""Write the evidence of one payment, or of all payments of a period, into a folder."""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError, Invalid
from core.tenancy import bound
from tms.management.commands.audit_export import day, start_of
from tms.ops.tenants import chosen_tenants
from treasury import evidence
from treasury.evidence.packing import Packed
from treasury.selectors import movement


class Command(BaseCommand):
    """JSON and PDF for each payment, an index for a period, and a signed manifest."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Choose one payment by its reference, or a period (both days included)."""
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="whose payments")
        parser.add_argument("--transfer", default="", metavar="REFERENCE", help="like FMP-000017")
        parser.add_argument("--from", dest="since", type=day, metavar="DAY", help="first day")
        parser.add_argument("--to", dest="until", type=day, metavar="DAY", help="last day")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write, and say how many files."""
        try:
            (tenant,) = chosen_tenants(options["tenant"])
            with bound(tenant.id, actor="system:evidence"):
                packed = self._write(options, options["out"].expanduser().absolute())
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{packed.folder}: {len(packed.names)} files")

    def _write(self, options: dict[str, Any], folder: Path) -> Packed:
        if options["transfer"]:
            found = movement.transfers().filter(end_to_end_id=options["transfer"]).first()
            if found is None:
                raise Invalid(f"There is no transfer {options['transfer']}.")
            return evidence.write_pack(transfer_id=found.pk, folder=folder)
        since = start_of(options["since"])
        until = start_of(options["until"] + timedelta(days=1)) if options["until"] else None
        if since is None or until is None:
            raise Invalid("Name a payment with --transfer, or a period with --from and --to.")
        return evidence.write_period(since=since, until=until, folder=folder)
