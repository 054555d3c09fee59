"""What open deals are worth: the run of a day, why it changed, and files of points and interest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import FilterForm, Listing, day_asked, day_field, listed
from core.errors import DomainError, Invalid
from fx.models import DealValuation, PnlEntry, PnlKind, RevaluationRun
from fx.selectors import differences
from fx.selectors import valuation as reads
from fx.selectors.curves import Market
from fx.selectors.valuation import DayResult, Explained
from fx.selectors.worth import values_now
from fx.services.curves import upload_curves
from fx.services.rates import KEEPERS, require_keeper
from fx.services.valuing import VALUERS, require_valuer, revalue

DAYS_SHOWN: Final = 90
PAIR_CHARS_MAX: Final = 7
REFERENCE_CHARS_MAX: Final = 20
# The width of the picture that explains a change, in its own units.
WIDTH: Final = 600
SHOWN: Final = (
    ("", "all"),
    ("valued", "valued"),
    ("missing", "without a value"),
    ("stale", "old market"),
)


class ValuationFilter(FilterForm):
    """Questions to a day's valuation."""

    day = day_field("Day")
    pair = forms.CharField(label="Pair", max_length=PAIR_CHARS_MAX)
    reference = forms.CharField(label="Deal", max_length=REFERENCE_CHARS_MAX)
    show = forms.ChoiceField(label="Which", choices=SHOWN)


def _rows(asked: Mapping[str, Any]) -> tuple[QuerySet[DealValuation], tuple[str, ...]]:
    run = reads.newest_run(until=asked.get("day"))
    found = reads.valuations().filter(run=run) if run else reads.valuations().none()
    if text := asked.get("pair"):
        letters = text.upper().replace("/", "")
        found = found.filter(deal__base=letters[:3], deal__quote=letters[3:])
    if reference := asked.get("reference"):
        found = found.filter(deal__reference__iexact=reference)
    match asked.get("show"):
        case "valued":
            found = found.filter(gap="")
        case "missing":
            found = found.exclude(gap="")
        case "stale":
            found = found.filter(is_stale=True)
    return found, ("deal_id",)


_COLUMNS: Final[Mapping[str, Callable[[DealValuation], object]]] = {
    "day": lambda row: row.run.day,
    "version": lambda row: row.run.version,
    "deal": lambda row: row.deal.reference,
    "pair": lambda row: row.deal.pair,
    "kind": lambda row: row.deal.kind,
    "side": lambda row: row.deal.side,
    "base_amount": lambda row: row.deal.base_amount,
    "rate": lambda row: row.deal.rate,
    "value_date": lambda row: row.deal.value_date,
    "counterparty": lambda row: row.deal.counterparty.code,
    "spot": lambda row: row.spot,
    "forward": lambda row: row.forward,
    "discount": lambda row: row.discount,
    "usd_rate": lambda row: row.usd_rate,
    "pnl_quote": lambda row: row.pnl_quote,
    "pnl_usd": lambda row: row.pnl_usd,
    "market_at": lambda row: row.market_at,
    "sources": lambda row: row.sources,
    "stale": lambda row: row.is_stale,
    "missing": lambda row: row.gap,
}
VALUATION: Final = Listing(
    name="fx-valuation",
    form=ValuationFilter,
    rows=_rows,
    page="fx/valuation.html",
    table="fx/valuation_table.html",
    columns=_COLUMNS,
)


class BookedFilter(FilterForm):
    """Questions to what was booked."""

    since = day_field("From")
    until = day_field("To")
    reference = forms.CharField(label="Deal", max_length=REFERENCE_CHARS_MAX)
    kind = forms.ChoiceField(label="What", choices=[("", "all"), *PnlKind.choices])


def _booked_rows(asked: Mapping[str, Any]) -> tuple[QuerySet[PnlEntry], tuple[str, ...]]:
    found = reads.entries()
    if since := asked.get("since"):
        found = found.filter(day__gte=since)
    if until := asked.get("until"):
        found = found.filter(day__lte=until)
    if reference := asked.get("reference"):
        found = found.filter(deal__reference__iexact=reference)
    if kind := asked.get("kind"):
        found = found.filter(kind=kind)
    return found, ("day", "booked_at", "id")


_BOOKED_COLUMNS: Final[Mapping[str, Callable[[PnlEntry], object]]] = {
    "day": lambda row: row.day,
    "deal": lambda row: row.deal.reference,
    "pair": lambda row: row.deal.pair,
    "what": lambda row: row.kind,
    "amount_usd": lambda row: row.amount_usd,
    "rate": lambda row: row.rate,
    "usd_rate": lambda row: row.usd_rate,
    "receipt": lambda row: row.difference.reference if row.difference else "",
    "kind_of_difference": lambda row: row.difference.kind if row.difference else "",
    "booked_at": lambda row: row.booked_at,
}
BOOKED: Final = Listing(
    name="fx-booked",
    form=BookedFilter,
    rows=_booked_rows,
    page="fx/booked.html",
    table="fx/booked_table.html",
    columns=_BOOKED_COLUMNS,
)


