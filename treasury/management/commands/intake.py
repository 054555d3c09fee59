"""Take in balances that another system puts on the event bus, until told to stop."""

import argparse
import signal
import threading
from contextlib import closing
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from core.checks import refuse_unless_safe
from core.events.sources import Source, source
from core.events.transports import KAFKA, BusUnavailable
from core.tenancy import Tenant, bound, tenant_ids
from treasury.api.bus import key_of, take_in
from treasury.events import CashPosition

logger = structlog.get_logger(__name__)

WAIT_SECONDS: Final = 1.0
FIRST_SECONDS: Final = 1.5  # below what the client waits for an answer
TROUBLE_SECONDS: Final = 0.5


class Command(BaseCommand):
    """Loop: take what is there, record it, acknowledge it; trouble with a server is waited out."""

    help = "Take in balances from the stream or topic that TMS_POSITIONS_TOPIC names."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Offer to stop where nothing more is there, for scripts."""
        parser.add_argument("--once", action="store_true", help="take what is there, then exit")
        parser.add_argument(
            "--key", metavar="SLUG", help="print id and key of who reports for a tenant, then exit"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Take in until told to stop."""
        if options["key"]:
            self.stdout.write(_key(options["key"]))
            return
        name = _name()
        refuse_unless_safe()
        if options["once"]:
            with closing(source(name)) as way:
                while _round(way, seconds=FIRST_SECONDS):
                    pass
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("intake: ready")
        take_until(stop, name)


def take_until(stop: threading.Event, name: str) -> None:
    """Take in until told to stop; trouble with a server is waited out."""
    while not stop.is_set():
        try:
            with closing(source(name)) as way:
                while not stop.is_set():
                    _round(way)
        except (DatabaseError, BusUnavailable) as error:
            # What was not acknowledged comes again, to whoever opens the way anew.
            logger.warning("intake_waits", error=type(error).__name__)
            connection.close()
            stop.wait(TROUBLE_SECONDS)


def _round(way: Source, *, seconds: float = WAIT_SECONDS) -> int:
    """Take one batch in; return how many there were."""
    batch = way.take(seconds)
    if batch:
        way.done(batch, take_in(batch))
    return len(batch)


def _key(slug: str) -> str:
    """Return the id of a tenant and the key that its reports are signed with.

    Raises:
        CommandError: there is no such tenant.
    """
    for tenant in tenant_ids():
        with bound(tenant, actor="system:command"):
            if Tenant.objects.get(pk=tenant).slug == slug:
                return f"{tenant} {key_of(tenant)}"
    raise CommandError(f"There is no tenant {slug}.")


def _name() -> str:
    """Return the stream or topic to read.

    Raises:
        CommandError: none is named, or it is the one that we write ourselves.
    """
    name = settings.TMS_POSITIONS_TOPIC
    if not name:
        raise CommandError("Name the stream or topic in TMS_POSITIONS_TOPIC.")
    ours = CashPosition.topic if settings.TMS_EVENT_BUS == KAFKA else f"tms:{CashPosition.topic}"
    if name == ours:
        raise CommandError(f"{name} is what we write ourselves; read another one.")
    return str(name)
