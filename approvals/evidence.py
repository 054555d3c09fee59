"""How the person behind a web request proved who they are, and that they saw this content."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

from approvals.services import Evidence
from core.api.actor import actor
from core.identity import step_up


def evidence_of(
    request: Request | HttpRequest, *, content_hash: str = "", code: str = ""
) -> Evidence:
    """Return the proof that a decision keeps: method, instant of the sign-in, address, step-up.

    Raises:
        StepUpFailed: the code does not fit.
    """
    proof = _stepped_up(request, content_hash, code)
    token: Any = getattr(request, "auth", None)
    ip = request.META.get("REMOTE_ADDR") or None
    if token is not None:
        issued = datetime.fromtimestamp(int(token["iat"]), tz=UTC)
        return Evidence(auth_method="bearer token", auth_at=issued, ip=ip, step_up=proof)
    user: Any = request.user
    is_second_factor = callable(getattr(user, "is_verified", None)) and user.is_verified()
    return Evidence(
        auth_method="session, second factor" if is_second_factor else "session",
        auth_at=user.last_login,
        ip=ip,
        step_up=proof,
    )


def _stepped_up(request: Request | HttpRequest, content_hash: str, code: str) -> UUID | None:
    if not code:
        return None
    return step_up.prove_with_code(user=actor(request), code=code, content_hash=content_hash).pk
