"""Hand out a message's bytes so that a browser saves them and never runs them."""

from typing import Final

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from integrations import selectors
from integrations.models import Message

ROLES_FOR_BYTES: Final = (
    "treasury_maker",
    "treasury_checker",
    "treasury_manager",
    "back_office",
    "recon_analyst",
    "risk_officer",
    "auditor",
    "tenant_admin",
)


def as_download(message: Message) -> HttpResponse:
    """Return the bytes under the message's own name."""
    response = HttpResponse(
        selectors.message_bytes(message.pk), content_type="application/octet-stream"
    )
    response["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=message.name.replace("/", "_")
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Message-SHA256"] = message.sha256
    return response
