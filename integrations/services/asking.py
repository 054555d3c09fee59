"""Hand the bank a wish for a report of one account: camt.060. It can never pay."""

import hashlib

from django.db import transaction

from core import clock
from integrations import selectors
from integrations.codecs.inquiries import ReportRequest, write_camt060
from integrations.models import ConnectionKind, Direction, Message, MessageState
from integrations.services.queueing import file_name

CAMT060_KIND = "camt.060"
FILE_LINES = (ConnectionKind.FOLDER, ConnectionKind.SFTP)


def takes_report_requests(connection_code: str) -> bool:
    """Return whether a bank is asked for reports: a line of files whose profile says so.

    Raises:
        ConnectionUnknown: no active connection has this code.
    """
    connection = selectors.connection_named(connection_code)
    return connection.kind in FILE_LINES and selectors.writing_of(connection).report_requests


def latest_report_request(prefix: str) -> Message | None:
    """Return the latest wish whose reference begins like this."""
    asked = selectors.messages().outbound().filter(kind=CAMT060_KIND)
    return asked.filter(reference__startswith=prefix).order_by("-id").first()


@transaction.atomic
def queue_report_request(*, request: ReportRequest, connection_code: str) -> Message:
    """Queue a wish for a report in the caller's transaction.

    Raises:
        ConnectionUnknown: no active connection has this code.
        UnwritableMessage: it cannot be expressed.
    """
    connection = selectors.connection_named(connection_code)
    body = write_camt060(request)
    digest = hashlib.sha256(body).hexdigest()
    return Message.objects.create(
        direction=Direction.OUT,
        connection=connection,
        kind=CAMT060_KIND,
        name=file_name(request.message_id, digest, CAMT060_KIND),
        body=body,
        sha256=digest,
        size_bytes=len(body),
        state=MessageState.QUEUED,
        reference=request.message_id,
        message_reference=request.message_id,
        attempt=1,
        due_at=clock.now(),
    )
