"""What is closed until when, and what waits to change it."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import FilterForm, Listing, listed
from core.errors import DomainError, Invalid
from treasury.models import BankAccount, LateEntry, LateState
from treasury.selectors import periods as reads
from treasury.services import periods

_REFUSALS_TOLD: Final = 5


class LateFilter(FilterForm):
    """Questions to the late entries."""

    account = forms.ModelChoiceField(
        label="Account",
        queryset=BankAccount.objects.none(),
        empty_label="all",
        error_messages={"invalid_choice": "There is no such account; choose one of the list."},
    )
    state = forms.ChoiceField(label="State", choices=[("", "all"), *LateState.choices])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = BankAccount.objects.order_by("currency", "label")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


def _rows(asked: Mapping[str, Any]) -> tuple[QuerySet[LateEntry], tuple[str, ...]]:
    return reads.late_entries(asked), ("found_at", "id")


LATE: Final = Listing(
    name="late-entries",
    form=LateFilter,
    rows=_rows,
    page="treasury/periods.html",
    table="treasury/periods_table.html",
    columns={
        "account": lambda row: row.account.label,
        "currency": lambda row: row.account.currency,
        "change": lambda row: row.change,
        "amount": lambda row: row.amount,
        "booking_before": lambda row: row.booking_before,
        "value_before": lambda row: row.value_before,
        "booking_after": lambda row: row.booking_after,
        "value_after": lambda row: row.value_after,
        "closed_until": lambda row: row.closed_until,
        "statement_ref": lambda row: row.statement.statement_ref,
        "entry": lambda row: row.entry_id,
        "found_at": lambda row: row.found_at,
        "state": lambda row: row.state,
        "reason": lambda row: row.reason,
        "decided_by": lambda row: row.decided_by.display_name if row.decided_by else "",
        "decided_at": lambda row: row.decided_at,
        "id": lambda row: row.pk,
    },
)


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show how far each account is closed, and the late entries, newest first."""
    return listed(
        request,
        LATE,
        closings=reads.closings(),
        may_decide=actor(request).has_role(*periods.DECIDERS),
    )


@require_POST
@login_required
def accept(request: HttpRequest, late_id: UUID) -> HttpResponse:
    """Let a late entry change its closed day."""
    return _decided(request, late_id, periods.accept_late, "It is posted.")


@require_POST
@login_required
def leave(request: HttpRequest, late_id: UUID) -> HttpResponse:
    """Leave the closed day as it is."""
    return _decided(request, late_id, periods.leave_late, "The closed day stays as it was.")


@require_POST
@login_required
def together(request: HttpRequest) -> HttpResponse:
    """Accept or leave the late entries that are marked, for one reason."""
    try:
        found = periods.decide_several(
            late_ids=_marked(request),
            outcome=request.POST.get("outcome", ""),
            actor=actor(request),
            reason=request.POST.get("reason", ""),
        )
    except DomainError as refusal:
        tell(request, refusal)
        return redirect("treasury:periods")
    done = sum(one.refusal is None for one in found)
    if done:
        messages.success(request, f"{done} of {len(found)} decided.")
    for told in [one.refusal for one in found if one.refusal][:_REFUSALS_TOLD]:
        tell(request, told)
    return redirect("treasury:periods")


def _marked(request: HttpRequest) -> list[UUID]:
    try:
        return [UUID(one) for one in request.POST.getlist("late")]
    except ValueError:
        raise Invalid("Mark late entries of the list.", field="late") from None


def _decided(request: HttpRequest, late_id: UUID, act: Any, done: str) -> HttpResponse:
    try:
        act(late_id=late_id, actor=actor(request), reason=request.POST.get("reason", ""))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, done)
    return redirect("treasury:periods")
