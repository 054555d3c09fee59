"""Boards of proposals and transfers, one proposal in full, and what its people may do with it."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import FilterForm, Listing, day_field, listed
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from integrations import selectors as lines
from integrations.downloads import ROLES_FOR_BYTES
from integrations.pages.layout import laid_out
from treasury.engine.flags import Flag
from treasury.evidence import READERS
from treasury.models import BankAccount, Proposal, ProposalState, RecallReason, Transfer
from treasury.selectors import controls, movement
from treasury.services import orders, proposals, recalls, transfers
from treasury.services.freezing import STOPPERS
from treasury.services.preflighting import flags_of_the_bank
from treasury.views.timeline import story

LISTED_MAX: Final = 100
REFERENCE_CHARS_MAX: Final = 40
PANEL_MAX: Final = 8
OPEN_STATES: Final = (
    ProposalState.DRAFT,
    ProposalState.PENDING,
    ProposalState.APPROVED,
    ProposalState.EXECUTING,
    ProposalState.SENT,
    ProposalState.CONFIRMED,
)
UNSENT_STATES: Final = (ProposalState.DRAFT, ProposalState.PENDING, ProposalState.APPROVED)


class PaymentFilter(FilterForm):
    """Questions to proposals and transfers: their tab, and what is looked for."""

    show = forms.CharField(max_length=REFERENCE_CHARS_MAX, widget=forms.HiddenInput())
    account = forms.ModelChoiceField(
        label="From account",
        queryset=BankAccount.objects.none(),
        empty_label="all",
        error_messages={"invalid_choice": "There is no such account; choose one of the list."},
    )
    rail = forms.CharField(label="Rail", max_length=REFERENCE_CHARS_MAX)
    since = day_field("Value date from")
    until = day_field("to")
    reference = forms.CharField(label="Reference or UETR", max_length=REFERENCE_CHARS_MAX)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = BankAccount.objects.order_by("currency", "label")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


def _asked_for(asked: Mapping[str, Any], *, to: str = "") -> dict[str, Any]:
    """Return the conditions of a filter on proposals; `to` leads from a row to its proposal."""
    found = {
        f"{to}debit_account": asked["account"],
        f"{to}rail": asked["rail"].upper(),
        f"{to}value_date__gte": asked["since"],
        f"{to}value_date__lte": asked["until"],
    }
    return {name: value for name, value in found.items() if value}


def _tab(show: str) -> str:
    return show if show in ("closed", "all") else "open"


def _proposals(show: str) -> QuerySet[Proposal]:
    rows = movement.listed_proposals()
    if show == "all":
        return rows
    is_open = Q(state__in=OPEN_STATES)
    return rows.filter(~is_open if show == "closed" else is_open)


def _found_proposals(asked: Mapping[str, Any]) -> tuple[QuerySet[Proposal], tuple[str, ...]]:
    rows = _proposals(_tab(asked["show"])).filter(**_asked_for(asked))
    if text := asked["reference"]:
        rows = rows.filter(Q(reference=text.upper()) | Q(transfer__uetr=text.lower()))
    return rows, ("id",)


def _found_transfers(asked: Mapping[str, Any]) -> tuple[QuerySet[Transfer], tuple[str, ...]]:
    rows = movement.listed_transfers()
    show = _tab(asked["show"])
    if show != "all":
        is_open = Q(proposal__state__in=OPEN_STATES)
        rows = rows.filter(~is_open if show == "closed" else is_open)
    rows = rows.filter(**_asked_for(asked, to="proposal__"))
    if text := asked["reference"]:
        rows = rows.filter(Q(end_to_end_id=text.upper()) | Q(uetr=text.lower()))
    return rows, ("id",)


PROPOSALS: Final = Listing(
    name="proposals",
    form=PaymentFilter,
    rows=_found_proposals,
    page="treasury/proposals.html",
    table="treasury/proposals_table.html",
    columns={
        "reference": lambda row: row.reference,
        "state": lambda row: row.state,
        "amount": lambda row: row.amount,
        "currency": lambda row: row.currency,
        "from": lambda row: row.debit_account.label,
        "to": lambda row: row.payee,
        "rail": lambda row: row.rail,
        "value_date": lambda row: row.value_date,
        "cutoff_at": lambda row: row.cutoff_at,
        "purpose": lambda row: row.purpose,
        "maker": lambda row: row.maker_label,
        "id": lambda row: row.pk,
    },
)
TRANSFERS: Final = Listing(
    name="transfers",
    form=PaymentFilter,
    rows=_found_transfers,
    page="treasury/transfers.html",
    table="treasury/transfers_table.html",
    columns={
        "end_to_end_id": lambda row: row.end_to_end_id,
        "uetr": lambda row: row.uetr,
        "state": lambda row: row.proposal.state,
        "amount": lambda row: row.proposal.amount,
        "currency": lambda row: row.proposal.currency,
        "from": lambda row: row.proposal.debit_account.label,
        "to": lambda row: row.proposal.payee,
        "rail": lambda row: row.proposal.rail,
        "value_date": lambda row: row.proposal.value_date,
        "sent_at": lambda row: row.sent_at,
        "bank_status": lambda row: row.bank_status,
        "reason_code": lambda row: row.reason_code,
        "confirmed_at": lambda row: row.confirmed_at,
        "id": lambda row: row.pk,
    },
)


@require_safe
@login_required
def proposal_board(request: HttpRequest) -> HttpResponse:
    """List proposals, newest first; open ones unless asked otherwise."""
    person = actor(request)
    return listed(
        request,
        PROPOSALS,
        show=_tab(request.GET.get("show", "")),
        may_propose=person.has_role(*proposals.MAKERS),
        may_stop=person.has_role(*STOPPERS),
    )


@require_safe
@login_required
def transfer_board(request: HttpRequest) -> HttpResponse:
    """List transfers with what the banks said about them."""
    may_stop = actor(request).has_role(*STOPPERS)
    return listed(request, TRANSFERS, show=_tab(request.GET.get("show", "")), may_stop=may_stop)


@require_safe
@login_required
def prefunding_board(request: HttpRequest) -> HttpResponse:
    """List what shortfalls led to: one request per currency and local day."""
    context = {"requests": movement.prefunding_requests()[:LISTED_MAX]}
    whole = request.headers.get("HX-Request") != "true"
    page = "treasury/prefunding.html" if whole else "treasury/prefunding_table.html"
    return render(request, page, context)


@require_safe
@login_required
def movements_panel(request: HttpRequest) -> HttpResponse:
    """Show what moves now, for the front page; when nothing does, what moved last."""
    moving = list(_proposals("open").order_by("cutoff_at")[:PANEL_MAX])
    recent = list(_proposals("closed")[: PANEL_MAX - len(moving)])
    return render(request, "treasury/movements_panel.html", {"rows": moving + recent})


def _whole(request: HttpRequest, proposal_id: UUID) -> dict[str, Any]:
    found = movement.proposal(proposal_id)
    person = actor(request)
    transfer = getattr(found, "transfer", None)
    return {
        "proposal": found,
        "transfer": transfer,
        "story": story(found),
        "flags": _flags(found),
        "may_submit": found.state == ProposalState.DRAFT and found.maker_id == person.pk,
        "may_amend": found.state == ProposalState.PENDING and found.maker_id == person.pk,
        "may_withdraw": _may_withdraw(found, person),
        "may_retry": found.state == ProposalState.FAILED
        and clock.now() < found.cutoff_at
        and person.has_role(*proposals.MAKERS),
        "may_read_bytes": person.has_role(*ROLES_FOR_BYTES),
        "may_recall": _may_recall(found, person),
        "recall_reasons": RecallReason.choices,
        "recalls": transfer.recalls.all() if transfer is not None else (),
        "may_prove": transfer is not None and person.has_role(*READERS),
    }


def _flags(found: Proposal) -> tuple[Flag, ...]:
    """Return what to look at, and before it leaves what the bank would say."""
    if found.state not in OPEN_STATES:
        return ()
    bank = flags_of_the_bank(proposal=found) if found.state in UNSENT_STATES else ()
    return (*controls.flags_of(found), *bank)


def _may_recall(found: Proposal, person: User) -> bool:
    has_it = (ProposalState.SENT, ProposalState.CONFIRMED, ProposalState.SETTLED)
    return found.state in has_it and person.has_role(*recalls.ASKERS)


def _may_withdraw(found: Proposal, person: User) -> bool:
    return found.state in UNSENT_STATES and found.maker_id == person.pk


@require_safe
@login_required
def proposal_page(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Show one proposal with its whole story."""
    context = _whole(request, proposal_id)
    whole = request.headers.get("HX-Request") != "true"
    page = "treasury/proposal.html" if whole else "treasury/proposal_story.html"
    return render(request, page, context)


