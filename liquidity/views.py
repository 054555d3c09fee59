"""Pages of the desk: forecasts with their intervals, and the shortfalls that follow from them."""

from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from core.errors import Invalid
from liquidity import selectors
from liquidity.models import Forecast
from treasury.selectors import movement
from treasury.selectors.accounts import account as account_of

PANEL_ACCOUNT: Final = "desk_forecast_account"
PREFUNDINGS_MAX: Final = 30


def _is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _chart(forecast: Forecast) -> dict[str, Any]:
    """Return the chart's data; without bounds there is no band, and none is drawn."""
    chart = selectors.chart_of(forecast)
    has_bounds = any(low != high for _, _, low, high in chart["forecast"])
    chart["interval"] = "8 of 10 days end in here" if has_bounds else ""
    return chart


@require_safe
@login_required
def forecasts(request: HttpRequest) -> HttpResponse:
    """List the newest forecast of every account, the ones that fall short first."""
    found = sorted(selectors.latest_forecasts(), key=lambda one: not one.is_short)
    context = {"forecasts": found, "run": selectors.last_run()}
    page = "liquidity/forecasts_table.html" if _is_fragment(request) else "liquidity/forecasts.html"
    return render(request, page, context)


@require_safe
@login_required
def forecast(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show one account's days ahead: the chart, the days, and how good the forecast has been."""
    account = account_of(account_id)
    found = selectors.newest_of(account.pk)
    context: dict[str, Any] = {"account": account, "forecast": found}
    if found is not None:
        context |= {"chart": _chart(found), "lines": selectors.lines(found.pk)}
    page = "liquidity/forecast_days.html" if _is_fragment(request) else "liquidity/forecast.html"
    return render(request, page, context)


@require_safe
@login_required
def forecast_panel(request: HttpRequest) -> HttpResponse:
    """Show one account's forecast for the front page: the one chosen last, or the most pressing."""
    found = selectors.latest_forecasts()
    chosen = _chosen(request, found)
    context: dict[str, Any] = {"forecasts": found, "chosen": chosen}
    if chosen is not None:
        context["chart"] = _chart(chosen)
    return render(request, "liquidity/forecast_panel.html", context)


def _chosen(request: HttpRequest, found: list[Forecast]) -> Forecast | None:
    asked = request.GET.get("account", "")
    if asked:
        try:
            request.session[PANEL_ACCOUNT] = str(UUID(asked))
        except ValueError:
            raise Invalid("`account` is an account's id.", field="account") from None
    wanted = request.session.get(PANEL_ACCOUNT)
    named = [one for one in found if str(one.account_id) == wanted]
    short = [one.forecast for one in selectors.shortfalls(now=clock.now())]
    return next(iter(named + short + found), None)


@require_safe
@login_required
def shortfalls(request: HttpRequest) -> HttpResponse:
    """Show which accounts will lack money, and what was done about it."""
    context = {
        "shortfalls": selectors.shortfalls(now=clock.now()),
        "requests": movement.prefunding_requests()[:PREFUNDINGS_MAX],
    }
    page = (
        "liquidity/shortfalls_table.html" if _is_fragment(request) else "liquidity/shortfalls.html"
    )
    return render(request, page, context)


@require_safe
@login_required
def shortfalls_panel(request: HttpRequest) -> HttpResponse:
    """Show the shortfalls in brief for the front page."""
    context = {"shortfalls": selectors.shortfalls(now=clock.now())}
    return render(request, "liquidity/shortfalls_panel.html", context)
