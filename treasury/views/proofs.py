"""The daily proof: every account and day green, or the gap by name; and what is late."""

import csv
from datetime import date, timedelta
from io import StringIO
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from calendars.constants import HOUSE_ZONE
from core import clock
from core.browsing import cell, day_asked
from treasury.models import BankAccount
from treasury.selectors import accounts, periods, proofs, statements

DAYS_SHOWN: Final = 10
ACCOUNT_DAYS_SHOWN: Final = 31
ACCOUNTS_A_PAGE: Final = 40
# The looks of the desk's chips: colour and picture; the words stand beside them.
CHIPS: Final = {
    "GREEN": "PROVEN", "DIFFERS": "HIGH", "GAP": "HIGH", "UNPROVEN": "UNPROVEN",
    "COVERED": "CLOSED", "QUIET": "CLOSED", "LINES_ONLY": "PENDING",
}  # fmt: skip
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
def account_proof(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show one account day by day: opening and lines make the closing, or the gap by name."""
    account, until = accounts.account(account_id), _until(request)
    start = until - timedelta(days=ACCOUNT_DAYS_SHOWN - 1)
    found = proofs.daily_proofs([account], start=start, end=until)[0]
    said = statements.closing_statements(account.pk, start=start, end=until)
    context: dict[str, Any] = {
        "account": account,
        "until": until,
        "today": clock.today(HOUSE_ZONE),
        "earlier": until - timedelta(days=ACCOUNT_DAYS_SHOWN),
        "later": until + timedelta(days=ACCOUNT_DAYS_SHOWN),
        "is_green": found.is_green,
        "rows": [(day, CHIPS[day.proof], said.get(day.day, ())) for day in reversed(found.days)],
        "feed": proofs.feeds([account], now=clock.now())[0],
        "closed_until": periods.closed_until(account.pk),
        "waiting": periods.late_entries({"account": account, "state": "WAITING"}).count(),
    }
    return render(request, "treasury/account_proof.html", context)


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
                    cell(one.account.label), one.account.currency, day.day.isoformat(), *figures,
                    day.proof.value, f"{day.off:f}", day.words,
                ]
            )  # fmt: skip
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="daily-proof-{until}.csv"'
    return answer
