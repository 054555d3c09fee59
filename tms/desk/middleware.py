"""Refusals become pages, and every page tells the browser what time it is here."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from core import clock
from core.api.problems import refusal_of
from core.audit import refusals
from tms.desk.errors import error_page

GetResponse = Callable[[HttpRequest], HttpResponse]
_REDIRECTS: Final = (301, 302, 303)


def is_fragment(request: HttpRequest) -> bool:
    """Return whether a panel asks, not a person who changes the page."""
    return request.headers.get("HX-Request") == "true"


class DeskMiddleware:
    """Show the refusal of a page as a page or, inside a panel, as a notice.

    A panel whose reader was signed out must not swallow the sign-in page: the browser goes there.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the time that countdowns in the browser follow."""
        response = self.get_response(request)
        if is_fragment(request) and self._leads_to_sign_in(response):
            response = self._whole_page_to_sign_in(request)
        response["X-Desk-Time"] = clock.now().isoformat()
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page or notice of a refusal; anything else is not ours."""
        refusal = refusal_of(error)
        if refusal is None:
            return None
        if is_fragment(request):
            context = {"words": refusal.message}
            page = render(request, "desk/fragments/refusal.html", context, status=refusal.status)
        else:
            page = error_page(request, status=refusal.status, words=refusal.message)
        refusals.refuse(request, refusal)
        return page

    def _leads_to_sign_in(self, response: HttpResponse) -> bool:
        target = response.headers.get("Location", "")
        return response.status_code in _REDIRECTS and target.startswith(reverse("sign-in"))

    def _whole_page_to_sign_in(self, request: HttpRequest) -> HttpResponse:
        page = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
        response = HttpResponse(status=204)
        response["HX-Redirect"] = f"{reverse('sign-in')}?{urlencode({'next': page})}"
        return response
