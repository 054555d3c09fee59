"""One entry as the bank wrote it: the way from a figure down to its place in the bytes."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.api.actor import actor
from core.errors import Forbidden
from integrations import selectors
from integrations.codecs.errors import UnreadableMessage
from integrations.downloads import ROLES_FOR_BYTES


@login_required
@require_safe
def written(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Show everything that a message says about the entry at `?at=`."""
    if not actor(request).has_role(*ROLES_FOR_BYTES):
        raise Forbidden("Your roles do not allow reading messages of the banks.")
    message = selectors.message(message_id)
    locator = request.GET.get("at", "")
    problem = ""
    try:
        lines = selectors.written_at(message_id, locator=locator)
    except UnreadableMessage as refusal:
        lines, problem = (), refusal.message
    context = {"message": message, "locator": locator, "lines": lines, "problem": problem}
    return render(request, "integrations/written.html", context)
