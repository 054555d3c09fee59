"""Pages of the desk: every account's days ahead, and what will be missing."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from liquidity import selectors
from liquidity.constants import FORECASTS_KEPT_ON_PAGE
from liquidity.errors import ForecastUnknown


def _overview() -> dict[str, Any]:
    return {"rows": selectors.overview(), "run": selectors.last_run()}


@require_safe
@login_required
def forecasts(request: HttpRequest) -> HttpResponse:
    """Show the newest forecast of every account."""
    return render(request, "liquidity/forecasts.html", _overview())


@require_safe
@login_required
def forecasts_table(request: HttpRequest) -> HttpResponse:
    """Show the table of the forecasts page alone, for refreshing."""
    return render(request, "liquidity/forecasts_table.html", _overview())


@require_safe
@login_required
def forecast_panel(request: HttpRequest) -> HttpResponse:
    """Show the forecasts in brief, for the front page."""
    return render(request, "liquidity/forecast_panel.html", _overview())


@require_safe
@login_required
def forecast(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show one account's days ahead: chart, lines, what is known, and how good the model is."""
    newest = selectors.newest_of(account_id)
    if newest is None:
        raise ForecastUnknown("This account has no forecast yet.", account=str(account_id))
    context = {
        "forecast": newest,
        "lines": selectors.lines(newest.pk),
        "chart": selectors.chart_of(newest),
        "plans": selectors.plans_ahead(newest),
        "patterns": selectors.patterns().active().filter(account_id=account_id),
        "earlier": selectors.forecasts().filter(account_id=account_id)[:FORECASTS_KEPT_ON_PAGE],
    }
    return render(request, "liquidity/forecast.html", context)


def _short() -> dict[str, Any]:
    return {"rows": selectors.shortfalls(now=clock.now()), "run": selectors.last_run()}


@require_safe
@login_required
def shortfalls(request: HttpRequest) -> HttpResponse:
    """Show the accounts that will lack money."""
    return render(request, "liquidity/shortfalls.html", _short())


@require_safe
@login_required
def shortfalls_table(request: HttpRequest) -> HttpResponse:
    """Show the table of the shortfalls page alone, for refreshing."""
    return render(request, "liquidity/shortfalls_table.html", _short())


@require_safe
@login_required
def shortfalls_panel(request: HttpRequest) -> HttpResponse:
    """Show the shortfalls in brief, for the front page."""
    return render(request, "liquidity/shortfalls_panel.html", _short())
