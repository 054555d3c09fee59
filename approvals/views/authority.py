"""The page of authority: who decides for whom, how far, and what to look at after an emergency."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from approvals import selectors, services
from approvals.constants import DELEGATION_DAYS_MAX, REASON_LENGTH_MAX
from approvals.models import CheckerRole
from approvals.selectors import authority as reads
from core import clock
from core.api.actor import actor
from core.audit.refusals import refuse, tell
from core.errors import DomainError, Forbidden, Invalid

PAGE: Final = "approvals:authority"
DIALOGS: Final = ("delegating", "limiting")
USD_DIGITS_MAX: Final = 20
USD_PLACES_MAX: Final = 4


def _usd() -> forms.DecimalField:
    return forms.DecimalField(
        required=False, min_value=0, max_digits=USD_DIGITS_MAX, decimal_places=USD_PLACES_MAX
    )


class DelegationForm(forms.Form):
    """What a checker types; times are in the system's zone, UTC."""

    delegate = forms.UUIDField(error_messages={"required": "Choose a person."})
    starts_at = forms.DateTimeField()
    ends_at = forms.DateTimeField()
    action = forms.CharField(max_length=60, required=False)
    rail = forms.CharField(max_length=20, required=False)
    amount_usd_max = _usd()
    reason = forms.CharField(max_length=REASON_LENGTH_MAX)


class LimitForm(forms.Form):
    """A person's limit; an empty figure is no limit."""

    person = forms.UUIDField(error_messages={"required": "Choose a person."})
    per_transaction_usd = _usd()
    per_day_usd = _usd()
    reason = forms.CharField(max_length=REASON_LENGTH_MAX)


def _command(
    *roles: str, form: str = ""
) -> Callable[[Callable[..., str]], Callable[..., HttpResponse]]:
    """Let somebody with one of `roles` press a button; show on the page what became of it.

    What was typed into a refused form stays in it, with the reason at its field.
    """

    def for_roles(command: Callable[..., str]) -> Callable[..., HttpResponse]:
        @wraps(command)
        def pressed(request: HttpRequest, **arguments: Any) -> HttpResponse:
            try:
                if not actor(request).has_role(*roles):
                    raise Forbidden("Your roles do not allow this.")
                words = command(request, **arguments)
            except DomainError as refusal:
                if _is_kept(form, refusal) and actor(request).has_role(*roles):
                    return _kept(request, refusal, form, arguments)
                tell(request, refusal)
            else:
                messages.success(request, words)
            return redirect(PAGE)

        return login_required(require_POST(pressed))

    return for_roles


def _is_kept(form: str, refusal: DomainError) -> bool:
    """Return whether the form is there to be filled in again; that of a review may not be."""
    return form in DIALOGS or (bool(form) and isinstance(refusal, Invalid))


def _kept(
    request: HttpRequest, refusal: DomainError, form: str, arguments: dict[str, Any]
) -> HttpResponse:
    """Show the page again with the refused form open, as it was filled in."""
    refuse(request, refusal)
    field = str(refusal.context.get("field", ""))
    errors = refusal.context.get("errors") or {}
    if not errors:
        errors = {field if field in request.POST else "form": refusal.message}
    asked = {"given": request.POST.dict(), "errors": errors, **arguments}
    context = _context(request) | {form: asked}
    return render(request, "approvals/authority.html", context, status=refusal.status)


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show delegations, limits and the reviews that wait."""
    if not actor(request).has_role(*reads.READERS):
        raise Forbidden("Checkers, managers, risk, administration and auditors read this.")
    return render(request, "approvals/authority.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    reader, now = actor(request), clock.now()
    others = selectors.deciders().exclude(person_number=reader.person_number)
    return {
        "delegations": reads.delegations(user=reader, now=now),
        "limits": reads.limits(),
        "reviews": reads.reviews(user=reader, now=now),
        "may_delegate": reader.has_role(*CheckerRole.values),
        "may_limit": reader.has_role(*reads.LIMIT_KEEPERS),
        "delegates": others.order_by("display_name"),
        "people": selectors.deciders().order_by("display_name"),
        "actions": reads.actions(),
        "rails": reads.rails(),
        "days_max": DELEGATION_DAYS_MAX,
        "now": now,
    }


@_command(*CheckerRole.values, form="delegating")
def delegate(request: HttpRequest) -> str:
    """Put a delegation of one's own decisions before a manager."""
    given = _read(DelegationForm(request.POST))
    person = reads.find_person(given.pop("delegate"))
    if person is None:
        raise Invalid("There is nobody of that name who may check.", field="delegate")
    if given["action"] and given["action"] not in reads.actions():
        raise Invalid("There is no such kind of request.", field="action")
    if given["rail"] and given["rail"] not in reads.rails():
        raise Invalid("There is no such rail.", field="rail")
    delegation = services.DelegationIn(delegate=person, **given)
    services.propose_delegation(delegation=delegation, actor=actor(request))
    return "It counts once a manager has approved it."


@_command(*reads.READERS)
def revoke(request: HttpRequest, delegation_id: UUID) -> str:
    """End a delegation at once."""
    services.revoke_delegation(delegation_id=delegation_id, actor=actor(request))
    return "The delegation has ended."


@_command(*reads.LIMIT_KEEPERS, form="limiting")
def limit(request: HttpRequest) -> str:
    """Put a person's limit before a manager."""
    given = _read(LimitForm(request.POST))
    person = reads.find_person(given.pop("person"))
    if person is None:
        raise Invalid("There is nobody of that name who may check.", field="person")
    services.propose_limit(limit=services.LimitIn(person=person, **given), actor=actor(request))
    return "It counts once a manager has approved it; until then the one before stays."


@_command(*reads.REVIEWERS, form="reviewing")
def close(request: HttpRequest, request_id: UUID) -> str:
    """Close the review of what went over broken glass."""
    findings = request.POST.get("findings", "")
    if len(findings) > REASON_LENGTH_MAX:
        raise Invalid(f"{REASON_LENGTH_MAX} characters at most.", field="findings")
    services.close_review(request_id=request_id, actor=actor(request), findings=findings)
    return "The review is closed."


def _read(form: forms.Form) -> dict[str, Any]:
    if not form.is_valid():
        errors = {field: str(words[0]) for field, words in form.errors.items()}
        field, words = next(iter(errors.items()))
        raise Invalid(words, field=field, errors=errors)
    return form.cleaned_data


@require_safe
@login_required
def waiting_count(_request: HttpRequest) -> HttpResponse:
    """Show how many reviews wait; nothing when none does."""
    count = selectors.waiting_reviews().count()
    return HttpResponse(str(count) if count else "")


@require_safe
@login_required
def notice(request: HttpRequest) -> HttpResponse:
    """Show on the front page that reviews wait, until somebody has closed them."""
    reviews = reads.reviews(user=actor(request), now=clock.now())
    context = {"reviews": reviews, "may_read": actor(request).has_role(*reads.READERS)}
    return render(request, "approvals/reviews_notice.html", context)
