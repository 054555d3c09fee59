"""Pages of the desk: the inbox of a checker, one request on one screen, and the decision."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from approvals import selectors, services
from approvals.evidence import NOTHING_SHOWN, Shown, evidence_of
from approvals.models import ApprovalRequest, Outcome
from core.api.actor import actor
from core.audit.refusals import refuse, tell
from core.errors import DomainError, Invalid
from core.identity.passkeys import begin_passkey, parse_answer, passkeys_of

LISTED_MAX: Final = 100
FACTS_MAX: Final = 80
VERSION_DIGITS_MAX: Final = 9
FIRST_FIELDS: Final = ("Amount", "Currency", "Value date", "Rail")


def _listed(request: HttpRequest) -> dict[str, Any]:
    """Return the requests of the chosen tab."""
    show = "recent" if request.GET.get("show") == "recent" else "waiting"
    waiting = selectors.inbox(user=actor(request))
    rows = selectors.all_requests() if show == "recent" else waiting
    return {"show": show, "rows": rows[:LISTED_MAX], "waiting_count": waiting.count()}


def _flat(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every material field as a label and its text, nested ones with their path."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _flat(value, f"{name} · {key}" if name else str(key))
    elif isinstance(content, list):
        for number, value in enumerate(content, start=1):
            yield from _flat(value, f"{name} {number}")
    elif content not in (None, ""):
        yield name.replace("_", " ").capitalize(), str(content)


def _detail(request: HttpRequest, request_id: UUID) -> dict[str, Any]:
    viewer = actor(request)
    services.record_viewing(request=selectors.require_request(request_id), viewer=viewer)
    found = selectors.request_detail(request_id=request_id, user=viewer)
    has_passkey = found.eligibility.is_eligible and passkeys_of(user=viewer).exists()
    next_level = found.request.escalation_level + 1
    return {
        "next_level": next_level,
        "opens_to_managers": found.request.managers_from_level == next_level,
        "detail": found,
        "chosen": found.request,
        "fields": fields_of(found.request),
        "has_passkey": has_passkey,
    }


def fields_of(request: ApprovalRequest) -> list[tuple[str, str]]:
    """Return every material field of a request as label and text, what matters first."""
    return sorted(islice(_flat(request.content), FACTS_MAX), key=_what_matters_first)


def _what_matters_first(field: tuple[str, str]) -> tuple[int, str]:
    label = field[0]
    rank = FIRST_FIELDS.index(label) if label in FIRST_FIELDS else len(FIRST_FIELDS)
    return rank, label


@require_safe
@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    """Show what waits for this person, the most urgent one opened."""
    context = _listed(request)
    first = next(iter(context["rows"]), None)
    if first is not None:
        context |= _detail(request, first.pk)
    return render(request, "approvals/inbox.html", context)


@require_safe
@login_required
def one(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Show one request beside the inbox."""
    context = _listed(request) | _detail(request, request_id) | {"is_opened": True}
    return render(request, "approvals/inbox.html", context)


@require_safe
@login_required
def listing(request: HttpRequest) -> HttpResponse:
    """Show the list alone, for refreshing."""
    return render(request, "approvals/list.html", _listed(request))


@require_safe
@login_required
def detail(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Show one request alone, for refreshing and for moving through the list."""
    return render(request, "approvals/detail.html", _detail(request, request_id))


@require_safe
@login_required
def waiting_count(request: HttpRequest) -> HttpResponse:
    """Show how many requests wait for this person; nothing when none does."""
    count = selectors.inbox(user=actor(request)).count()
    return HttpResponse(str(count) if count else "")


@require_POST
@login_required
def begin(request: HttpRequest, request_id: UUID) -> JsonResponse:
    """Return the options that a passkey answers to approve exactly this content."""
    found = selectors.require_request(request_id)
    try:
        options = begin_passkey(user=actor(request), content_hash=found.content_hash)
    except DomainError as refusal:
        return JsonResponse({"detail": refusal.message}, status=refusal.status)
    return JsonResponse(options)


@require_POST
@login_required
def decide(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Record this person's decision on exactly what was shown, then go on to the next one."""
    try:
        result = services.decide(
            request_id=request_id,
            checker=actor(request),
            outcome=_outcome(request),
            content_hash=request.POST.get("content_hash", ""),
            version=parse_version(request.POST.get("version", "")),
            reason=request.POST.get("reason", ""),
            evidence=_evidence(request),
        )
    except DomainError as refusal:
        return _kept(request, request_id, refusal)
    messages.success(request, _words(result))
    return redirect("approvals:inbox")


def _kept(request: HttpRequest, request_id: UUID, refusal: DomainError) -> HttpResponse:
    """Show the dialog again as it was filled in, while it is still about the same content."""
    context = _listed(request) | _detail(request, request_id) | {"is_opened": True}
    found = context["detail"]
    same = request.POST.get("content_hash") == found.request.content_hash
    if not (same and found.eligibility.may_refuse):
        tell(request, refusal)
        return redirect("approvals:one", request_id=request_id)
    refuse(request, refusal)
    context["asked"] = {
        "outcome": request.POST.get("outcome", ""),
        "reason": request.POST.get("reason", ""),
        "delegation": request.POST.get("delegation", ""),
        "acknowledged": request.POST.getlist("acknowledged"),
        "trouble": refusal.message,
    }
    return render(request, "approvals/inbox.html", context, status=refusal.status)


def _evidence(request: HttpRequest) -> services.Evidence:
    is_approval = request.POST.get("outcome") == Outcome.APPROVE
    return evidence_of(
        request,
        content_hash=request.POST.get("content_hash", ""),
        shown=_shown(request) if is_approval else NOTHING_SHOWN,
        acknowledged=request.POST.getlist("acknowledged"),
        delegation=_delegation(request.POST.get("delegation", "")),
    )


def _shown(request: HttpRequest) -> Shown:
    answer = request.POST.get("passkey", "")
    return Shown(
        code=request.POST.get("code", ""), passkey=parse_answer(answer) if answer else None
    )


def _delegation(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid("There is no such delegation.", field="delegation") from None


def _outcome(request: HttpRequest) -> str:
    outcome = request.POST.get("outcome", "")
    if outcome not in Outcome.values:
        raise Invalid("Approve, reject, or request changes.", field="outcome")
    return outcome


def parse_version(text: str) -> int:
    """Return the version that a form was shown with.

    Raises:
        Invalid: the form does not say which.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= VERSION_DIGITS_MAX):
        raise Invalid("The form does not say which version was shown.", field="version")
    return int(text)


def _words(result: services.DecisionResult) -> str:
    if result.request.state == "REJECTED":
        return f"Rejected: {result.request.title}."
    if result.request.state == "RETURNED":
        return f"Sent back for changes: {result.request.title}."
    if result.is_final:
        done = "Approved and released" if result.request.currency else "Approved"
        return f"{done}: {result.request.title}."
    missing = selectors.progress(result.request).missing_count
    people = "one more person" if missing == 1 else f"{missing} more people"
    return f"Your approval of {result.request.title} counts; {people} must approve."
