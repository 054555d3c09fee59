"""Sweeps on the desk, and what everybody may read to check an order: keys and schema."""

import json
from pathlib import Path
from typing import Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from core.api.actor import actor
from core.signing import SignerUnavailable, key_set
from integrations.downloads import ROLES_FOR_BYTES
from treasury.selectors import sweep_page
from treasury.selectors import sweeps as reads
from treasury.selectors.sweep_way import way_of
from treasury.services import sweeps

PAGE_ROWS: Final = 50
SCHEMA: Final = Path(__file__).parents[1] / "schemas" / "sweep_order.schema.json"
KEYS_FRESH_SECONDS: Final = 60


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show today's windows, what will move and why, the ladder, and what constraints cost."""
    page = Paginator(reads.decisions(), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {
        "sweep": sweep_page.page(now=clock.now()),
        "orders": reads.orders()[:PAGE_ROWS],
        "page": page,
        "decisions": [(one, sweep_page.words_of(one.reason)) for one in page.object_list],
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(
        request, "treasury/sweeps.html" if whole else "treasury/sweeps_body.html", context
    )


@require_safe
@login_required
def decision_page(request: HttpRequest, decision_id: UUID) -> HttpResponse:
    """Show one decision: every input, the branch, what was passed by; and replay it."""
    held = reads.decision(decision_id)
    story = sweep_page.story(held)
    context = {
        "story": story,
        "way": way_of(held, story.order),
        "may_read_bytes": actor(request).has_role(*ROLES_FOR_BYTES),
        "replay": sweeps.replay_decision(decision_id=held.pk),
    }
    return render(request, "treasury/sweep_decision.html", context)


@require_safe
def keys(_request: HttpRequest) -> HttpResponse:
    """Publish the keys that verify orders, as a JSON Web Key Set."""
    try:
        found = key_set()
    except SignerUnavailable:
        return JsonResponse({"keys": []}, status=503, headers={"Cache-Control": "no-store"})
    fresh = {"Cache-Control": f"public, max-age={KEYS_FRESH_SECONDS}"}
    return JsonResponse(found, headers=fresh, content_type="application/jwk-set+json")


@require_safe
def schema(_request: HttpRequest) -> HttpResponse:
    """Publish the schema of orders."""
    found = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return JsonResponse(found, content_type="application/schema+json")
