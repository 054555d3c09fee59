"""The front page's forecast: one account's chart, and buttons for the others."""

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

CHOSEN_SESSION_KEY: Final = "desk_forecast_account"


@require_safe
@login_required
def show(request: HttpRequest) -> HttpResponse:
    """Show one account's forecast: the one chosen last, or the most pressing."""
    found = selectors.latest_forecasts()
    chosen = _chosen(request, found)
    context: dict[str, Any] = {"forecasts": found, "chosen": chosen}
    if chosen is not None:
        context["chart"] = chart_with_bounds(chosen)
    return render(request, "liquidity/chart_panel.html", context)


def chart_with_bounds(forecast: Forecast) -> dict[str, Any]:
    """Return the chart's data; where the past is too short for bounds, no band is drawn."""
    chart = selectors.chart_of(forecast)
    bounded = {
        f"{line.day}" for line in selectors.lines(forecast.pk) if line.closing_p10 is not None
    }
    chart["forecast"] = [
        [day, point, low, high] if day in bounded else [day, point, None, None]
        for day, point, low, high in chart["forecast"]
    ]
    chart["interval"] = "8 of 10 days end in here" if bounded else ""
    return chart


def _chosen(request: HttpRequest, found: list[Forecast]) -> Forecast | None:
    asked = request.GET.get("account", "")
    if asked:
        try:
            request.session[CHOSEN_SESSION_KEY] = str(UUID(asked))
        except ValueError:
            raise Invalid("`account` is an account's id.", field="account") from None
    wanted = request.session.get(CHOSEN_SESSION_KEY)
    named = [one for one in found if str(one.account_id) == wanted]
    short = [one.forecast for one in selectors.shortfalls(now=clock.now())]
    return next(iter(named + short + found), None)
