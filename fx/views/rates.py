"""The rate board, a pair with its year, and files of rates."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import FilterForm, Listing, day_field, listed, text_asked
from core.errors import DomainError, Invalid
from fx.engine.pairs import Pair, parse_pair
from fx.engine.quotes import rounded_rate
from fx.errors import RateMissing
from fx.models import Rate
from fx.selectors import rates as reads
from fx.services.rates import KEEPERS, require_keeper
from fx.services.uploading import COLUMNS, upload_rates
from fx.views.curves import curve_of

CROSSES: Final = ("EUR/INR", "GBP/INR", "AED/INR", "EUR/GBP")
HISTORY_DAYS: Final = 365
DELIVERIES_SHOWN: Final = 8
PAIR_CHARS_MAX: Final = 7
PAIR_SHOWN: Final = "EUR/USD"  # where none is asked for


def _crosses() -> list[Pair]:
    kept = set(reads.currencies())
    return [pair for pair in map(parse_pair, CROSSES) if kept.issuperset(pair.currencies)]


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """Show what every pair is worth now, whose price it is and how old; or the table alone."""
    now = clock.now()
    context: dict[str, Any] = {
        "rows": reads.board(now=now, wanted=_crosses()),
        "alarms": reads.open_alarms(),
        "sources": reads.sources(),
        "deliveries": reads.deliveries()[:DELIVERIES_SHOWN],
        "may_keep": actor(request).has_role(*KEEPERS),
        "now": now,
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "fx/board.html" if whole else "fx/board_table.html", context)


@require_safe
@login_required
def pair(request: HttpRequest) -> HttpResponse:
    """Show one pair: its price now, where it comes from, and a year of it."""
    now = clock.now()
    wanted = parse_pair(text_asked(request, "p", chars_max=PAIR_CHARS_MAX) or PAIR_SHOWN)
    try:
        quote = reads.quote_for(wanted, now=now)
    except RateMissing:
        quote = None
    days = reads.daily(wanted, now=now, days=HISTORY_DAYS)
    chart = {
        "pair": str(wanted),
        "digits": wanted.digits,
        "days": [[at.date().isoformat(), f"{rounded_rate(mid, wanted):f}"] for at, mid in days],
    }
    [row] = reads.board(now=now, wanted=[wanted])[-1:]
    context = {"pair": wanted, "quote": quote, "row": row, "chart": chart, "days": days[::-1]}
    context |= curve_of(wanted, now)
    return render(request, "fx/pair.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file of rates in, all rows or none; who may not bring rates in is refused first."""
    findings: list[dict[str, Any]] = []
    refusal_words, status = "", 200
    if request.method == "POST":
        require_keeper(actor(request))
        try:
            file = request.FILES.get("file")
            if file is None:
                raise Invalid("Choose a file.", field="file")
            taken = upload_rates(name=str(file.name), data=file.read(), actor=actor(request))
        except DomainError as refusal:
            tell(request, refusal)
            findings = refusal.context.get("findings", [])
            refusal_words, status = refusal.message, refusal.status
        else:
            messages.success(request, f"{taken.new} rates are new, {taken.known} were known.")
            return redirect("fx:rates")
    context = {
        "columns": COLUMNS,
        "findings": findings,
        "refusal": refusal_words,
        "may_keep": actor(request).has_role(*KEEPERS),
    }
    return render(request, "fx/upload.html", context, status=status)


class RateFilterForm(FilterForm):
    """Questions to the rates that came in."""

    pair = forms.CharField(label="Pair", max_length=PAIR_CHARS_MAX)
    source = forms.CharField(label="Source", max_length=20)
    since = day_field("From")
    until = day_field("To")

    def clean_pair(self) -> Pair | None:
        """Read the pair, in either order of its letters."""
        given = str(self.cleaned_data.get("pair") or "").upper()
        try:
            return parse_pair(given) if given else None
        except DomainError as refusal:
            raise forms.ValidationError(refusal.message) from refusal


def _rows(asked: Mapping[str, Any]) -> tuple[QuerySet[Rate], tuple[str, ...]]:
    found = reads.rates()
    if wanted := asked.get("pair"):
        found = found.filter(base__in=wanted.currencies, quote__in=wanted.currencies)
    if source := asked.get("source"):
        found = found.filter(source__code=source.upper())
    if since := asked.get("since"):
        found = found.filter(as_of__date__gte=since)
    if until := asked.get("until"):
        found = found.filter(as_of__date__lte=until)
    return found, ("as_of", "id")


_COLUMNS: Final[Mapping[str, Callable[[Rate], object]]] = {
    "pair": lambda row: f"{row.base}/{row.quote}",
    "bid": lambda row: row.bid,
    "ask": lambda row: row.ask,
    "as_of": lambda row: row.as_of,
    "source": lambda row: row.source.code,
    "delivery": lambda row: row.delivery.name,
    "received_at": lambda row: row.delivery.received_at,
    "sha256": lambda row: row.delivery.sha256,
}

HISTORY: Final = Listing(
    name="rates",
    form=RateFilterForm,
    rows=_rows,
    page="fx/history.html",
    table="fx/history_table.html",
    columns=_COLUMNS,
)


@require_safe
@login_required
def history(request: HttpRequest) -> HttpResponse:
    """List every rate as it came in, or hand the list out as CSV."""
    return listed(request, HISTORY)
