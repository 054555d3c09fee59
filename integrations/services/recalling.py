"""Hand the bank a request to stop a payment or send its money back: camt.056."""

import hashlib

from django.db import transaction

from core import clock
from integrations import selectors
from integrations.codecs.recalls import Recall, write_camt056
from integrations.codecs.schemas import validate_schema
from integrations.errors import PreflightRefused
from integrations.models import Direction, Message, MessageState
from integrations.services.queueing import file_name

CAMT056_KIND = "camt.056"


def recall_bytes(recall: Recall) -> bytes:
    """Return the bytes of a recall that the schema does not object to.

    Raises:
        UnwritableMessage: it cannot be expressed.
        PreflightRefused: the schema objects.
    """
    body = write_camt056(recall)
    objections = validate_schema(body)
    if objections:
        raise PreflightRefused(objections)
    return body


@transaction.atomic
def queue_recall(*, recall: Recall, rail: str, connection_code: str) -> Message:
    """Queue a recall in the caller's transaction; the same case again is queued once.

    Raises:
        ConnectionUnknown: no active connection has this code.
        PreflightRefused: the schema objects.
    """
    connection = selectors.connection_named(connection_code)
    known = selectors.messages().outbound().filter(reference=recall.case_id).first()
    if known is not None:
        return known
    body = recall_bytes(recall)
    digest = hashlib.sha256(body).hexdigest()
    return Message.objects.create(
        direction=Direction.OUT,
        connection=connection,
        kind=CAMT056_KIND,
        name=file_name(recall.case_id, digest, CAMT056_KIND),
        body=body,
        sha256=digest,
        size_bytes=len(body),
        state=MessageState.QUEUED,
        rail=rail,
        reference=recall.case_id,
        message_reference=recall.case_id,
        attempt=1,
        due_at=clock.now(),
    )
