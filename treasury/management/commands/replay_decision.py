"""Decide again from a stored record; say whether the very same comes out."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core.errors import NotFound
from core.tenancy import bound, tenant_ids
from treasury.services.sweeps import Replay, replay_decision


class Command(BaseCommand):
    help = "Replay a sweep decision from its record; fails when another one comes out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the decision's id."""
        parser.add_argument("decision", type=UUID)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the identical record, or where the two differ."""
        found = self._replayed(options["decision"])
        if found.is_identical:
            self.stdout.write(found.record)
            return
        for path, stored, anew in found.differences:
            self.stderr.write(f"{path}: stored {stored}, replayed {anew}")
        words = "The replay differs." if found.differences else "The stored bytes were changed."
        raise CommandError(words, returncode=2)

    def _replayed(self, decision: UUID) -> Replay:
        for tenant in tenant_ids():
            with bound(tenant, actor="system:replay"):
                try:
                    return replay_decision(decision_id=decision)
                except NotFound:
                    continue
        raise CommandError("There is no such decision.")
