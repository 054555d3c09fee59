"""The audit trail on the desk: who changed what, and whether the chain still holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from core.api.actor import actor
from core.audit.chain import verify
from core.audit.models import AuditEntry, AuditLink, AuditPending
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.tenancy import current_tenant_id
from tms.desk.navigation import AUDIT_READERS

LISTED_MAX: Final = 50
VALUE_LENGTH_MAX: Final = 160
ID_DIGITS_MAX: Final = 18
FILTERS: Final = {"table": "table_name", "row": "row_id", "actor": "actor", "action": "action"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field before and after."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of the trail in words."""

    id: int
    at: datetime
    who: str
    action: str
    table: str
    row: str
    reason: str
    request: str
    database_role: str
    changes: tuple[Change, ...]


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= VALUE_LENGTH_MAX else f"{text[:VALUE_LENGTH_MAX]}…"


def _changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[Change, ...]:
    """Return the fields that differ; a new or deleted row shows all that it carried."""
    old, new = before or {}, after or {}
    return tuple(
        Change(field=field, before=_text(old.get(field)), after=_text(new.get(field)))
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field) and field != "tenant_id"
    )


def _lines(entries: Iterable[AuditEntry]) -> list[Line]:
    rows = list(entries)
    people = {str(user.pk): user.display_name for user in User.objects.all()}
    return [
        Line(
            id=row.pk,
            at=row.at,
            who=people.get(row.actor, row.actor),
            action=row.action,
            table=row.table_name,
            row=row.row_id,
            reason=row.reason,
            request=row.request,
            database_role=row.database_role,
            changes=_changes(row.before, row.after),
        )
        for row in rows
    ]


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


@require_safe
@login_required
def trail(request: HttpRequest) -> HttpResponse:
    """List the entries, newest first, with the state of the chain."""
    _require_reader(request)
    wanted = {name: request.GET.get(name, "").strip() for name in FILTERS}
    rows = AuditEntry.objects.order_by("-id")
    rows = rows.filter(**{FILTERS[name]: text for name, text in wanted.items() if text})
    before = _before(request)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows[: LISTED_MAX + 1])
    context = {
        "lines": _lines(page[:LISTED_MAX]),
        "next_before": page[LISTED_MAX - 1].pk if len(page) > LISTED_MAX else None,
        "wanted": wanted,
        "people": User.objects.order_by("display_name"),
        "tables": AuditEntry.objects.order_by("table_name")
        .values_list("table_name", flat=True)
        .distinct(),
        "last_link": AuditLink.objects.order_by("-sequence").first(),
        "waiting_count": AuditPending.objects.count(),
    }
    return render(request, "desk/audit.html", context)


@require_POST
@login_required
def check(request: HttpRequest) -> HttpResponse:
    """Recompute the whole chain and say what was found."""
    _require_reader(request)
    verdict = verify(tenant=current_tenant_id())
    return render(request, "desk/fragments/verdict.html", {"verdict": verdict})
