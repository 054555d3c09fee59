"""The emergency stop on the desk: stop, look, ask for the release."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.errors import DomainError
from treasury.models import FreezeState
from treasury.selectors import freezing as reads
from treasury.services import freezing

LISTED_MAX: Final = 50


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show what is stopped now and what was."""
    context = {
        "standing": reads.standing_freeze(),
        "past": reads.freezes().filter(state=FreezeState.RELEASED)[:LISTED_MAX],
        "may_stop": actor(request).has_role(*freezing.STOPPERS),
    }
    return render(request, "treasury/freeze.html", context)


@require_POST
@login_required
def stop(request: HttpRequest) -> HttpResponse:
    """Stop all outflows at once."""
    try:
        freezing.stop_outflows(actor=actor(request), reason=request.POST.get("reason", ""))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "All outflows are stopped.")
    return redirect("treasury:freeze")


@require_POST
@login_required
def release(request: HttpRequest, freeze_id: UUID) -> HttpResponse:
    """Put the release before its checkers."""
    try:
        freezing.ask_release(
            freeze_id=freeze_id, actor=actor(request), reason=request.POST.get("reason", "")
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "The release waits for approval.")
    return redirect("treasury:freeze")
