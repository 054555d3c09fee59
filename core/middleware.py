"""Bind the caller's tenant around the view, in the transaction that the view works in."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, cast

import structlog
from csp.decorators import csp_replace
from django.conf import settings
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from psycopg.errors import LockNotAvailable, QueryCanceled
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from core.api.problems import problem
from core.audit import refusals
from core.ids import uuid7
from core.tenancy import bound

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
TENANT_SESSION_KEY: Final = "tms_tenant"
# Signing in happens before a tenant is known; a refused attempt must be counted, not rolled back.
UNBOUND_PATHS: Final = frozenset({"/sign-in", "/api/v1/token", "/api/v1/token/refresh"})
PERMISSIONS: Final = (
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=(),"
    " publickey-credentials-get=(self), publickey-credentials-create=(self)"
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


class RequestIdMiddleware:
    """Give every request an id (or take a well-formed one over), for the answer and all logs."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Bind the id to the log context for the length of the request."""
        offered = request.headers.get("X-Request-ID", "")
        request_id = offered if _REQUEST_ID.fullmatch(offered) else uuid7().hex
        request.META["TMS_REQUEST_ID"] = request_id
        with structlog.contextvars.bound_contextvars(trace_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class TenantMiddleware:
    """Open `bound(tenant)` for a session or bearer token; commit only what succeeded.

    Tenant and actor come from the server's own session or from a verified token, never from a
    header, a path or a parameter. A response of status 400 or above rolls everything back; what
    it refused is then recorded in a transaction of its own.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request inside its tenant, or without any when nobody is known."""
        try:
            tenant, who = self._caller(request)
            return self._bound(request, tenant, who) if tenant else self.get_response(request)
        except OperationalError as error:
            return _unavailable(request, error)

    def _bound(self, request: HttpRequest, tenant: str, who: str | None) -> HttpResponse:
        with bound(tenant, actor=who, request=request.META.get("TMS_REQUEST_ID", "")):
            response = self.get_response(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                transaction.set_rollback(True)
        refusals.record_answer(tenant=tenant, actor=who, request=request, response=response)
        return response

    def _caller(self, request: HttpRequest) -> tuple[str | None, str | None]:
        if request.path in UNBOUND_PATHS:
            return None, None
        header = request.headers.get("Authorization", "")
        if header.startswith("Bearer "):
            try:
                token = AccessToken(header.removeprefix("Bearer "))  # type: ignore[arg-type]
            except TokenError:
                return None, None
            return token.get("tenant"), token.get("user_id")
        tenant = request.session.get(TENANT_SESSION_KEY)
        return tenant, request.session.get("_auth_user_id")

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 503 when the database is away or a lock is taken; anything else is a 500."""
        if transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)
        return _unavailable(request, error) if isinstance(error, OperationalError) else None


def _unavailable(request: HttpRequest, error: OperationalError) -> HttpResponse:
    busy = isinstance(error.__cause__, LockNotAvailable | QueryCanceled)
    code = "busy" if busy else "database_unavailable"
    logger.error(code, error=type(error.__cause__ or error).__name__)
    message = (
        "Somebody else is changing this right now." if busy else "The database is not reachable."
    )
    body = problem(status=503, code=code, message=f"{message} Please try again in a moment.")
    response: HttpResponse
    if request.accepts("text/html") and not request.path.startswith("/api/"):
        response = render(request, "desk/errors/503.html", {"problem": body}, status=503)
    else:
        response = JsonResponse(body, status=503, content_type="application/problem+json")
    response["Retry-After"] = "2"
    return response


class SecurityHeadersMiddleware:
    """Headers that Django and django-csp do not set themselves."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add them to every response; pages with figures are never stored by shared caches."""
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not request.path.startswith(settings.STATIC_URL):
            response.setdefault("Cache-Control", "no-store")
        return response


class AdminPolicyMiddleware:
    """Give the admin's pages the one policy that its theme can live with; the rest stays strict."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.get_admin_response = csp_replace(settings.TMS_ADMIN_POLICY)(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Mark the response; the policy's own middleware outside writes the header."""
        if request.path.startswith("/admin/"):
            return cast("HttpResponse", self.get_admin_response(request))
        return self.get_response(request)
