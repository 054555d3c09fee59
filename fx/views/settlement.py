"""Settlement on the desk: legs by day, deals with one leg only done, and what may be done."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import FilterForm, Listing, day_field, listed
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from core.money import parse_amount
from fx.models import (
    UNSETTLED,
    Deal,
    DealKind,
    DealLeg,
    DealState,
    DifferenceKind,
    LegDirection,
    LegState,
)
from fx.selectors import deals as reads
from fx.selectors import differences, settlement
from fx.services import closing, differing, fixing, instructing, netting
from fx.services.deals import MAKERS, require_dealer
from fx.services.uploading import read_number
from treasury.selectors import accounts

TEXT_CHARS_MAX: Final = 40
NETS_SHOWN: Final = 10
PANEL_DAYS: Final = 3
CAME_SHOWN: Final = 10
_DEALT: Final = (DealState.EXECUTED, DealState.CONFIRMED)


class LegFilter(FilterForm):
    """Questions to the legs."""

    show = forms.CharField(max_length=TEXT_CHARS_MAX, widget=forms.HiddenInput())
    currency = forms.CharField(label="Currency", max_length=3)
    direction = forms.ChoiceField(label="Way", choices=[("", "both"), *LegDirection.choices])
    state = forms.ChoiceField(label="State", choices=[("", "all"), *LegState.choices])
    since = day_field("Value date from")
    until = day_field("to")
    deal = forms.CharField(label="Deal", max_length=TEXT_CHARS_MAX)


def _rows(asked: Mapping[str, Any]) -> tuple[QuerySet[DealLeg], tuple[str, ...]]:
    found = settlement.legs()
    show = _shown(asked.get("show"), asked.get("state"))
    if show == "open":
        found = found.filter(state__in=(*UNSETTLED, LegState.FAILED))
    elif show == "settled":
        found = found.filter(state=LegState.SETTLED)
    for name, column in (
        ("direction", "direction"), ("state", "state"), ("since", "value_date__gte"),
        ("until", "value_date__lte"), ("deal", "deal__reference__iexact"),
        ("currency", "currency__iexact"),
    ):  # fmt: skip
        if value := asked.get(name):
            found = found.filter(**{column: value})
    return found, ("value_date", "id")


def _shown(show: str | None, state: str | None) -> str:
    return show or ("all" if state else "open")


_COLUMNS: Final[Mapping[str, Callable[[DealLeg], object]]] = {
    "leg": lambda row: row.reference,
    "deal": lambda row: row.deal.reference,
    "deal_state": lambda row: row.deal.state,
    "counterparty": lambda row: row.deal.counterparty.code,
    "direction": lambda row: row.direction,
    "currency": lambda row: row.currency,
    "amount": lambda row: row.amount,
    "account": lambda row: row.account.label,
    "rail": lambda row: row.rail,
    "value_date": lambda row: row.value_date,
    "due_at": lambda row: row.due_at,
    "state": lambda row: row.state,
    "payment": lambda row: row.proposal.reference if row.proposal else "",
    "settled_at": lambda row: row.settled_at,
    "reason": lambda row: row.reason,
}
LEGS: Final = Listing(
    name="settlements",
    form=LegFilter,
    rows=_rows,
    page="fx/settlements.html",
    table="fx/settlements_table.html",
    columns=_COLUMNS,
)


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """List legs with filters, and the deals of which one leg only is done; or hand out CSV."""
    show = _shown(request.GET.get("show"), request.GET.get("state"))
    return listed(
        request,
        LEGS,
        show=show,
        gaps=settlement.open_alarms(),
        days=settlement.days_ahead(),
        nets=settlement.nets()[:NETS_SHOWN],
        nettable=settlement.to_be_netted(),
        differences=[
            (one, differences.deal_booked_with(one)) for one in differences.open_differences()
        ],
        may_net=actor(request).has_role(*netting.NETTERS),
        may_decide_difference=actor(request).has_role(*differing.ACCEPTERS),
    )


@require_safe
@login_required
def panel(request: HttpRequest) -> HttpResponse:
    """Show the front page what settles next, and where one leg only is done."""
    context = {
        "gaps": settlement.open_alarms(),
        "days": settlement.days_ahead(days=PANEL_DAYS),
    }
    return render(request, "fx/settlement_panel.html", context)


@require_POST
@login_required
def act(request: HttpRequest, deal_id: UUID) -> HttpResponse:
    """Instruct a failed deal anew, replace its legs, fix it, or end it otherwise."""
    person, reason = actor(request), request.POST.get("reason", "")
    if not person.has_role(*instructing.INSTRUCTORS, *fixing.FIXERS, *closing.ASKERS):
        raise Forbidden("The back office settles deals; dealers ask to cancel them.")
    steps: dict[str, Callable[[], object]] = {
        "reinstruct": lambda: instructing.reinstruct_deal(
            deal_id=deal_id, actor=person, reason=reason
        ),
        "replace": lambda: instructing.replace_legs(
            deal_id=deal_id,
            actor=person,
            reason=reason,
            pay_account=_account(request, "pay_account"),
            receive_account=_account(request, "receive_account"),
        ),
        "fix": lambda: fixing.fix_deal(
            deal_id=deal_id,
            rate=read_number(name="rate", text=request.POST.get("rate", "")),
            said_by=request.POST.get("said_by", ""),
            actor=person,
        ),
        "ask-to-cancel": lambda: closing.ask_to_cancel(
            deal_id=deal_id, evidence=reason, actor=person
        ),
    }
    try:
        step = steps.get(request.POST.get("step", ""))
        if step is None:
            raise Invalid("There is no such step.", field="step")
        step()
    except DomainError as refusal:
        tell(request, refusal)
    else:
        found = reads.deal(deal_id)
        messages.success(request, f"{found.reference} is {found.get_state_display()}.")
    return redirect("fx:deal", deal_id=deal_id)


def _account(request: HttpRequest, name: str) -> UUID | None:
    """Return the account that was chosen; None is the one that stands."""
    text = request.POST.get(name, "")
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Invalid("Choose one of the list.", field=name) from error


@require_POST
@login_required
def net_now(request: HttpRequest) -> HttpResponse:
    """Net the legs of a counterparty, currency and day before their time has come."""
    person, given = actor(request), request.POST
    if not person.has_role(*netting.NETTERS):
        raise Forbidden("The back office nets.")
    try:
        try:
            party, day = UUID(given.get("counterparty", "")), date.fromisoformat(given["day"])
        except (KeyError, ValueError) as error:
            raise Invalid("Choose what is listed as nettable.", field="counterparty") from error
        made = netting.net_now(
            counterparty=party,
            currency=given.get("currency", "").upper(),
            value_date=day,
            actor=person,
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        names = ", ".join(one.reference for one in made)
        messages.success(request, f"{names}: its payment is proposed as soon as its day is here.")
    return redirect("fx:settlements")


@require_POST
@login_required
def close_out(request: HttpRequest, deal_id: UUID) -> HttpResponse:
    """Draft the deal that closes another one out, for its dealer to look at and submit."""
    given = request.POST
    require_dealer(actor(request))
    try:
        found = reads.deal(deal_id)
        amount = parse_amount(given.get("amount", ""), found.base)
        made = closing.close_out(
            deal_id=deal_id,
            amount=amount,
            limit_rate=read_number(name="limit_rate", text=given.get("limit_rate", "")),
            why=given.get("why", ""),
            actor=actor(request),
        )
    except DomainError as refusal:
        tell(request, refusal)
        return redirect("fx:deal", deal_id=deal_id)
    messages.success(request, f"{made.reference} closes {found.reference} out once it is dealt.")
    return redirect("fx:deal", deal_id=made.pk)


def context_of(found: Deal, person: User) -> dict[str, Any]:
    """Return what the deal's page shows of its settlement, and what its viewer may do there."""
    instructs = person.has_role(*instructing.INSTRUCTORS)
    may = instructs and person.pk not in (found.maker_id, found.executed_by_id)
    return {
        "legs": list(settlement.legs_of(found.pk, standing=False)),
        "gap": found.settlement_alarms.filter(closed_at=None).first(),
        "may_reinstruct": may and found.state == DealState.FAILED,
        "may_replace": may and found.state in _DEALT,
        "may_fix": may
        and found.kind == DealKind.NDF
        and found.state == DealState.CONFIRMED
        and not hasattr(found, "fixing"),
        "may_close_out": person.has_role(*MAKERS)
        and found.state in _DEALT
        and found.closes_id is None
        and closing.open_amount(found) > 0,
        "may_ask_to_cancel": person.has_role(*closing.ASKERS)
        and found.state in (*_DEALT, DealState.FAILED),
        "differences": differences.differences_of(found.pk),
        "open_receipt": _open_receipt(found) if may else None,
        "difference_kinds": DifferenceKind.choices,
        "may_decide_difference": person.has_role(*differing.ACCEPTERS)
        and person.pk not in (found.maker_id, found.executed_by_id),
        "our_accounts": {
            "pay": accounts.accounts(found.sold) if may else (),
            "receive": accounts.accounts(found.bought) if may else (),
        },
        "open_amount": closing.open_amount(found),
        "close_outs": found.close_outs.order_by("id"),
        "cancellation": found.cancellations.first(),
    }


def _open_receipt(found: Deal) -> dict[str, Any] | None:
    """Return what a deal waits to receive, and what came of another amount; None if nothing did.

    A leg in a net waits with its net, where that is a receipt.
    """
    wanted = (LegState.EXPECTED, LegState.NETTED)
    legs = [one for one in settlement.legs_of(found.pk) if one.state in wanted]
    for leg in legs:
        owed = leg if leg.net is None else leg.net
        is_ours = owed.direction == LegDirection.RECEIVE and owed.state == LegState.EXPECTED
        came = differences.came_instead(owed, most=CAME_SHOWN) if is_ours else []
        if came and found.state in _DEALT:
            return {"leg": leg, "owed": owed, "came": came}
    return None
