"""Several requests on one page, all of each in sight, approved with one second factor."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from approvals import selectors, services
from approvals.constants import LISTED_MAX
from approvals.errors import ListRefused
from approvals.evidence import Shown, evidence_of
from approvals.selectors.listing import ListedRequest, listed
from approvals.views.inbox import fields_of, parse_version
from core import clock
from core.api.actor import actor
from core.audit.refusals import refuse
from core.errors import DomainError
from core.identity.passkeys import begin_passkey, parse_answer, passkeys_of

PAGE: Final = "approvals/together.html"


@require_safe
@login_required
def together(request: HttpRequest) -> HttpResponse:
    """Show the marked requests in full; what must be decided on its own says why."""
    marked = _marked(request.GET.getlist("item"))
    return render(request, PAGE, _context(request, marked))


@require_POST
@login_required
def begin(request: HttpRequest) -> JsonResponse:
    """Return the options that a passkey answers to approve exactly this list."""
    hashes = [item.content_hash for item in _items(request)]
    try:
        digest = services.list_digest(hashes)
        options = begin_passkey(user=actor(request), content_hash=digest)
    except DomainError as refusal:
        return JsonResponse({"detail": refusal.message}, status=refusal.status)
    return JsonResponse(options)


@require_POST
@login_required
def decide(request: HttpRequest) -> HttpResponse:
    """Approve what is on the list, one by one, and say of each what became of it."""
    try:
        items = _items(request)
        found = services.approve_together(
            items=items, checker=actor(request), evidence=_evidence(request, items)
        )
    except DomainError as refusal:
        refuse(request, refusal)
        marked = _marked(request.POST.getlist("item"))
        context = _context(request, marked) | {"trouble": refusal.message}
        return render(request, PAGE, context, status=refusal.status)
    first_refusal = next((one.refusal for one in found if one.refusal is not None), None)
    if first_refusal is not None:
        refuse(request, first_refusal)
    return render(request, "approvals/together_done.html", _outcome(found))


def _marked(texts: Iterable[str]) -> list[UUID]:
    """Return the ids that are ids, each once, in order."""
    found: dict[UUID, None] = {}
    for text in texts:
        try:
            found[UUID(text)] = None
        except ValueError:
            continue
    return list(found)


def _context(request: HttpRequest, marked: list[UUID]) -> dict[str, Any]:
    viewer = actor(request)
    there = [one for one in marked[:LISTED_MAX] if selectors.find_request(one) is not None]
    for one in there:
        services.record_viewing(request=selectors.require_request(one), viewer=viewer)
    rows = listed(requests=there, user=viewer, now=clock.now())
    ready = [row for row in rows if not row.obstacle]
    return {
        "ready": [_shown_in_full(request, row) for row in ready],
        "alone": [row for row in rows if row.obstacle],
        "left_out_count": len(marked) - len(there),
        "totals": _totals(ready),
        "has_passkey": bool(ready) and passkeys_of(user=viewer).exists(),
        "listed_max": LISTED_MAX,
    }


def _shown_in_full(request: HttpRequest, row: ListedRequest) -> dict[str, Any]:
    found = row.detail.request
    return {
        "detail": row.detail,
        "found": found,
        "fields": fields_of(found),
        "seen": request.POST.getlist(f"seen-{found.pk}"),
    }


def _totals(rows: list[ListedRequest]) -> list[tuple[str, Decimal]]:
    """Return what the listed payments come to, currency by currency."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        found = row.detail.request
        if found.amount is not None:
            sums[found.currency] = sums.get(found.currency, Decimal(0)) + found.amount
    return sorted(sums.items())


def _items(request: HttpRequest) -> list[services.ListedItem]:
    marked = _marked(request.POST.getlist("item"))
    if len(marked) > LISTED_MAX:
        raise ListRefused(f"One second factor serves {LISTED_MAX} requests at most.", field="item")
    return [
        services.ListedItem(
            request_id=one,
            version=parse_version(request.POST.get(f"version-{one}", "")),
            content_hash=request.POST.get(f"hash-{one}", ""),
            acknowledged=tuple(request.POST.getlist(f"seen-{one}")),
        )
        for one in marked
    ]


def _evidence(request: HttpRequest, items: list[services.ListedItem]) -> services.Evidence:
    answer = request.POST.get("passkey", "")
    shown = Shown(
        code=request.POST.get("code", ""), passkey=parse_answer(answer) if answer else None
    )
    digest = services.list_digest([item.content_hash for item in items])
    return evidence_of(request, content_hash=digest, shown=shown)


def _outcome(found: list[services.ItemResult]) -> dict[str, Any]:
    rows = [(selectors.find_request(one.request_id), one) for one in found]
    done = sum(1 for one in found if one.result is not None)
    return {"rows": rows, "done_count": done, "refused_count": len(found) - done}
