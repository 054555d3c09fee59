"""What is suggested to close open exposure, and what a dealer does with it."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import FilterForm, Listing, day_field, listed
from core.errors import DomainError
from fx.engine.pictures import stacked
from fx.models import DealSuggestion, SuggestionState
from fx.selectors import exposure
from fx.selectors import suggestions as reads
from fx.services import deals, taking
from fx.services.suggesting import suggest_all

CURRENCY_CHARS: Final = 3


@require_safe
@login_required
def suggestions(request: HttpRequest) -> HttpResponse:
    """Show what is suggested now, currency by currency, or the body alone for refreshing."""
    now = clock.now()
    found = list(reads.open_suggestions())
    boards = {one.currency: one for one in exposure.board(now=now)}
    groups = []
    for currency in dict.fromkeys(one.currency for one in found):
        rows = [one for one in found if one.currency == currency]
        need = rows[0].need
        picture = stacked(
            (
                ("there", need.prefunded),
                ("bought", need.hedged),
                ("on its way", need.in_works),
                ("left open on purpose", need.left_open),
                ("suggested", need.amount),
            ),
            limit=None,
        )
        groups.append(
            {
                "currency": currency,
                "rows": rows,
                "need": need,
                "board": boards.get(currency),
                "usd": reads.total_of(rows),
                "picture": picture,
            }
        )
    context = {
        "groups": groups,
        "over": [one for one in boards.values() if one.is_overhedged],
        "may_deal": actor(request).has_role(*deals.MAKERS),
        "now": now,
    }
    whole = request.headers.get("HX-Request") != "true"
    page = "fx/suggestions.html" if whole else "fx/suggestions_body.html"
    return render(request, page, context)


@require_safe
@login_required
def suggestion(request: HttpRequest, suggestion_id: UUID) -> HttpResponse:
    """Explain one suggestion: what it was reckoned from, and what was not taken instead."""
    found = reads.suggestion(suggestion_id)
    may_deal = actor(request).has_role(*deals.MAKERS)
    context = {
        "row": found,
        "need": found.need,
        "may_act": may_deal and found.state == SuggestionState.OPEN,
        "now": clock.now(),
    }
    return render(request, "fx/suggestion.html", context)


@require_POST
@login_required
def take(request: HttpRequest, suggestion_id: UUID) -> HttpResponse:
    """Make a draft of a suggestion and go there."""
    try:
        made = taking.take_suggestion(suggestion_id=suggestion_id, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
        return redirect("fx:suggestions")
    messages.success(request, f"{made.reference} is a draft: look at it, then submit it.")
    return redirect("fx:deal", deal_id=made.pk)


@require_POST
@login_required
def dismiss(request: HttpRequest, suggestion_id: UUID) -> HttpResponse:
    """Leave a suggestion open on purpose."""
    try:
        taking.dismiss_suggestion(
            suggestion_id=suggestion_id,
            actor=actor(request),
            reason=request.POST.get("reason", ""),
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "It stays open, and is not suggested again today.")
    return redirect("fx:suggestions")


@require_POST
@login_required
def reckon(request: HttpRequest) -> HttpResponse:
    """Reckon all currencies anew at once, instead of within the minute."""
    try:
        deals.require_dealer(actor(request))
        made = suggest_all(now=clock.now())
    except DomainError as refusal:
        tell(request, refusal)
    else:
        words = f"{len(made)} suggestions are new." if made else "Nothing has changed."
        messages.success(request, words)
    return redirect("fx:suggestions")


class SuggestionFilter(FilterForm):
    """Questions to the suggestions of the past."""

    currency = forms.CharField(label="Currency", max_length=CURRENCY_CHARS)
    state = forms.ChoiceField(label="State", choices=[("", "all"), *SuggestionState.choices])
    since = day_field("Day from")
    until = day_field("to")


def _rows(asked: Mapping[str, Any]) -> tuple[QuerySet[DealSuggestion], tuple[str, ...]]:
    found = reads.suggestions()
    if currency := asked.get("currency"):
        found = found.filter(currency=currency.upper())
    for name, column in (("state", "state"), ("since", "day__gte"), ("until", "day__lte")):
        if value := asked.get(name):
            found = found.filter(**{column: value})
    return found, ("id",)


_COLUMNS: Final[Mapping[str, Callable[[DealSuggestion], object]]] = {
    "day": lambda row: row.day,
    "currency": lambda row: row.currency,
    "part": lambda row: f"{row.part} of {row.parts}",
    "state": lambda row: row.state,
    "pair": lambda row: row.pair,
    "side": lambda row: row.side,
    "dealt_amount": lambda row: row.dealt_amount,
    "dealt_currency": lambda row: row.dealt_currency,
    "buys": lambda row: row.buys,
    "rate": lambda row: row.rate,
    "usd_equivalent": lambda row: row.usd_equivalent,
    "period": lambda row: row.period,
    "value_date": lambda row: row.value_date,
    "needed_on": lambda row: row.need.needed_on,
    "counterparty": lambda row: row.counterparty.code if row.counterparty else "",
    "reason": lambda row: row.reason,
    "closing_reason": lambda row: row.closing_reason,
    "closed_by": lambda row: row.closed_by.display_name if row.closed_by else "",
    "deal": lambda row: row.deal.reference if row.deal else "",
    "created_at": lambda row: row.created_at,
    "closed_at": lambda row: row.closed_at,
}
PAST: Final = Listing(
    name="suggestions",
    form=SuggestionFilter,
    rows=_rows,
    page="fx/suggestions_past.html",
    table="fx/suggestions_past_table.html",
    columns=_COLUMNS,
)


@require_safe
@login_required
def past(request: HttpRequest) -> HttpResponse:
    """List every suggestion with what became of it, or hand the list out as CSV."""
    return listed(request, PAST)
