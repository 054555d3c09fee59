"""The daily proof: every account and day green, or the gap by name; and what is late."""

import csv
from datetime import date, timedelta
from io import StringIO
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from calendars.constants import HOUSE_ZONE
from core import clock
from core.browsing import day_asked
from treasury.models import BankAccount
from treasury.selectors import accounts, proofs

DAYS_SHOWN: Final = 10
ACCOUNTS_A_PAGE: Final = 40
# The looks of the desk's chips: colour and picture; the words stand beside them.
CHIPS: Final = {
    "GREEN": "PROVEN", "DIFFERS": "HIGH", "GAP": "HIGH", "UNPROVEN": "UNPROVEN",
    "COVERED": "CLOSED", "QUIET": "CLOSED", "LINES_ONLY": "PENDING",
}  # fmt: skip
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
HEADS: Final = (
    "account",
    "currency",
    "day",
    "opening",
    "lines",
    "closing",
    "proof",
    "off",
    "words",
)


def _until(request: HttpRequest) -> date:
    return day_asked(request, "until") or clock.today(HOUSE_ZONE)


def _listed(request: HttpRequest) -> list[BankAccount]:
    wanted = request.GET.get("q", "").strip().lower()
    listed = accounts.accounts()
    return [one for one in listed if wanted in one.label.lower()] if wanted else list(listed)


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show accounts and days as a table, and which banks are late by their own custom."""
    until = _until(request)
    page = Paginator(_listed(request), ACCOUNTS_A_PAGE).get_page(request.GET.get("page"))
    start = until - timedelta(days=DAYS_SHOWN - 1)
    listed = list(page.object_list)
    found = proofs.daily_proofs(listed, start=start, end=until)
    feeds = proofs.feeds(listed, now=clock.now())
    context: dict[str, Any] = {
        "until": until,
        "today": clock.today(HOUSE_ZONE),
        "earlier": until - timedelta(days=DAYS_SHOWN),
        "later": until + timedelta(days=DAYS_SHOWN),
        "days": [start + timedelta(days=number) for number in range(DAYS_SHOWN)],
        "rows": [
            (one, [(day, CHIPS[day.proof]) for day in one.days], feed)
            for one, feed in zip(found, feeds, strict=True)
        ],
        "late": [feed for feed in feeds if feed.late_for],
        "page": page,
        "query": request.GET.get("q", ""),
    }
    return render(request, "treasury/proofs.html", context)


@require_safe
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """Hand the same days out as CSV, every account of the search."""
    until = _until(request)
    start = until - timedelta(days=DAYS_SHOWN - 1)
    found = proofs.daily_proofs(_listed(request), start=start, end=until)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADS)
    for one in found:
        for day in one.days:
            figures = (
                "" if at is None else f"{at:f}" for at in (day.opening, day.lines, day.closing)
            )
            writer.writerow(
                [
                    _safe(one.account.label), one.account.currency, day.day.isoformat(), *figures,
                    day.proof.value, f"{day.off:f}", day.words,
                ]
            )  # fmt: skip
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="daily-proof-{until}.csv"'
    return answer


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
