"""How the person behind a web request proved who they are, and that they saw this content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

from approvals.services import Evidence
from core.api.actor import actor
from core.identity import passkeys, step_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The second factor as it came in: six digits, or a passkey's answer."""

    code: str = ""
    passkey: Mapping[str, Any] | None = None


NOTHING_SHOWN = Shown()


def evidence_of(
    request: Request | HttpRequest,
    *,
    content_hash: str,
    shown: Shown = NOTHING_SHOWN,
    acknowledged: Sequence[str] = (),
    delegation: UUID | None = None,
) -> Evidence:
    """Return what a decision keeps: method, instant of the sign-in, address, step-up, warnings.

    Raises:
        StepUpFailed: the code or the passkey does not fit.
    """
    method, signed_in_at = _sign_in(request)
    return Evidence(
        auth_method=method,
        auth_at=signed_in_at,
        ip=request.META.get("REMOTE_ADDR") or None,
        step_up=_stepped_up(request, content_hash, shown),
        acknowledged=tuple(acknowledged),
        delegation=delegation,
    )


def _sign_in(request: Request | HttpRequest) -> tuple[str, datetime | None]:
    token: Any = getattr(request, "auth", None)
    if token is not None:
        return "bearer token", datetime.fromtimestamp(int(token["iat"]), tz=UTC)
    user: Any = request.user
    is_second_factor = callable(getattr(user, "is_verified", None)) and user.is_verified()
    return "session, second factor" if is_second_factor else "session", user.last_login


def _stepped_up(request: Request | HttpRequest, content_hash: str, shown: Shown) -> UUID | None:
    if shown.passkey:
        return passkeys.prove_with_passkey(
            user=actor(request), answer=shown.passkey, content_hash=content_hash
        ).pk
    if not shown.code:
        return None
    return step_up.prove_with_code(
        user=actor(request), code=shown.code, content_hash=content_hash
    ).pk
