"""The audit trail on the desk: who did what to which thing, and whether the chain still holds."""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.api.actor import actor
from core.audit import verification
from core.audit.models import AuditEntry
from core.browsing import day_asked
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from core.identity.roles import AUDIT_READERS
from tms.desk import trail as reading
from treasury.evidence import READERS as EVIDENCE_READERS

LISTED_MAX: Final = 50
STORY_MAX: Final = 500
EXPORTED_MAX: Final = 10_000
ID_DIGITS_MAX: Final = 18
FILTERS: Final = {"table": "table_name", "row": "row_id", "action": "action"}
PERIOD: Final = ("from", "to")


def _require_reader(request: HttpRequest) -> None:
    if not actor(request).has_role(*AUDIT_READERS):
        raise Forbidden("The audit trail is for auditors, risk, managers and administrators.")


def _before(request: HttpRequest) -> int | None:
    text = request.GET.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX):
        raise Invalid("`before` is the number of an entry.", field="before")
    return int(text)


def _wanted(request: HttpRequest) -> dict[str, str]:
    names = (*FILTERS, "actor", *PERIOD)
    return {name: request.GET.get(name, "").strip().replace("\0", "") for name in names}


def _entries(request: HttpRequest) -> QuerySet[AuditEntry]:
    """Return the entries that the filters of the page leave, newest first."""
    wanted = _wanted(request)
    rows = AuditEntry.objects.order_by("-id")
    rows = rows.filter(**{FILTERS[name]: wanted[name] for name in FILTERS if wanted[name]})
    if wanted["actor"]:
        rows = rows.filter(Q(actor=wanted["actor"]) | Q(on_behalf_of=wanted["actor"]))
    since, until = day_asked(request, "from"), day_asked(request, "to")
    if since:
        rows = rows.filter(at__gte=datetime.combine(since, time(), UTC))
    if until:
        rows = rows.filter(at__lt=datetime.combine(until + timedelta(days=1), time(), UTC))
    return rows


@require_safe
@login_required
def trail(request: HttpRequest) -> HttpResponse:
    """List the entries, newest first, with the state of the chain."""
    _require_reader(request)
    wanted = _wanted(request)
    rows = _entries(request)
    before = _before(request)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows[: LISTED_MAX + 1])
    context = {
        "lines": reading.lines_of(page[:LISTED_MAX]),
        "next_before": page[LISTED_MAX - 1].pk if len(page) > LISTED_MAX else None,
        "wanted": wanted,
        "since": wanted["from"],
        "query": urlencode({name: text for name, text in wanted.items() if text}),
        "people": User.objects.order_by("display_name"),
        "tables": reading.tables(),
        "actions": reading.ACTIONS,
        "standing": verification.standing(),
        "may_prove": actor(request).has_role(*EVIDENCE_READERS),
    }
    return render(request, "desk/audit.html", context)


@require_safe
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """Hand the filtered entries out as CSV, newest first."""
    _require_reader(request)
    found = reading.lines_of(_entries(request)[:EXPORTED_MAX])
    answer = HttpResponse(reading.as_csv(found), content_type="text/csv; charset=utf-8")
    name = f"audit-{clock.now():%Y%m%d-%H%M%S}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@require_safe
@login_required
def history(request: HttpRequest, thing_id: UUID) -> HttpResponse:
    """Tell the story of one thing across all tables, oldest first."""
    _require_reader(request)
    thing = reading.find_thing(thing_id)
    entries = list(reading.entries_of(thing)[: STORY_MAX + 1])
    if all(entry.action == reading.REFUSED for entry in entries):
        raise NotFound("The trail knows nothing of this.")
    context: dict[str, Any] = {
        "thing": thing,
        "lines": reading.lines_of(entries[:STORY_MAX], labels=thing.rows),
        "is_cut": len(entries) > STORY_MAX,
        "standing": verification.standing(),
    }
    return render(request, "desk/audit_history.html", context)


@require_safe
@login_required
def standing(request: HttpRequest) -> HttpResponse:
    """Show how far the chain is sealed and what the last verification found."""
    _require_reader(request)
    context = {"standing": verification.standing()}
    return render(request, "desk/fragments/audit_standing.html", context)


@require_POST
@login_required
def check(request: HttpRequest) -> HttpResponse:
    """Ask for a verification of the whole chain; a worker carries it out."""
    _require_reader(request)
    verification.ask(by=str(actor(request).pk))
    context = {"standing": verification.standing()}
    return render(request, "desk/fragments/audit_standing.html", context)