@require_safe
@login_required
def booked(request: HttpRequest) -> HttpResponse:
    """Show profit and loss as it was booked, entry by entry, or hand it out as CSV."""
    return listed(request, BOOKED)


@require_safe
@login_required
def valuation(request: HttpRequest) -> HttpResponse:
    """Show a day's valuation deal by deal with filters, or hand it out as CSV."""
    try:
        day = day_asked(request, "day")
    except Invalid:  # the form names it
        day = None
    run = reads.newest_run(until=day)
    return listed(
        request,
        VALUATION,
        run=run,
        may_value=actor(request).has_role(*VALUERS),
        taken=differences.totals(),
        now=None if day else _now(),
        **_beside(run),
    )


def _now() -> dict[str, Any]:
    """Return what open deals are worth at this instant: by pair, and together."""
    pairs = values_now(Market(at=clock.now()))
    return {
        "pairs": pairs,
        "deals": sum(one.deals for one in pairs),
        "missing": sum(one.missing for one in pairs),
        "pnl_usd": sum((one.pnl_usd for one in pairs), start=Decimal(0)),
    }


def _beside(run: RevaluationRun | None) -> dict[str, Any]:
    if run is None:
        return {}
    before = reads.run_before(run)
    parts = reads.explained(before, run)
    total = reads.together(parts)
    days = reads.series(days=DAYS_SHOWN)
    since = before.day if before else None
    return {
        "before": before,
        "parts": parts,
        "total": total,
        "realised": reads.realised_between(since, run.day),
        "by_differences": reads.differences_between(since, run.day),
        "steps": _waterfall(total),
        "width": WIDTH,
        "days": days[::-1],
        "chart": _chart(days),
        "versions": reads.runs().filter(day=run.day),
    }


def _chart(days: list[DayResult]) -> dict[str, Any]:
    return {
        "days": [
            [one.day.isoformat(), f"{one.unrealised:f}", f"{one.realised:f}", f"{one.total:f}"]
            for one in days
        ]
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One bar of the picture that leads from one day's result to the next one's."""

    label: str
    amount: Decimal
    look: str
    x: int
    width: int


def _waterfall(total: Explained) -> list[Step]:
    """Return the bars, each beginning where the one before it ended."""
    named = (
        ("Rates", total.rate),
        ("Points and time", total.carry),
        ("New deals", total.new),
        ("Settled", total.closed),
        ("Without a market", total.gaps),
        ("Unexplained", total.residual),
    )
    levels = [Decimal(0), total.before]
    for _, amount in named:
        levels.append(levels[-1] + amount)
    low, high = min(levels), max(levels)
    span = high - low or Decimal(1)

    def place(level: Decimal) -> int:
        return int((level - low) * WIDTH / span)

    def bar(label: str, start: Decimal, end: Decimal, look: str) -> Step:
        left, right = sorted((place(start), place(end)))
        return Step(label=label, amount=end - start, look=look, x=left, width=max(1, right - left))

    steps = [bar("Before", Decimal(0), total.before, "whole")]
    for (label, amount), start in zip(named, levels[1:], strict=False):
        steps.append(bar(label, start, start + amount, "gain" if amount >= 0 else "loss"))
    return [*steps, bar("Now", Decimal(0), total.after, "whole")]


@require_POST
@login_required
def run_valuation(request: HttpRequest) -> HttpResponse:
    """Value all open deals now; a day that was valued is restated, which takes a reason."""
    try:
        require_valuer(actor(request))
        done = revalue(at=clock.now(), reason=request.POST.get("reason", ""))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        run = done.run
        if done.is_new:
            missing = f" {run.missing_count} have no value." if run.missing_count else ""
            messages.success(request, f"{run.deals_count} deals are valued for {run}.{missing}")
        else:
            messages.info(request, f"{run.day} is valued already: say why to restate it.")
    return redirect("fx:valuation")


@require_http_methods(["GET", "POST"])
@login_required
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file of points or interest in, all rows or none."""
    findings: list[dict[str, Any]] = []
    words, status = "", 200
    if request.method == "POST":
        require_keeper(actor(request))
        try:
            file = request.FILES.get("file")
            if file is None:
                raise Invalid("Choose a file.", field="file")
            taken = upload_curves(name=str(file.name), data=file.read(), actor=actor(request))
        except DomainError as refusal:
            tell(request, refusal)
            findings = refusal.context.get("findings", [])
            words, status = refusal.message, refusal.status
        else:
            messages.success(request, f"{taken.new} rows are new, {taken.known} were known.")
            return redirect("fx:rates")
    context = {
        "findings": findings,
        "refusal": words,
        "may_keep": actor(request).has_role(*KEEPERS),
    }
    return render(request, "fx/upload_curves.html", context, status=status)
