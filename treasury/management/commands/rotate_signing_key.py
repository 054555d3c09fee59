"""Add a key that signs orders from now on; the one it replaces stays published for a while."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.signing import ALGORITHMS, ES256, FolderKeys, provider


class Command(BaseCommand):
    help = "Add a signing key to the folder of keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the algorithm."""
        parser.add_argument("--algorithm", choices=ALGORITHMS, default=ES256)

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate where the keys are files; elsewhere their keeper rotates them."""
        keys = provider()
        if not isinstance(keys, FolderKeys):
            raise CommandError("These keys are rotated where they are kept.")
        self.stdout.write(keys.rotate(options["algorithm"]))
