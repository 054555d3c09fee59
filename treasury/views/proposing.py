"""The form for a proposal: a new one, or the new terms of one that waits."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from approvals import selectors as approvals
from approvals.policies import BREAK_GLASS_PER_DAY_MAX, BREAK_GLASS_USD_MAX
from approvals.services import BreakGlass, BreakGlassReason
from core import policies
from core.api.actor import actor
from core.audit.refusals import refuse
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from core.ids import uuid7
from core.money import parse_amount
from integrations.codecs.records import Finding, Severity
from treasury.errors import NotTheMaker
from treasury.models import Proposal, ProposalState
from treasury.selectors import accounts, beneficiaries, movement
from treasury.services import proposals
from treasury.services.beneficiaries import BeneficiaryIn
from treasury.services.preflighting import Look, look_at

SENT_FORMS: Final = "sent_proposal_forms"
TYPED_FIELDS: Final = (
    "name",
    "number",
    "bank_bic",
    "clearing_code",
    "street",
    "building_number",
    "post_code",
    "town",
    "country",
    "payment_purpose",
)
GLASS_FIELDS: Final = ("incident", "glass_reason", "glass_words")
GLASS_REASONS: Final = (
    (BreakGlassReason.RAIL_OUTAGE.value, "The rail is out"),
    (BreakGlassReason.APPROVERS_UNREACHABLE.value, "The approvers cannot be reached"),
    (BreakGlassReason.SYSTEMIC.value, "A bank or the market is failing"),
)
TYPED_REQUIRED: Final = ("name", "number", "bank_bic", "town", "country")


class ProposalForm(forms.Form):
    """What a maker types; the service decides everything else."""

    debit_account = forms.UUIDField()
    credit_account = forms.UUIDField(required=False)
    beneficiary = forms.UUIDField(required=False)
    amount = forms.CharField(max_length=24)
    why = forms.CharField(max_length=500)
    name = forms.CharField(max_length=140, required=False)
    number = forms.CharField(max_length=60, required=False)
    bank_bic = forms.CharField(max_length=11, required=False)
    clearing_code = forms.CharField(max_length=20, required=False)
    street = forms.CharField(max_length=70, required=False)
    building_number = forms.CharField(max_length=16, required=False)
    post_code = forms.CharField(max_length=16, required=False)
    town = forms.CharField(max_length=35, required=False)
    country = forms.CharField(max_length=2, required=False)
    payment_purpose = forms.CharField(max_length=5, required=False)
    incident = forms.CharField(max_length=60, required=False)
    glass_reason = forms.ChoiceField(choices=GLASS_REASONS, required=False)
    glass_words = forms.CharField(max_length=500, required=False)


@require_http_methods(["GET", "POST"])
@login_required
def new_proposal(request: HttpRequest) -> HttpResponse:
    """Take a manual proposal and put it before its checkers."""
    person = _maker(request)
    errors: dict[str, str] = {}
    if request.method == "POST":
        form_id = request.POST.get("form_id", "")
        before = request.session.get(SENT_FORMS, {})
        if form_id in before:
            return redirect("treasury:proposal", proposal_id=before[form_id])
        try:
            made = _propose(request, person)
        except DomainError as refusal:
            errors[_field(refusal)] = refusal.message
            refuse(request, refusal)
        else:
            request.session[SENT_FORMS] = {form_id: str(made.pk)}
            messages.success(request, f"{made.reference} waits for its checkers.")
            return redirect("treasury:proposal", proposal_id=made.pk)
    return _form(request, errors, request.POST, None)


@require_http_methods(["GET", "POST"])
@login_required
def amend_proposal(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Replace the terms of one's own waiting proposal; every decision on it becomes void."""
    person = _maker(request)
    found = movement.proposal(proposal_id)
    if found.maker_id != person.pk:
        raise NotTheMaker("Only its maker may amend it.", proposal=found.reference)
    if found.state != ProposalState.PENDING:
        messages.error(request, "It is amended only while it waits for approval.")
        return redirect("treasury:proposal", proposal_id=proposal_id)
    errors: dict[str, str] = {}
    given: Any = _terms_of(found)
    was_over_glass = _over_broken_glass(found)
    if request.method == "POST":
        given = request.POST
        try:
            done = proposals.amend_proposal(
                proposal_id=proposal_id, draft=_draft(_given(request)), actor=person
            )
        except DomainError as refusal:
            errors[_field(refusal)] = refusal.message
            refuse(request, refusal)
        else:
            words = f"{done.reference} is now version {done.version}; it waits for its checkers."
            if was_over_glass:
                words += " It goes the ordinary way: limits and cool-off hold again."
            messages.success(request, words)
            return redirect("treasury:proposal", proposal_id=proposal_id)
    return _form(request, errors, given, found)


