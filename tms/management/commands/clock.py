"""Show the demo's clock, or move it forward: for the whole system and the sandbox bank alike."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from tms.demo.clocks import advance_clocks, read_clocks
from tms.ops.durations import parse_duration


class Command(BaseCommand):
    """Local mode only. Time never goes back; what falls due on the way happens."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Either show or advance."""
        wish = parser.add_mutually_exclusive_group(required=True)
        wish.add_argument("--show", action="store_true", help="print the present time of both")
        wish.add_argument("--advance", metavar="STEP", help="go forward by 2h, 90m, 1d12h …")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Move, then show."""
        try:
            if options["advance"]:
                clocks = advance_clocks(step=parse_duration(options["advance"]))
            else:
                clocks = read_clocks()
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(clocks.as_json()))
        else:
            self.stdout.write(clocks.as_text())
