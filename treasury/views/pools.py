"""Cash pools on the desk: what moves today and why, runs, loans between companies, the benefit."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from calendars.constants import HOUSE_ZONE
from core import clock
from core.browsing import csv_answer, day_asked, text_asked
from core.errors import Invalid
from treasury.models import PoolKind
from treasury.selectors import lending, pool_page
from treasury.selectors import notional as notional_reads
from treasury.selectors import pools as reads
from treasury.services import pools

PAGE_ROWS: Final = 50
DAYS_SHOWN: Final = 31
LOAN_COLUMNS: Final = (
    "day", "lender", "borrower", "currency", "moved", "balance", "rate", "day_count", "interest",
    "accrued",
)  # fmt: skip
NOTIONAL_COLUMNS: Final = ("day", "currency", "balance", "pooled", "alone", "advantage")


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show what every pool does today and why, the newest runs, and who owes whom."""
    context = {
        "views": pool_page.views(now=clock.now()),
        "runs": reads.runs()[:PAGE_ROWS],
        "loans": lending.balances(until=clock.today(HOUSE_ZONE)),
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "treasury/pools.html" if whole else "treasury/pools_body.html", context)


@require_safe
@login_required
def pool_view(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    """Show one pool: its terms, today, and its runs, pairs or days."""
    held = reads.pool(pool_id)
    rows = reads.pairs() if held.is_bank_run else reads.runs()
    page = Paginator(rows.filter(pool=held), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {
        "pool": held,
        "view": pool_page.view_of(held, now=clock.now()),
        "members": reads.members(held),
        "page": page,
    }
    return render(request, "treasury/pool.html", context)


@require_safe
@login_required
def run_view(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show one run: every account before and after, its proposals, its record; and replay it."""
    held = reads.run(run_id)
    context = {
        "run": held,
        "view": pool_page.story_of(held),
        "replay": pools.replay_run(run_id=held.pk),
    }
    return render(request, "treasury/pool_run.html", context)


@require_safe
@login_required
def notional_csv(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    """Hand out a notional pool's days as CSV.

    Raises:
        Invalid: a pool that moves money.
    """
    held = reads.pool(pool_id)
    if held.kind != PoolKind.NOTIONAL:
        raise Invalid("Only a notional pool earns interest by itself.", field="pool")
    start, until = _period(request, last=clock.today(HOUSE_ZONE) - timedelta(days=1))
    found = notional_reads.benefit(held, start=start, until=until)
    lines = (
        (day.day, held.currency, day.balance, day.pooled, day.alone, day.advantage)
        for day in found.days
    )
    return csv_answer(NOTIONAL_COLUMNS, lines, name=f"{held.code}-{start}-{until}")


@require_safe
@login_required
def loan_statement(request: HttpRequest, lender_id: UUID, borrower_id: UUID) -> HttpResponse:
    """Show what two companies lent each other day by day, with interest; or hand it out as CSV."""
    known = lending.currencies_between(lender_id=lender_id, borrower_id=borrower_id)
    currency = text_asked(request, "currency", chars_max=3) or known[0]
    start, until = _period(request, last=clock.today(HOUSE_ZONE))
    found = lending.statement(
        lender_id=lender_id, borrower_id=borrower_id, currency=currency, start=start, until=until
    )
    if request.GET.get("as") == "csv":
        return _loan_csv(found)
    context = {
        "statement": found,
        "days": lending.moving(found.days) if found.days else [],
        "currencies": known,
    }
    return render(request, "treasury/pool_loan.html", context)


def _loan_csv(found: lending.LoanStatement) -> HttpResponse:
    names = (found.lender.name, found.borrower.name, found.currency)
    lines = (
        (
            day.day,
            *names,
            day.moved,
            day.balance,
            day.rate,
            day.day_count,
            day.interest,
            day.accrued,
        )
        for day in found.days
    )
    return csv_answer(
        LOAN_COLUMNS, lines, name=f"intercompany-{found.currency}-{found.start}-{found.until}"
    )


def _period(request: HttpRequest, *, last: date) -> tuple[date, date]:
    """Return the days that are asked for, by itself the last month.

    Raises:
        Invalid: no days, or an end before the beginning.
    """
    until = day_asked(request, "until") or last
    start = day_asked(request, "start") or until - timedelta(days=DAYS_SHOWN - 1)
    if start > until:
        raise Invalid("The first day comes after the last.", field="start")
    return start, until
