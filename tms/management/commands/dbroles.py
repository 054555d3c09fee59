"""Print how to reach the database in each of our roles. The answer holds passwords."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from tms.ops.roles import connection_strings


class Command(BaseCommand):
    """One line per role: `owner` migrates, `app` serves and is confined by the walls."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Offer an object for machines."""
        parser.add_argument("--json", action="store_true", help="role name → connection string")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the connection strings."""
        roles = connection_strings()
        if options["json"]:
            self.stdout.write(json.dumps(roles))
            return
        for name, address in roles.items():
            self.stdout.write(f"{name:<6} {address}")
