"""Whom we may pay: the list, one of them in full, and what its keepers may do."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from treasury.models import Beneficiary, BeneficiaryState
from treasury.selectors import beneficiaries as reads
from treasury.selectors import movement
from treasury.services import beneficiaries

LISTED_MAX: Final = 200
PAYMENTS_MAX: Final = 20
_SHOWN: Final = (
    "name", "currency", "bank_bic", "bank_name", "clearing_code", "street", "building_number",
    "post_code", "town", "country", "payment_purpose",
)  # fmt: skip


class BeneficiaryForm(forms.Form):
    """What a keeper types; the service checks it."""

    name = forms.CharField(max_length=140)
    currency = forms.CharField(max_length=3)
    number = forms.CharField(max_length=60)
    bank_bic = forms.CharField(max_length=11)
    bank_name = forms.CharField(max_length=70, required=False)
    clearing_code = forms.CharField(max_length=20, required=False)
    street = forms.CharField(max_length=70, required=False)
    building_number = forms.CharField(max_length=16, required=False)
    post_code = forms.CharField(max_length=16, required=False)
    town = forms.CharField(max_length=35)
    country = forms.CharField(max_length=2)
    payment_purpose = forms.CharField(max_length=5, required=False)


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """List whom we may pay; blocked and typed-in ones on request."""
    show = request.GET.get("show", "active")
    rows = reads.listed()
    if show == "blocked":
        rows = rows.filter(state=BeneficiaryState.BLOCKED)
    elif show == "typed":
        rows = reads.beneficiaries().filter(is_typed_in=True).order_by("-id")
    else:
        show, rows = "active", reads.payable()
    context = {
        "rows": rows[:LISTED_MAX],
        "show": show,
        "may_keep": actor(request).has_role(*beneficiaries.KEEPERS),
    }
    return render(request, "treasury/beneficiaries.html", context)


@require_safe
@login_required
def page(request: HttpRequest, beneficiary_id: UUID) -> HttpResponse:
    """Show one beneficiary with what was paid to it."""
    found = reads.beneficiary(beneficiary_id)
    person = actor(request)
    context = {
        "beneficiary": found,
        "rows": movement.proposals().filter(beneficiary=found)[:PAYMENTS_MAX],
        "may_keep": person.has_role(*beneficiaries.KEEPERS),
        "may_verify": _may_verify(found, person),
        "may_block": person.has_role(*beneficiaries.BLOCKERS),
    }
    return render(request, "treasury/beneficiary.html", context)


def _may_verify(found: Beneficiary, person: User) -> bool:
    wrote_it = found.changed_by and found.changed_by.person_number == person.person_number
    return (
        not found.is_verified
        and not wrote_it
        and found.state == BeneficiaryState.ACTIVE
        and person.has_role(*beneficiaries.VERIFIERS)
    )


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Put somebody on the list."""
    person = _keeper(request)

    def create(wanted: beneficiaries.BeneficiaryIn) -> Beneficiary:
        return beneficiaries.create_beneficiary(beneficiary=wanted, actor=person)

    return _written(request, create, None)


@require_http_methods(["GET", "POST"])
@login_required
def change(request: HttpRequest, beneficiary_id: UUID) -> HttpResponse:
    """Change somebody on the list; the number is typed again."""
    person = _keeper(request)
    found = reads.beneficiary(beneficiary_id)

    def save(wanted: beneficiaries.BeneficiaryIn) -> Beneficiary:
        return beneficiaries.change_beneficiary(
            beneficiary_id=beneficiary_id, beneficiary=wanted, actor=person
        )

    return _written(request, save, found)


def _keeper(request: HttpRequest) -> User:
    person = actor(request)
    if not person.has_role(*beneficiaries.KEEPERS):
        raise Forbidden("Keeping the list of beneficiaries takes the role static_data.")
    return person


def _written(
    request: HttpRequest,
    write: Callable[[beneficiaries.BeneficiaryIn], Beneficiary],
    found: Beneficiary | None,
) -> HttpResponse:
    errors: dict[str, str] = {}
    given: Any = {name: getattr(found, name) for name in _SHOWN} if found else {}
    if request.method == "POST":
        given = request.POST
        try:
            done = write(_wanted(request))
        except DomainError as refusal:
            errors[str(refusal.context.get("field", "form"))] = refusal.message
        else:
            messages.success(request, f"{done.name} is kept; another person verifies the account.")
            return redirect("treasury:beneficiary", beneficiary_id=done.pk)
    context = {"errors": errors, "given": given, "beneficiary": found}
    return render(request, "treasury/beneficiary_form.html", context)


def _wanted(request: HttpRequest) -> beneficiaries.BeneficiaryIn:
    form = BeneficiaryForm(request.POST)
    if not form.is_valid():
        raise Invalid("Please fill this in.", field=next(iter(form.errors)))
    given = form.cleaned_data
    capitals = {name: given[name].strip().upper() for name in ("country", "currency")}
    return beneficiaries.BeneficiaryIn(**{**given, **capitals})


def _act(
    request: HttpRequest, beneficiary_id: UUID, words: str, service: Callable[..., Beneficiary]
) -> HttpResponse:
    try:
        done = service(beneficiary_id=beneficiary_id, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, f"{done.name} is {words}.")
    return redirect("treasury:beneficiary", beneficiary_id=beneficiary_id)


@require_POST
@login_required
def verify(request: HttpRequest, beneficiary_id: UUID) -> HttpResponse:
    """Record the second person's call."""
    return _act(request, beneficiary_id, "verified", beneficiaries.verify_beneficiary)


@require_POST
@login_required
def block(request: HttpRequest, beneficiary_id: UUID) -> HttpResponse:
    """Stop all payments to it at once."""
    return _act(request, beneficiary_id, "blocked", beneficiaries.block_beneficiary)


@require_POST
@login_required
def unblock(request: HttpRequest, beneficiary_id: UUID) -> HttpResponse:
    """Let it be paid again, like a new one."""
    return _act(request, beneficiary_id, "active again", beneficiaries.unblock_beneficiary)