@require_safe
@login_required
def instruction(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Show the bank message: the archived one if it exists, else as it would leave now."""
    if not actor(request).has_role(*ROLES_FOR_BYTES):
        raise Forbidden("Your roles do not allow reading messages of the banks.")
    found = movement.proposal(proposal_id)
    transfer = getattr(found, "transfer", None)
    file = None
    if transfer is not None and transfer.message_id:
        body, is_archived = lines.message_bytes(transfer.message_id), True
        file = lines.file_of(transfer.message_id)
    else:
        trial = _draft(found, transfer)
        body, is_archived = orders.bytes_of(trial, order=orders.prepared(trial)), False
    context = {
        "text": laid_out(body.decode("utf-8", "replace")),
        "is_archived": is_archived,
        "file": file,
        "seal": found.order_seal,
    }
    return render(request, "treasury/instruction.html", context)


def _draft(found: Proposal, transfer: Transfer | None) -> Transfer:
    """Return the transfer as it would be made; nothing is stored."""
    if transfer is not None:
        transfer.proposal = found
        transfer.attempt += 1
        return transfer
    return orders.trial_of(found)


@require_POST
@login_required
def submit(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Put one's own draft before its checkers."""
    try:
        done = proposals.submit_proposal(proposal_id=proposal_id, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, f"{done.reference} waits for its checkers.")
    return redirect("treasury:proposal", proposal_id=proposal_id)


@require_POST
@login_required
def withdraw(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Take one's own proposal back."""
    try:
        done = proposals.withdraw_proposal(
            proposal_id=proposal_id,
            actor=actor(request),
            reason=request.POST.get("reason", ""),
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, f"{done.reference} is withdrawn.")
    return redirect("treasury:proposal", proposal_id=proposal_id)


@require_POST
@login_required
def retry(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Try a definitely failed transfer again."""
    transfer = getattr(movement.proposal(proposal_id), "transfer", None)
    try:
        if transfer is None:
            raise Invalid("There is no transfer to try again.")
        transfers.retry_transfer(transfer_id=transfer.pk, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "It is on its way again, with the same references.")
    return redirect("treasury:proposal", proposal_id=proposal_id)


@require_POST
@login_required
def recall(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Put the recall of a payment before its checkers."""
    found = movement.transfer(transfer_id)
    try:
        made = recalls.request_recall(
            transfer_id=transfer_id,
            reason=request.POST.get("reason", ""),
            words=request.POST.get("words", ""),
            actor=actor(request),
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, f"{made.case_id} waits for its checkers.")
    return redirect("treasury:proposal", proposal_id=found.proposal_id)
