"""Restore a backup into an empty database, then verify walls, audit trail and books."""

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from tms.ops.backup.restoring import Drill, restore_backup
from tms.run.config import RunConfig
from tms.run.servers import servers_up


class Command(BaseCommand):
    """Exit code 0: restored and proven. 1: refused, or a proof does not hold."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say from where, and into what."""
        parser.add_argument(
            "--from", type=Path, required=True, metavar="FILE", dest="source", help="the backup"
        )
        parser.add_argument(
            "--into",
            default="",
            metavar="NEW_DB",
            help="a new database on the same server (default: our own one, which must be empty)",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Restore and verify; servers of our own are started when they are not running."""
        try:
            with servers_up(RunConfig.load()):
                drill = restore_backup(source=options["source"], into=options["into"])
        except DomainError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.message}") from refusal
        self.stdout.write(json.dumps(drill.as_json()) if options["json"] else as_text(drill))
        if not drill.holds:
            raise CommandError("The restored copy does not prove itself.")


def as_text(drill: Drill) -> str:
    """Return the outcome for people."""
    seconds = drill.restore_seconds + drill.verify_seconds
    lines = [
        f"Restored into {drill.database}; anchors in {drill.anchors}.",
        *(f"  wall: {fault}" for fault in drill.walls),
        *(f"  audit: {proof.as_text()}" for proof in drill.audit),
        *(f"  books: {proof.as_text()}" for proof in drill.books),
        f"RTO: {seconds:.1f} s, {drill.restore_seconds:.1f} s of it restoring.",
        f"RPO: the data is as of {drill.manifest.made_at}, {drill.data_age} ago.",
    ]
    return "\n".join(lines)
