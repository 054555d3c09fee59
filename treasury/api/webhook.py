"""Signature of webhooks: HMAC-SHA256 over timestamp, what the address is about, and body."""

import hmac
import re
from hashlib import sha256
from typing import Final

from django.conf import settings
from rest_framework.request import Request

from core import clock
from core.errors import DomainError, Invalid

TOLERANCE_SECONDS: Final = 300
BODY_BYTES_MAX: Final = 64 * 1024
TIMESTAMP_HEADER: Final = "X-TMS-Timestamp"
SIGNATURE_HEADER: Final = "X-TMS-Signature"
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class SignatureRefused(DomainError):
    """The webhook's signature is missing, wrong or too old."""

    code = "signature_refused"
    status = 401


def signature(timestamp: str, body: bytes, *, about: str = "") -> str:
    """Return the header's signature of a body sent at `timestamp` (Unix seconds).

    It covers `TIMESTAMP.BODY`, or `TIMESTAMP.ABOUT.BODY` where the address names what the report
    is about (a UETR): a report about one payment is none about another.
    """
    key = str(settings.TMS_WEBHOOK_KEY).encode()
    start = f"{timestamp}.{about}." if about else f"{timestamp}."
    digest = hmac.new(key, start.encode() + body, sha256).hexdigest()
    return f"v1={digest}"


def verify(request: Request, *, about: str = "") -> None:
    """Check the signature of a request before anything of its body is believed.

    Raises:
        SignatureRefused: missing, wrong, or signed more than five minutes away from now.
        Invalid: the body is larger than a balance can be.
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
        raise Invalid(f"The body has at most {BODY_BYTES_MAX} bytes.", field="body")
    timestamp = request.headers.get(TIMESTAMP_HEADER, "")
    given = request.headers.get(SIGNATURE_HEADER, "")
    if not _TIMESTAMP.fullmatch(timestamp) or not given:
        raise SignatureRefused(f"Send {TIMESTAMP_HEADER} and {SIGNATURE_HEADER}.")
    body = request._request.body  # noqa: SLF001 - the bytes that were signed
    expected = signature(timestamp, body, about=about)
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise SignatureRefused("The signature does not fit the body and what it is about.")
    if abs(clock.now().timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureRefused("The signature is older than five minutes.")
