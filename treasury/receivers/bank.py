"""Bank messages become statements, entries and balances."""

from typing import Final
from uuid import UUID

from core.events import Envelope, subscribe
from treasury.services import ingest

# Files that are no bank message at all were set aside by who collected them.
UNKNOWN_KIND: Final = "UNKNOWN"


@subscribe("integrations.message.received", consumer="treasury.statements")
def read_message(envelope: Envelope) -> None:
    """Read an archived message into the books."""
    if envelope.payload["kind"] != UNKNOWN_KIND:
        ingest.ingest_message(message_id=UUID(envelope.payload["message_id"]))
