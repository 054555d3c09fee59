"""Pages of the desk: what each account may lose on a day, and whether that figure held."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import as_csv, text_asked
from core.errors import DomainError, Forbidden
from risk.engine.backtest import Zone
from risk.errors import ReadingUnknown
from risk.models import AccountRisk
from risk.selectors import backtests, exports, readings
from risk.services.measuring import RUNNERS, measure_risk

PAGE_ROWS: Final = 50
EARLIER_SHOWN: Final = 15
# The looks of the desk's chips: colour and picture; the words stand beside them.
CHIPS: Final = {Zone.GREEN: "OK", Zone.YELLOW: "WARN", Zone.RED: "BAD"}


def _chip(reading: AccountRisk) -> str:
    found = getattr(reading, "backtest", None)
    return "QUIET" if found is None else CHIPS[Zone(found.zone)]


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show the newest reading of every account, or the table alone for refreshing."""
    wanted = text_asked(request, "q", chars_max=70)
    rows = readings.newest()
    if wanted:
        rows = rows.filter(account__label__icontains=wanted)
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "rows": [(row, _chip(row)) for row in page.object_list],
        "query": wanted,
        "run": readings.last_run(),
        "may_measure": actor(request).has_role(*RUNNERS),
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "risk/overview.html" if whole else "risk/overview_table.html", context)


@require_safe
@login_required
def account(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show one account: its figure and what it rests on, and each day of the backtest."""
    reading = readings.newest_of(account_id)
    if reading is None:
        raise ReadingUnknown("This account was not measured yet.", account=str(account_id))
    found = getattr(reading, "backtest", None)
    days = backtests.tested_days(reading) if found else []
    context: dict[str, Any] = {
        "reading": reading,
        "backtest": found,
        "chip": _chip(reading),
        "words": backtests.in_words(found) if found else "",
        "runs": backtests.runs_in_words(found) if found else "",
        "chart": backtests.chart_of(reading, days),
        "exceeded": [one for one in reversed(days) if one.is_exceeded],
        "earlier": readings.readings().filter(account_id=account_id)[:EARLIER_SHOWN],
        "may_measure": actor(request).has_role(*RUNNERS),
    }
    return render(request, "risk/account.html", context)


@require_safe
@login_required
def export(_request: HttpRequest) -> HttpResponse:
    """Hand the newest reading of every account out as CSV; no cell can begin a formula."""
    newest = readings.newest().order_by().values("pk")
    rows = readings.readings().filter(pk__in=newest)
    return as_csv(rows, exports.COLUMNS, name=f"risk-{clock.now():%Y%m%d-%H%M%S}")


@require_POST
@login_required
def measure(request: HttpRequest) -> HttpResponse:
    """Measure every account now."""
    try:
        if not actor(request).has_role(*RUNNERS):
            raise Forbidden("Risk officers and treasury managers have risk measured.")
        done = measure_risk(now=clock.now())
    except DomainError as refusal:
        tell(request, refusal)
    else:
        words = f"New readings: {len(done.new)}." if done.new else "Nothing has changed since."
        messages.success(request, f"Accounts measured: {len(done.readings)}. {words}")
    return redirect("risk:overview")
