"""Write the database, the audit anchors and a signed manifest into one private file."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from tms.ops.backup.writing import write_backup
from tms.run.config import RunConfig
from tms.run.servers import servers_up


class Command(BaseCommand):
    """The secrets are not in the file: keep $TMS_HOME/secrets.json elsewhere, and safe."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say where to."""
        parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="a new file")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Back up; servers of our own are started when they are not running."""
        target: Path = options["to"].expanduser().absolute()
        if not target.parent.is_dir():
            raise CommandError(f"There is no folder {target.parent}.")
        try:
            with servers_up(RunConfig.load()):
                written = write_backup(to=target)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if options["json"]:
            facts = {"file": str(written.file), "bytes": written.size_bytes}
            manifest = asdict(written.manifest)
            self.stdout.write(
                json.dumps({**facts, "seconds": written.seconds, "manifest": manifest})
            )
            return
        self.stdout.write(
            f"{written.file}: {written.size_bytes:,} bytes in {written.seconds} s,"
            f" {written.manifest.tenants} tenants, PostgreSQL {written.manifest.server_version}.\n"
            "Without the secrets of this installation it cannot be restored; they are not in it."
        )
