"""Play the whole main job against the running system and tell it line by line."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from tms.demo.walking import stage_for
from tms.story.narrator import Line
from tms.story.play import run_story


class Command(BaseCommand):
    """Exit code 0 only when everything really happened; it can be played as often as you like."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Choose the tenant, the address and the form."""
        parser.add_argument("--tenant", default="demo", metavar="SLUG", help="whose day it is")
        parser.add_argument("--url", default="", help="address of the system (default: ours)")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Play, and fail when the story does."""

        def listen(line: Line) -> None:
            text = json.dumps(line.as_json()) if options["json"] else line.as_text()
            self.stdout.write(text)
            self.stdout.flush()

        try:
            with stage_for(slug=options["tenant"], url=options["url"], listen=listen) as stage:
                told = run_story(stage)
        except DomainError as failure:
            if options["json"]:
                end = {"kind": "end", "ok": False, "code": failure.code, "text": failure.message}
                self.stdout.write(json.dumps(end))
            raise CommandError(f"The story ended badly: {failure.message}") from failure
        if options["json"]:
            end = {"kind": "end", "ok": True, "seconds": told.seconds, "transfers": told.transfers}
            self.stdout.write(json.dumps(end))
        else:
            self.stdout.write(f"\nThe whole job, really done, in {told.seconds:.0f} seconds.")
