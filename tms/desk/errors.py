"""Error pages. They ask the database nothing: it may be the reason why they are shown."""

from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from core.api.problems import problem

_PAGES: Final[dict[int, tuple[str, str]]] = {
    400: (
        "The request was not understood",
        "Please go back and try again. Nothing was changed.",
    ),
    403: ("You may not do this", "Your roles do not allow this page or action."),
    404: (
        "There is nothing here",
        "The page does not exist, or it belongs to somebody else.",
    ),
    409: ("This is not possible now", "Somebody else may have been faster. Nothing was changed."),
    422: ("This cannot be accepted", "Please check what was entered. Nothing was changed."),
    500: (
        "Something broke on our side",
        "Nothing was changed. The failure is in the log under the number below.",
    ),
    503: ("Back in a moment", "The database is not reachable. Please try again shortly."),
}


_CODES: Final = {400: "bad_request", 403: "forbidden", 404: "not_found", 500: "server_error"}


def error_page(request: HttpRequest, *, status: int, words: str = "") -> HttpResponse:
    """Return the page for an error, with the request's number for whoever looks into the log."""
    title, standard = _PAGES.get(status, _PAGES[400])
    if request.path.startswith("/api/"):
        body = problem(status=status, code=_CODES.get(status, "error"), message=words or standard)
        return JsonResponse(body, status=status, content_type="application/problem+json")
    context = {
        "status": status,
        "title": title,
        "words": words or standard,
        "request_id": request.META.get("TMS_REQUEST_ID", ""),
    }
    return HttpResponse(render_to_string("desk/error.html", context), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer 400."""
    return error_page(request, status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer 403."""
    return error_page(request, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer 404, in the same words for what is missing and what belongs to another tenant."""
    return error_page(request, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    return error_page(request, status=500)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """Answer 403 for a form that was open too long or sent from elsewhere."""
    words = "The form was open for too long or came from another place. Open it again, please."
    return error_page(request, status=403, words=words)
