"""Put events that could not be delivered back to work, after their cause was mended."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from tms.ops.dead_letters import DeadLetters, dead_letters, replay
from tms.ops.tenants import chosen_tenants


class Command(BaseCommand):
    """Replay dead letters, or only list them; delivering twice is harmless."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Choose tenant and consumer."""
        parser.add_argument("--tenant", default="", metavar="SLUG", help="only this tenant")
        parser.add_argument(
            "--consumer", default="", help="only this consumer's, like room.purpose"
        )
        parser.add_argument("--list", action="store_true", help="show them and change nothing")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Replay or list."""
        try:
            tenants = chosen_tenants(options["tenant"])
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        found = [dead_letters(tenant=tenant, consumer=options["consumer"]) for tenant in tenants]
        if not options["list"]:
            for tenant in tenants:
                replay(tenant=tenant, consumer=options["consumer"])
        if options["json"]:
            self.stdout.write(json.dumps({"tenants": [one.as_json() for one in found]}))
            return
        for one in found:
            self._tell(one, replayed=not options["list"])

    def _tell(self, one: DeadLetters, *, replayed: bool) -> None:
        verb = "put back to work" if replayed else "waiting"
        self.stdout.write(f"{one.tenant.slug}: {len(one.letters)} dead letters {verb}")
        for letter in one.letters:
            self.stdout.write(f"  {letter.consumer}  {letter.topic}  {letter.reason}")