@require_POST
@login_required
def check_proposal(request: HttpRequest) -> HttpResponse:
    """Say what the bank would refuse of what stands in the form; nothing is stored."""
    _maker(request)
    try:
        look = look_at(draft=_draft(_given(request)))
    except DomainError as refusal:
        look = Look(findings=(_finding(refusal),))
    return render(request, "treasury/preflight.html", {"look": look})


def _finding(refusal: DomainError) -> Finding:
    return Finding(
        code=refusal.code,
        message=refusal.message,
        locator=str(refusal.context.get("field", "")),
        severity=Severity.ERROR,
    )


def _field(refusal: DomainError) -> str:
    """Return the field of the form that a refusal speaks about."""
    field = str(refusal.context.get("field", "form"))
    return field if field in ProposalForm.base_fields else "form"


def _form(
    request: HttpRequest, errors: dict[str, str], given: Any, amended: Proposal | None
) -> HttpResponse:
    typed_in = {name: given.get(name, "") for name in TYPED_FIELDS}
    glass = {name: given.get(name, "") for name in GLASS_FIELDS}
    context = {
        "accounts": accounts.accounts(),
        "beneficiaries": beneficiaries.payable(),
        "errors": errors,
        "given": given,
        "typed_in_is_open": any(typed_in.values()) or not errors.keys().isdisjoint(TYPED_FIELDS),
        "glass_is_open": any(glass.values()) or not errors.keys().isdisjoint(GLASS_FIELDS),
        "glass_reasons": GLASS_REASONS,
        "glass_usd_max": policies.get(BREAK_GLASS_USD_MAX),
        "glass_per_day_max": policies.get(BREAK_GLASS_PER_DAY_MAX),
        "amended": amended,
        "glass_was_broken": amended is not None and _over_broken_glass(amended),
        "decisions_count": movement.decisions_count(amended) if amended else 0,
        "form_id": request.POST.get("form_id") or uuid7().hex,
    }
    return render(request, "treasury/new_proposal.html", context)


def _over_broken_glass(proposal: Proposal) -> bool:
    asked = approvals.request_of(
        subject_type=proposals.SUBJECT, subject_id=proposal.pk, subject_version=proposal.version
    )
    return asked is not None and asked.break_glass is not None


def _maker(request: HttpRequest) -> User:
    person = actor(request)
    if not person.has_role(*proposals.MAKERS):
        raise Forbidden("Making proposals takes the role treasury_maker.")
    return person


def _propose(request: HttpRequest, person: User) -> Proposal:
    given = _given(request)
    glass = _break_glass(given)
    with transaction.atomic():
        made = proposals.create_proposal(draft=_draft(given), maker=person)
        return proposals.submit_proposal(proposal_id=made.pk, actor=person, break_glass=glass)


def _given(request: HttpRequest) -> dict[str, Any]:
    form = ProposalForm(request.POST)
    if not form.is_valid():
        field = next(iter(form.errors))
        raise Invalid("Please fill this in.", field=field)
    return form.cleaned_data


def _break_glass(given: dict[str, Any]) -> BreakGlass | None:
    """Return the emergency that the maker names, or None when they name none."""
    if not any(given[name] for name in GLASS_FIELDS):
        return None
    for name in GLASS_FIELDS:
        if not given[name]:
            raise Invalid("Please fill this in, or leave all three empty.", field=name)
    return BreakGlass(
        incident=given["incident"],
        reason=BreakGlassReason(given["glass_reason"]),
        words=given["glass_words"],
    )


def _draft(given: dict[str, Any]) -> proposals.ProposalIn:
    debit = accounts.account(given["debit_account"])
    return proposals.ProposalIn(
        debit_account=given["debit_account"],
        credit_account=given["credit_account"],
        beneficiary=given["beneficiary"],
        typed_in=_typed_in(given, debit.currency),
        amount=parse_amount(given["amount"].replace(",", "").strip(), debit.currency),
        why=given["why"],
    )


def _typed_in(given: dict[str, Any], currency: str) -> BeneficiaryIn | None:
    if not any(given[name] for name in TYPED_FIELDS):
        return None
    for name in TYPED_REQUIRED:
        if not given[name]:
            raise Invalid("Please fill this in.", field=name)
    typed = {name: given[name] for name in TYPED_FIELDS}
    return BeneficiaryIn(
        **{**typed, "currency": currency, "country": given["country"].strip().upper()}
    )


def _terms_of(found: Proposal) -> dict[str, str]:
    """Return the present terms as the form shows them; a typed-in account is chosen again."""
    somebody = found.beneficiary
    return {
        "debit_account": str(found.debit_account_id),
        "credit_account": str(found.credit_account_id or ""),
        "beneficiary": str(found.beneficiary_id or ""),
        "kept_beneficiary": somebody.name if somebody and somebody.is_typed_in else "",
        "amount": f"{found.amount.normalize():f}",
        "why": found.why,
    }
