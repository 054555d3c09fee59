"""Export a tenant's audit trail, so that an auditor can verify it without this system."""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.audit.export import export
from core.errors import DomainError
from tms.ops.tenants import chosen_tenants


def day(text: str) -> date:
    """Read a day like 2026-11-17, as UTC days are counted."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day like 2026-11-17.") from error


def start_of(wanted: date | None) -> datetime | None:
    """Return the first instant of a day in UTC."""
    return datetime.combine(wanted, time(), UTC) if wanted else None


class Command(BaseCommand):
    """Verify what it wrote with `python verifier/verify.py DIR --key PUBLIC_KEY`."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Choose the tenant, the period (both days included) and a new folder."""
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="whose trail")
        parser.add_argument("--from", dest="since", type=day, metavar="DAY", help="first day")
        parser.add_argument("--to", dest="until", type=day, metavar="DAY", help="last day")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Export and say which key verifies it."""
        until: date | None = options["until"]
        try:
            (tenant,) = chosen_tenants(options["tenant"])
            made = export(
                tenant=tenant.id,
                folder=options["out"].expanduser().absolute(),
                since=start_of(options["since"]),
                until=start_of(until + timedelta(days=1)) if until else None,
            )
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if options["json"]:
            self.stdout.write(json.dumps({**asdict(made), "folder": str(made.folder)}))
            return
        self.stdout.write(
            f"{made.folder}: {made.entries_count:,} entries, links {made.first_sequence} to"
            f" {made.last_sequence}, head {made.head}\n"
            f"Verify with: python verifier/verify.py {made.folder} --key {made.public_key}"
        )
