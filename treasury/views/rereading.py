"""Read a statement that was kept aside again, after its bank's profile was corrected."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from core.api.actor import actor
from core.audit.refusals import tell
from core.errors import DomainError
from treasury.models import StatementState
from treasury.services.ingest import IngestResult, read_again


def in_words(result: IngestResult) -> str:
    """Say what reading again brought."""
    if not result.statements:
        return "It reads as before: nothing changed."
    aside = [row for row in result.statements if row.state == StatementState.QUARANTINED]
    if aside:
        return f"It reads otherwise, but is still kept aside: {aside[0].reason}"
    return f"It was read again: {len(result.statements)} in the books."


@require_POST
@login_required
def statement_again(request: HttpRequest, statement_id: UUID) -> HttpResponse:
    """Read it again, and show the version that came of it."""
    try:
        result = read_again(statement_id=statement_id, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
        return redirect("treasury:statement", statement_id)
    messages.success(request, in_words(result))
    shown = result.statements[0].pk if result.statements else statement_id
    return redirect("treasury:statement", shown)
