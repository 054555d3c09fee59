"""The blotter, one deal in full, its capture with headroom, and what its people may do with it."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import refuse, tell
from core.browsing import FilterForm, Listing, day_field, day_written, listed
from core.errors import DomainError, Invalid
from core.identity.models import User
from core.ids import uuid7
from core.money import Money, parse_amount
from fx.engine.dates import Short
from fx.engine.pairs import Pair, parse_pair
from fx.engine.quotes import Side
from fx.models import Deal, DealKind, DealSide, DealState
from fx.selectors import deals as reads
from fx.selectors import rates, valuation
from fx.services import dealing, deals
from fx.services.uploading import read_number
from fx.views import settlement
from treasury.selectors import accounts

TENORS: Final = (*Short, "1W", "2W", "1M", "2M", "3M", "6M", "1Y")
OPEN: Final = (
    DealState.DRAFT,
    DealState.SUBMITTED,
    DealState.APPROVED,
    DealState.EXECUTED,
    DealState.CONFIRMED,
    DealState.FAILED,
)
TEXT_CHARS_MAX: Final = 40
SENT_FORMS: Final = "sent_deal_forms"
_FIELDS: Final = (
    "pair", "side", "amount", "dealt_currency", "limit_rate", "tenor", "value_date", "kind",
    "counterparty", "pay_account", "receive_account", "why",
)  # fmt: skip


class DealFilter(FilterForm):
    """Questions to the blotter."""

    show = forms.CharField(max_length=TEXT_CHARS_MAX, widget=forms.HiddenInput())
    pair = forms.CharField(label="Pair", max_length=7)
    state = forms.ChoiceField(label="State", choices=[("", "all"), *DealState.choices])
    since = day_field("Value date from")
    until = day_field("to")
    reference = forms.CharField(label="Reference", max_length=TEXT_CHARS_MAX)
    counterparty = forms.CharField(label="Counterparty", max_length=TEXT_CHARS_MAX)
    dealer = forms.CharField(label="Dealer", max_length=TEXT_CHARS_MAX)


def _rows(asked: Mapping[str, Any]) -> tuple[QuerySet[Deal], tuple[str, ...]]:
    found = reads.deals()
    show = asked.get("show") or ("all" if asked.get("state") else "open")
    if show == "open":
        found = found.filter(state__in=OPEN)
    elif show == "closed":
        found = found.exclude(state__in=OPEN)
    if text := asked.get("pair"):
        letters = text.upper().replace("/", "")
        found = found.filter(base=letters[:3], quote=letters[3:])
    for name, column in (
        ("state", "state"), ("since", "value_date__gte"), ("until", "value_date__lte"),
        ("reference", "reference__iexact"), ("dealer", "maker__display_name__icontains"),
    ):  # fmt: skip
        if value := asked.get(name):
            found = found.filter(**{column: value})
    if text := asked.get("counterparty"):
        found = found.filter(
            Q(counterparty__code__iexact=text) | Q(counterparty__name__icontains=text)
        )
    return found, ("id",)


_COLUMNS: Final[Mapping[str, Callable[[Deal], object]]] = {
    "reference": lambda row: row.reference,
    "state": lambda row: row.state,
    "kind": lambda row: row.kind,
    "pair": lambda row: row.pair,
    "side": lambda row: row.side,
    "base_amount": lambda row: row.base_amount,
    "quote_amount": lambda row: row.quote_amount,
    "limit_rate": lambda row: row.limit_rate,
    "rate": lambda row: row.rate,
    "trade_date": lambda row: row.trade_date,
    "value_date": lambda row: row.value_date,
    "period": lambda row: row.period,
    "counterparty": lambda row: row.counterparty.code,
    "counterparty_reference": lambda row: row.counterparty_reference,
    "usd_equivalent": lambda row: row.usd_equivalent,
    "mid_rate": lambda row: row.mid_rate,
    "mid_source": lambda row: row.mid_source,
    "dealer": lambda row: row.maker.display_name,
}
BLOTTER: Final = Listing(
    name="deals",
    form=DealFilter,
    rows=_rows,
    page="fx/blotter.html",
    table="fx/blotter_table.html",
    columns=_COLUMNS,
)


@require_safe
@login_required
def blotter(request: HttpRequest) -> HttpResponse:
    """List deals with filters, or hand the list out as CSV."""
    show = request.GET.get("show") or ("all" if request.GET.get("state") else "open")
    return listed(request, BLOTTER, show=show, may_deal=actor(request).has_role(*deals.MAKERS))


@require_safe
@login_required
def deal(request: HttpRequest, deal_id: UUID) -> HttpResponse:
    """Show one deal with what its viewer may do."""
    found, person = reads.deal(deal_id), actor(request)
    is_own, deals_here = found.maker_id == person.pk, person.has_role(*deals.MAKERS)
    context = {
        "deal": found,
        "pair": Pair(found.base, found.quote),
        "confirmations": found.confirmations.select_related("entered_by"),
        "value": valuation.value_of(found.pk),
        "may_submit": is_own and found.state == DealState.DRAFT,
        "may_recall": is_own and found.state == DealState.SUBMITTED,
        "may_cancel": is_own
        and found.state in (DealState.DRAFT, DealState.SUBMITTED, DealState.APPROVED),
        "may_execute": deals_here and found.state == DealState.APPROVED,
        "may_confirm": _may_confirm(found, person),
        **settlement.context_of(found, person),
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "fx/deal.html" if whole else "fx/deal_body.html", context)


def _may_confirm(found: Deal, person: User) -> bool:
    return person.has_role(*dealing.CONFIRMERS) and found.state in (
        DealState.EXECUTED,
        DealState.FAILED,
    )


@require_http_methods(["GET", "POST"])
@login_required
def new_deal(request: HttpRequest) -> HttpResponse:
    """Capture a deal and put it before its checkers."""
    return _captured(request, None)


@require_http_methods(["GET", "POST"])
@login_required
def change_deal(request: HttpRequest, deal_id: UUID) -> HttpResponse:
    """Change one's own draft and put it before its checkers."""
    return _captured(request, reads.deal(deal_id))


