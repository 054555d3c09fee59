"""Make demo tenants with people, accounts, a believable past and a need today."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from tms.demo.places import PEOPLE_TEXT, refuse_outside_demo
from tms.demo.roll import as_roll
from tms.demo.seeding import (
    DAYS_DEFAULT,
    QUICK_DAYS,
    Wish,
    is_complete,
    refresh_all,
    seed_demo,
)


class Command(BaseCommand):
    """Local and test mode only. What is there is kept; what is unfinished is finished."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say how much."""
        parser.add_argument("--tenants", type=int, default=1, help="how many tenants (default 1)")
        parser.add_argument("--seed", type=int, default=7, help="the same seed, the same demo")
        parser.add_argument(
            "--days", type=int, default=DAYS_DEFAULT, help=f"days of past ({DAYS_DEFAULT})"
        )
        parser.add_argument(
            "--quick", action="store_true", help=f"{QUICK_DAYS} days of past instead of a year"
        )
        parser.add_argument(
            "--if-empty", action="store_true", help="only refresh when the demo is there already"
        )
        parser.add_argument("--json", action="store_true", help="print people and state as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Seed or refresh, then print who can sign in."""
        days = min(options["days"], QUICK_DAYS) if options["quick"] else options["days"]
        wish = Wish(tenants=options["tenants"], seed=options["seed"], days=days)
        say = self._say_aside if options["json"] else self._say
        try:
            refuse_outside_demo()
            if options["if_empty"] and is_complete(tenants=wish.tenants):
                report = refresh_all()
            else:
                report = seed_demo(wish=wish, say=say)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(asdict(report)))
        elif not report.made:
            self._say(f"The demo is there: {', '.join(report.kept)} ({report.seconds} s).")
        else:
            self._say(f"Done in {report.seconds} s. People are in $TMS_HOME/{PEOPLE_TEXT}:\n")
            self._say(as_roll({"tenants": report.tenants}))

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _say_aside(self, text: str) -> None:
        self.stderr.write(text)
