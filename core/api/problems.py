"""One error shape on the wire: problem+json (RFC 9457) with a stable code."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import ProgrammingError, transaction
from django.http import Http404
from django_fsm import ConcurrentTransition, TransitionNotAllowed
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from core.errors import DomainError, Forbidden, NotFound
from core.events.bus import jsonable
from core.tenancy.refusals import four_eyes_needed


class StateChanged(DomainError):
    """Somebody else moved the object to another state first."""

    code = "state_changed"


def refusal_of(error: Exception) -> DomainError | None:
    """Return the refusal that an error stands for, or None when it is none.

    Every way in asks here: the API, the desk and the admin refuse the same things in one voice.
    """
    match error:
        case DomainError():
            return error
        case TransitionNotAllowed() | ConcurrentTransition():
            return StateChanged("Its state changed meanwhile; load it again.")
        case ProgrammingError():
            return four_eyes_needed(error)
    return None


def problem(*, status: int, code: str, message: str, **more: Any) -> dict[str, Any]:
    """Return the body of a refusal; `message` repeats as `detail` of RFC 9457."""
    return {
        "type": f"urn:tms:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": message,
        **more,
    }


def _from_domain(error: DomainError) -> Response:
    body = problem(
        status=error.status,
        code=error.code,
        message=error.message,
        context=jsonable(error.context),
    )
    return Response(body, status=error.status)


def _from_validation(error: exceptions.ValidationError) -> Response:
    body = problem(
        status=400,
        code="validation",
        message="Some fields need attention.",
        fields=error.detail,
    )
    return Response(body, status=400)


def _from_framework(error: exceptions.APIException) -> Response:
    code = str(getattr(error, "default_code", "error"))
    body = problem(status=error.status_code, code=code, message=str(error.detail))
    response = Response(body, status=error.status_code)
    wait = getattr(error, "wait", None)
    if wait is not None:
        response["Retry-After"] = str(int(wait))
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = getattr(error, "auth_header", "Bearer")
    return response


def _response_to(error: Exception) -> Response | None:
    refusal = refusal_of(error)
    if refusal is not None:
        return _from_domain(refusal)
    match error:
        case exceptions.ValidationError():
            return _from_validation(error)
        case Http404():
            return _from_domain(NotFound("There is nothing here."))
        case PermissionDenied():
            return _from_domain(Forbidden("Your roles do not allow this."))
    return _from_framework(error) if isinstance(error, exceptions.APIException) else None


def handle(error: Exception, _context: dict[str, Any]) -> Response | None:
    """Map what a view raised to a problem; None lets an unexpected failure become a 500."""
    response = _response_to(error)
    if response is None:
        return None
    response.content_type = "application/problem+json"
    if transaction.get_connection().in_atomic_block:
        transaction.set_rollback(True)
    return response


class ProblemRenderer(JSONRenderer):
    """JSON whose refusals carry the media type application/problem+json."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        """Render, and name the media type of a refusal."""
        response = (renderer_context or {}).get("response")
        if response is not None and response.status_code >= HTTPStatus.BAD_REQUEST:
            response.content_type = "application/problem+json"
        content: bytes = super().render(data, accepted_media_type, renderer_context)
        return content
