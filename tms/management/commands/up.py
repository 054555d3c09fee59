"""`manage.py up`: the whole system in the foreground."""

from __future__ import annotations

import sys

from django.core.management.base import BaseCommand, CommandParser

from tms.run.up import add_arguments, start


class Command(BaseCommand):
    help = "Run servers, migrations, all programs and the sandbox bank until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: object, **options: str) -> None:
        sys.exit(
            start(only=options["only"], without=options["without"], as_json=bool(options["json"]))
        )
