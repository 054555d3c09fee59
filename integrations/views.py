"""The desk's connectivity page."""

from uuid import UUID

from django.contrib import messages as notices
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from core.api.actor import actor
from core.errors import DomainError, Forbidden
from integrations import registry, selectors, services
from integrations.downloads import ROLES_FOR_BYTES, as_download


@login_required
@require_GET
def connectivity(request: HttpRequest) -> HttpResponse:
    """Show the lines, what waits on them, and what needs a person."""
    context = {
        "lines": selectors.connectivity(),
        "routes": selectors.routes(),
        "gaps": registry.route_gaps(),
        "attention": selectors.needing_a_person(),
        "recent": selectors.recent_messages(),
        "may_read_bytes": actor(request).has_role(*ROLES_FOR_BYTES),
        "may_try_again": actor(request).has_role(*services.ROLES_FOR_TRYING_AGAIN),
        "may_test": actor(request).has_role(*services.ROLES_FOR_LINES),
    }
    return render(request, "integrations/connectivity.html", context)


@login_required
@require_POST
def probe(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for a test of a line."""
    try:
        services.request_probe(code=code, actor=actor(request))
    except DomainError as refusal:
        notices.error(request, refusal.message)
    else:
        notices.success(request, f"{code} is being tested; its history shows the result.")
    return redirect("integrations:connections")


@login_required
@require_POST
def try_again(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Take a message up again that was set aside."""
    try:
        message = services.try_again(message_id=message_id, actor=actor(request))
    except DomainError as refusal:
        notices.error(request, refusal.message)
    else:
        notices.success(request, f"{message.name} is being read again.")
    return redirect("integrations:connections")


@login_required
@require_GET
def content(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Send a message's bytes as a download."""
    if not actor(request).has_role(*ROLES_FOR_BYTES):
        raise Forbidden("Your roles do not allow reading messages of the banks.")
    return as_download(selectors.message(message_id))
