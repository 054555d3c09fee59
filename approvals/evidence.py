"""How the person behind a web request proved who they are."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from approvals.services import Evidence


def evidence_of(request: Request | HttpRequest) -> Evidence:
    """Return the proof that a decision keeps: method, instant of the sign-in, address."""
    token: Any = getattr(request, "auth", None)
    ip = request.META.get("REMOTE_ADDR") or None
    if token is not None:
        issued = datetime.fromtimestamp(int(token["iat"]), tz=UTC)
        return Evidence(auth_method="bearer token", auth_at=issued, ip=ip)
    user: Any = request.user
    is_second_factor = callable(getattr(user, "is_verified", None)) and user.is_verified()
    return Evidence(
        auth_method="session, second factor" if is_second_factor else "session",
        auth_at=user.last_login,
        ip=ip,
    )
