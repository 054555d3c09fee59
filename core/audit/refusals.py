"""Refused attempts enter the trail, written after the rollback in a transaction of their own.

An entry says who tried what on which object and with which code it was refused; never a body, a
query or a name. `refuse` is for whoever answers a refusal with a friendly page, `tell` for buttons
that lead on to another one: the answer is not an error, the attempt still counts as refused.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import structlog
from django.contrib import messages
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.errors import DomainError
from core.tenancy import bound

logger = structlog.get_logger(__name__)

PER_ACTOR_AND_MINUTE_MAX: Final = 60
PATH_CHARS_MAX: Final = 200
_MARK: Final = "TMS_REFUSED"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# What counts as refused: for reads what was forbidden or hidden, for writes what was turned down.
_REFUSED_READS: Final = frozenset({401, 403, 404})
_REFUSED_WRITES: Final = frozenset({401, 403, 404, 409, 422})
_CODES: Final = {401: "not_authenticated", 403: "forbidden", 404: "not_found", 422: "invalid"}
_OBJECT = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_CODE = re.compile(r"[a-z0-9_.-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody tried: the template of the address, the object, and how it was answered."""

    method: str
    path: str
    code: str
    status: int
    object_id: str = ""
    on_behalf_of: str = ""


def refuse(request: HttpRequest, error: DomainError, *, on_behalf_of: str = "") -> None:
    """Mark a request as refused whose answer will not look like an error."""
    request.META[_MARK] = (error.code, error.status, on_behalf_of)


def tell(request: HttpRequest, refusal: DomainError) -> None:
    """Show a refusal on the next page, and let the attempt count as refused all the same."""
    messages.error(request, refusal.message)
    refuse(request, refusal)


def attempt_of(request: HttpRequest, response: HttpResponseBase) -> Attempt | None:
    """Return the refused attempt that this answer stands for, or None."""
    marked = request.META.get(_MARK)
    code, status, on_behalf_of = marked or (_code_of(response), response.status_code, "")
    match = request.resolver_match
    is_read = request.method in _SAFE_METHODS
    object_id = _object_of(match.kwargs if match else {})
    if status not in (_REFUSED_READS if is_read else _REFUSED_WRITES):
        return None
    if is_read and status == HTTPStatus.NOT_FOUND and not object_id:
        return None
    return Attempt(
        method=request.method or "GET",
        path=(match.route if match else "")[:PATH_CHARS_MAX],
        code=code if _CODE.fullmatch(code) else "refused",
        status=status,
        object_id=object_id,
        on_behalf_of=on_behalf_of,
    )


def _code_of(response: HttpResponseBase) -> str:
    body = getattr(response, "data", None)
    found = body.get("code") if isinstance(body, dict) else None
    return str(found or _CODES.get(response.status_code, "conflict"))


def _object_of(kwargs: dict[str, Any]) -> str:
    for value in kwargs.values():
        text = str(value)
        if _OBJECT.fullmatch(text):
            return text
    return ""


def record(
    *, tenant: UUID | str, actor: UUID | str, request_id: str = "", attempt: Attempt
) -> bool:
    """Write one refused attempt in a transaction of its own; return whether there was room.

    Call it outside the transaction that was refused: what is written inside goes with it.
    """
    with bound(tenant, actor=actor, request=request_id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT core_audit_refused(%s, %s, %s, %s, %s, %s, %s)",
            [
                attempt.method,
                attempt.path,
                attempt.object_id,
                attempt.code,
                attempt.status,
                attempt.on_behalf_of,
                PER_ACTOR_AND_MINUTE_MAX,
            ],
        )
        return bool(cursor.fetchone()[0])


def record_answer(
    *, tenant: str, actor: str | None, request: HttpRequest, response: HttpResponseBase
) -> None:
    """Record what an answer refused, if it did. A trail that is away never changes the answer."""
    attempt = attempt_of(request, response) if actor else None
    if attempt is None or actor is None:
        return
    try:
        record(
            tenant=tenant,
            actor=actor,
            request_id=request.META.get("TMS_REQUEST_ID", ""),
            attempt=attempt,
        )
    except DatabaseError as error:
        logger.exception("refusal_not_recorded", code=attempt.code, error=type(error).__name__)
