"""How many beneficiaries could be paid today, and the list of those to correct."""

from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from treasury.selectors.readiness import STATES, Assessed, Readiness, as_csv, readiness

PAGE_ROWS: Final = 50
_FILTERS: Final = ("state", "rule", "country")


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show the score, the broken rules, and who is to be corrected."""
    found = readiness()
    wanted = _wanted(request)
    shown = Paginator(found.chosen(**wanted), PAGE_ROWS)
    context: dict[str, Any] = {
        "readiness": found,
        "wanted": wanted,
        "query": "&".join(f"{name}={value}" for name, value in wanted.items() if value),
        "states": STATES,
        "countries": sorted({row.beneficiary.country for row in found.rows}),
        "rows": shown.get_page(request.GET.get("page")),
    }
    return render(request, "treasury/readiness.html", context)


@require_safe
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """Hand the filtered list out as CSV."""
    rows = _rows(readiness(), request)
    answer = HttpResponse(as_csv(rows), content_type="text/csv; charset=utf-8")
    name = f"beneficiary-readiness-{clock.now():%Y%m%d-%H%M%S}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _rows(found: Readiness, request: HttpRequest) -> list[Assessed]:
    return found.chosen(**_wanted(request))


def _wanted(request: HttpRequest) -> dict[str, str]:
    """Return the filters; what cannot be one is ignored."""
    given = {name: request.GET.get(name, "") for name in _FILTERS}
    plain = {name: value for name, value in given.items() if value.replace("_", "").isalnum()}
    return {name: plain.get(name, "") for name in _FILTERS}
