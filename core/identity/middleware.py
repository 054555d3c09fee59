"""Around every request: which second factor opened the session, and wrong codes that must count."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from core.identity.models import User
from core.identity.sessions import live_session
from core.identity.step_up import remembering_failures
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import current_scope

GetResponse = Callable[[HttpRequest], HttpResponse]
SECOND_FACTOR_SESSION_KEY: Final = "tms_second_factor"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def is_background(request: HttpRequest) -> bool:
    """Return whether a page asks by itself: a panel that refreshes, not one that a person chose."""
    asks = request.headers.get("HX-Request") == "true" and request.method in _SAFE_METHODS
    return asks and request.headers.get("X-Desk-Chosen") != "true"


class StepUpFailuresMiddleware:
    """Count the wrong codes of a request after its transaction ended, rolled back or not."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request; it stands outside of `TenantMiddleware`."""
        with remembering_failures():
            return self.get_response(request)


class SessionsMiddleware:
    """Sign out whose session is over; it stands between the tenant and the user."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request, without anybody signed in when the session is over."""
        scope = current_scope()
        user_id = request.session.get(SESSION_KEY) if scope else None
        # A bearer token binds the tenant of the token: the session has no part in it.
        if scope and user_id and request.session.get(TENANT_SESSION_KEY) == str(scope.tenant):
            second_factor = request.session.get(SECOND_FACTOR_SESSION_KEY, "")
            is_live = live_session(
                request=request,
                user_id=user_id,
                second_factor=second_factor,
                is_background=is_background(request),
            )
            if not is_live:
                request.session.flush()
        return self.get_response(request)


class SecondFactorMiddleware:
    """Tell the user which second factor opened this session, as the session remembers it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request; the user is looked at only when somebody asks for it."""
        user = SimpleLazyObject(partial(_with_second_factor, request, request.user))
        request.user = user  # type: ignore[assignment]
        return self.get_response(request)


def _with_second_factor(request: HttpRequest, user: Any) -> Any:
    if isinstance(user, User):
        user.second_factor = request.session.get(SECOND_FACTOR_SESSION_KEY, "")
    return user
