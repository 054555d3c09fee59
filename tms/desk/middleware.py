"""Refusals become pages, and every page tells the browser what time it is here."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core import clock
from core.errors import DomainError
from tms.desk.errors import error_page

GetResponse = Callable[[HttpRequest], HttpResponse]


class DeskMiddleware:
    """Show a `DomainError` of a page as an error page; stamp responses with the system's time."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the time that countdowns in the browser follow."""
        response = self.get_response(request)
        response["X-Desk-Time"] = clock.now().isoformat()
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page of a refusal; anything else is not ours."""
        if not isinstance(error, DomainError):
            return None
        return error_page(request, status=error.status, words=error.message)
