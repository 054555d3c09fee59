"""A deal's ticket, deals from a file, and what settles when."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import csv_answer
from core.errors import DomainError, Invalid
from fx.constants import FILE_BYTES_MAX
from fx.engine.pictures import ladder as drawn
from fx.models import DealFile
from fx.paper import draw
from fx.selectors import ladder as ladder_reads
from fx.selectors.tickets import ticket_of
from fx.services import deals
from fx.services.deal_files import COLUMNS, REQUIRED, capture_file, template

FILES_SHOWN: Final = 10


@require_safe
@login_required
def ticket(_request: HttpRequest, deal_id: UUID) -> HttpResponse:
    """Hand a deal's ticket out as a PDF."""
    return pdf_of(deal_id)


def pdf_of(deal_id: UUID) -> HttpResponse:
    """Return a deal's ticket as an answer to download."""
    found = ticket_of(deal_id)
    answer = HttpResponse(draw(found), content_type="application/pdf")
    name = f"{found.reference}-v{found.version}.pdf"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["ETag"] = f'"{found.sha256()}"'
    return answer


@require_http_methods(["GET", "POST"])
@login_required
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file of deals: every row becomes a draft, or none; who may not deal is refused."""
    person = actor(request)
    deals.require_dealer(person)
    findings: list[dict[str, Any]] = []
    refusal_words, status = "", 200
    if request.method == "POST":
        try:
            name, data = _file(request)
            kept = capture_file(name=name, data=data, maker=person)
        except DomainError as refusal:
            tell(request, refusal)
            findings = refusal.context.get("findings", [])
            refusal_words, status = refusal.message, refusal.status
        else:
            messages.success(request, f"{kept.rows_count} drafts: {kept.name}.")
            return redirect("fx:deals")
    context = {
        "columns": [(one, one in REQUIRED) for one in COLUMNS],
        "findings": findings,
        "refusal": refusal_words,
        "files": DealFile.objects.select_related("maker")[:FILES_SHOWN],
    }
    return render(request, "fx/upload_deals.html", context, status=status)


def _file(request: HttpRequest) -> tuple[str, bytes]:
    given = request.FILES.get("file")
    if given is None:
        raise Invalid("Choose a file.", field="file")
    if (given.size or 0) > FILE_BYTES_MAX:
        raise Invalid(f"A file has at most {FILE_BYTES_MAX:,} bytes.", field="file")
    return str(given.name), given.read()


@require_safe
@login_required
def file_template(_request: HttpRequest) -> HttpResponse:
    """Hand out a file to fill in."""
    answer = HttpResponse(template(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="deals-template.csv"'
    return answer


@require_safe
@login_required
def ladder(request: HttpRequest) -> HttpResponse:
    """Show what settles per day and currency, as bars and a table, or hand it out as CSV."""
    rungs = ladder_reads.ladder(now=clock.now())
    if request.GET.get("as") == "csv":
        heads = ("value_date", "currency", "comes_in", "goes_out", "net", "deals")
        lines = [
            (one.day, one.currency, one.coming, one.going, one.net, one.count) for one in rungs
        ]
        return csv_answer(heads, lines, name="maturity-ladder")
    groups = []
    for currency in sorted({one.currency for one in rungs}):
        rows = [one for one in rungs if one.currency == currency]
        picture = drawn([(f"{one.day:%a %d %b}", one.coming, one.going) for one in rows])
        groups.append({"currency": currency, "rows": rows, "picture": picture})
    context = {"groups": groups}
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "fx/ladder.html" if whole else "fx/ladder_body.html", context)
