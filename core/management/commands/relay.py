"""Run the relay: number committed events, send them outwards, deliver them."""

import argparse
import signal
from typing import Any, Final

import psycopg
import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from core.checks import refuse_unless_safe
from core.events.drain import drain_all
from core.events.listening import Listener
from core.events.relay import relay_all
from core.events.transports import BusUnavailable, transport

logger = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 2.0
TROUBLE_SECONDS: Final = 0.5


class Command(BaseCommand):
    """Loop: wait for a NOTIFY (or two seconds), then send and deliver whatever is committed."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Offer a single pass, for scripts."""
        parser.add_argument("--once", action="store_true", help="one pass, then exit")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Relay until told to stop; trouble with a server is waited out."""
        refuse_unless_safe()
        bus = transport()
        if options["once"]:
            relay_all(bus)
            drain_all()
            return
        stop = {"asked": False}
        signal.signal(signal.SIGTERM, lambda *_: stop.update(asked=True))
        listener: Listener | None = None
        self.stdout.write("relay: ready")
        while not stop["asked"]:
            try:
                listener = listener or Listener()
                relay_all(bus)
                drain_all()
                listener.wait(IDLE_SECONDS)
            except (DatabaseError, psycopg.Error, BusUnavailable, RedisError, OSError) as error:
                logger.warning("relay_waits", error=type(error).__name__)
                connection.close()
                if listener is not None:
                    listener.close()
                listener = None
                signal.sigtimedwait([], TROUBLE_SECONDS)