def _captured(request: HttpRequest, found: Deal | None) -> HttpResponse:
    person = actor(request)
    deals.require_dealer(person)
    if found is not None:
        deals.require_own(found, actor=person)
        deals.require_state(found, DealState.DRAFT)
    errors: dict[str, str] = {}
    given: Any = request.POST if request.method == "POST" else _given_by(found)
    if request.method == "POST":
        form_id = request.POST.get("form_id", "")
        sent = request.session.get(SENT_FORMS, {})
        if form_id in sent:
            return redirect("fx:deal", deal_id=sent[form_id])
        try:
            made = _kept(request, person, found)
        except DomainError as refusal:
            errors[_field(refusal)] = refusal.message
            refuse(request, refusal)
        else:
            request.session[SENT_FORMS] = {form_id: str(made.pk)}
            return _submitted(request, made, person)
    context = {
        "errors": errors,
        "given": given,
        "changed": found,
        "pairs": _pairs(),
        "tenors": TENORS,
        "kinds": DealKind.choices,
        "sides": DealSide.choices,
        "counterparties": reads.counterparties(),
        "accounts": accounts.accounts(),
        "form_id": request.POST.get("form_id") or uuid7().hex,
    }
    return render(request, "fx/new_deal.html", context, status=422 if errors else 200)


def _kept(request: HttpRequest, person: User, found: Deal | None) -> Deal:
    draft = _draft(request)
    if found is None:
        return deals.capture_deal(draft=draft, maker=person)
    return deals.change_draft(deal_id=found.pk, draft=draft, actor=person)


def _submitted(request: HttpRequest, made: Deal, person: User) -> HttpResponse:
    """Submit what was captured; a refused submission leaves the draft, so that nothing is lost."""
    try:
        deals.submit_deal(deal_id=made.pk, actor=person)
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, f"{made.reference} waits for its checkers.")
    return redirect("fx:deal", deal_id=made.pk)


@require_POST
@login_required
def check_deal(request: HttpRequest) -> HttpResponse:
    """Say what the deal in the form would be and leave of the limits; nothing is stored."""
    deals.require_dealer(actor(request))
    try:
        look, problem = deals.look_at(draft=_draft(request)), ""
    except DomainError as refusal:
        look, problem = None, refusal.message
    return render(request, "fx/headroom.html", {"look": look, "problem": problem})


