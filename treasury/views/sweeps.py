"""Sweeps on the desk, and what everybody may read to check an order: keys and schema."""

import json
from datetime import date
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
from core.browsing import csv_answer, day_asked
from core.signing import SignerUnavailable, key_set
from integrations.downloads import ROLES_FOR_BYTES
from treasury.engine.sweep_accruals import days_run
from treasury.engine.sweep_windows import ZONE
from treasury.models import SweepOrder
from treasury.selectors import placements, sweep_page
from treasury.selectors import sweeps as reads
from treasury.selectors.sweep_way import way_of
from treasury.services import sweeps

PAGE_ROWS: Final = 50
SCHEMA: Final = Path(__file__).parents[1] / "schemas" / "sweep_order.schema.json"
KEYS_FRESH_SECONDS: Final = 60
PLACEMENT_COLUMNS: Final = (
    "on", "order_id", "account", "product", "settles_on", "matures_on", "days", "days_run",
    "paid_out", "interest", "earned", "comes_back", "settlement",
)  # fmt: skip


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show today's windows, what will move and why, the ladder, and what constraints cost."""
    page = Paginator(reads.decisions(), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {
        "sweep": sweep_page.page(now=clock.now()),
        "at_work": placements.at_work(on=clock.today(ZONE.key)),
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
def placements_csv(request: HttpRequest) -> HttpResponse:
    """Hand out what is in products at the end of a day, with what it has earned, as CSV.

    Raises:
        Invalid: the address names no day.
    """
    on = day_asked(request, "on") or clock.today(ZONE.key)
    lines = (_placement(order, on=on) for order in placements.placements(on=on))
    return csv_answer(PLACEMENT_COLUMNS, lines, name=f"sweeps-at-work-{on}")


def _placement(order: SweepOrder, *, on: date) -> tuple[object, ...]:
    run = days_run(settles_on=order.settles_on, matures_on=order.matures_on, on=on)
    return (
        on,
        order.order_id,
        order.account.label,
        order.product.code,
        order.settles_on,
        order.matures_on,
        (order.matures_on - order.settles_on).days,
        run,
        order.paid_out,
        placements.interest_of(order),
        placements.earned_by(order, on=on),
        order.comes_back,
        order.settlement,
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
