"""Keep the lines to the banks going: send, ask, fetch, every second until told to stop."""

import argparse
import json
import random
import signal
import threading
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from core.checks import refuse_unless_safe
from core.errors import DomainError
from core.tenancy import tenant_ids
from integrations import services

logger = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 1.0


def one_round(tenant: UUID, rng: random.Random) -> dict[str, Any]:
    """Do once what there is to do for a tenant; return the counts."""
    sent = services.dispatch_due(tenant=tenant, rng=rng)
    asked = services.enquire_unknown(tenant=tenant, rng=rng)
    fetched = services.collect_inbound(tenant=tenant)
    probes = services.probe_requested(tenant=tenant)
    return {**asdict(sent), **asdict(asked), **asdict(fetched), "probes": len(probes)}


class Command(BaseCommand):
    """Loop over all tenants; trouble with the database is waited out."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Offer a single round, for scripts."""
        parser.add_argument("--once", action="store_true", help="one round, then exit")
        parser.add_argument("--json", action="store_true", help="print each round's counts")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until SIGTERM."""
        refuse_unless_safe()
        stop, rng = threading.Event(), random.SystemRandom()
        if not options["once"]:
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            signal.signal(signal.SIGINT, lambda *_: stop.set())
            if not options["json"]:
                self.stdout.write("channels: ready")
        while not stop.is_set():
            try:
                for tenant in tenant_ids():
                    self._visit(tenant, rng, as_json=options["json"])
            except DatabaseError as error:
                logger.warning("channels_wait", error=type(error).__name__)
                connection.close()
            if options["once"]:
                return
            stop.wait(ROUND_SECONDS)

    def _visit(self, tenant: UUID, rng: random.Random, *, as_json: bool) -> None:
        try:
            counts = one_round(tenant, rng)
        except DomainError as refusal:  # one tenant's trouble must not silence the others
            logger.warning("channels_round", tenant=str(tenant), code=refusal.code)
            return
        if as_json:
            self.stdout.write(json.dumps({"tenant": str(tenant), **counts}))