@require_POST
@login_required
def act(request: HttpRequest, deal_id: UUID) -> HttpResponse:
    """Submit, recall, cancel, deal or fail a deal."""
    person = actor(request)
    steps: dict[str, Callable[[], object]] = {
        "submit": lambda: deals.submit_deal(deal_id=deal_id, actor=person),
        "recall": lambda: deals.recall_deal(deal_id=deal_id, actor=person),
        "cancel": lambda: deals.cancel_deal(
            deal_id=deal_id, actor=person, reason=request.POST.get("reason", "")
        ),
        "execute": lambda: dealing.execute_deal(
            deal_id=deal_id,
            rate=read_number(name="rate", text=request.POST.get("rate", "")),
            counterparty_reference=request.POST.get("counterparty_reference", ""),
            actor=person,
        ),
        "fail": lambda: dealing.fail_deal(
            deal_id=deal_id, reason=request.POST.get("reason", ""), actor=person
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


@require_POST
@login_required
def confirm(request: HttpRequest, deal_id: UUID) -> HttpResponse:
    """Hold what the counterparty confirmed against the deal."""
    try:
        found = reads.deal(deal_id)
        kept = dealing.confirm_deal(
            deal_id=deal_id, stated=_stated(request, found), actor=actor(request)
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        if kept.matches:
            messages.success(request, f"{found.reference} is confirmed.")
        else:
            messages.error(request, "The confirmation differs. " + " ".join(kept.differences))
    return redirect("fx:deal", deal_id=deal_id)


def _stated(request: HttpRequest, found: Deal) -> dealing.Stated:
    given = request.POST
    return dealing.Stated(
        pair=given.get("pair", "").upper(),
        side=given.get("side", ""),
        base_amount=parse_amount(given.get("base_amount", ""), found.base, field="base_amount"),
        quote_amount=parse_amount(given.get("quote_amount", ""), found.quote, field="quote_amount"),
        rate=read_number(name="rate", text=given.get("rate", "")),
        value_date=_day(given.get("value_date", "")) or date.min,
        counterparty_reference=given.get("counterparty_reference", "").strip(),
    )


def _pairs() -> list[Pair]:
    kept = sorted(rates.currencies())
    found = [Pair(one, other) for one in kept for other in kept if one != other]
    return [pair for pair in found if pair.is_conventional]


def _draft(request: HttpRequest) -> deals.DealIn:
    given = request.POST
    pair = parse_pair(given.get("pair", "").upper())
    currency = given.get("dealt_currency") or pair.base
    return deals.DealIn(
        counterparty=_id("counterparty", given.get("counterparty", "")),
        pair=pair,
        side=_side(given.get("side", "")),
        dealt=Money(parse_amount(given.get("amount", ""), currency), currency),
        limit_rate=_rate(given.get("limit_rate", "")),
        pay_account=_id("pay_account", given.get("pay_account", "")),
        receive_account=_id("receive_account", given.get("receive_account", "")),
        why=given.get("why", "")[:500],
        tenor=given.get("tenor") or Short.SPOT,
        value_date=_day(given.get("value_date", "")),
        kind=given.get("kind") or DealKind.DELIVERABLE,
    )


def _side(text: str) -> Side:
    if text not in DealSide.values:
        raise Invalid("Choose buy or sell.", field="side")
    return Side(text)


def _rate(text: str) -> Decimal:
    return read_number(name="limit_rate", text=text.strip())


def _id(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid("Choose one of the list.", field=name) from error


def _day(text: str) -> date | None:
    return day_written(text, field="value_date") if text else None


def _field(refusal: DomainError) -> str:
    field = str(refusal.context.get("field", "form"))
    return field if field in _FIELDS else "form"


def _given_by(found: Deal | None) -> dict[str, Any]:
    if found is None:
        return {"tenor": Short.SPOT, "side": DealSide.BUY, "kind": DealKind.DELIVERABLE}
    is_base = found.dealt_currency == found.base
    return {
        "pair": found.pair,
        "side": found.side,
        "kind": found.kind,
        "amount": f"{(found.base_amount if is_base else found.quote_amount).normalize():f}",
        "dealt_currency": found.dealt_currency,
        "limit_rate": f"{found.limit_rate.normalize():f}",
        "value_date": found.value_date.isoformat(),
        "counterparty": str(found.counterparty_id),
        "pay_account": str(found.pay_account_id),
        "receive_account": str(found.receive_account_id),
        "why": found.why,
    }
