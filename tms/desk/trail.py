"""The audit trail in words: which entries, what each says, and what belongs to one thing."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import StringIO
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.db.models import Q, QuerySet

from approvals import selectors as approvals
from core.audit.models import AuditEntry, AuditLink, PersonalText
from core.browsing import cell
from core.identity.models import User
from integrations import selectors as lines
from treasury.selectors import movement

VALUE_LENGTH_MAX: Final = 160
FIELDS_NAMED_MAX: Final = 3
REFUSED: Final = "REFUSED"
PERSONAL: Final = "personal:"
ERASED: Final = "(erased)"
ACTIONS: Final = ("INSERT", "UPDATE", "DELETE", REFUSED)
REFUSED_TABLE: Final = "core_refused"
CSV_HEADS: Final = (
    "entry", "at", "who", "actor", "on behalf of", "what", "action", "table", "row", "field",
    "before", "after", "reason", "request", "database role", "link",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field before and after."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of the trail in words; `link` is its place in the chain once it is sealed."""

    id: int
    at: datetime
    who: str
    actor: str
    on_behalf_of: str
    words: str
    action: str
    table: str
    row: str
    label: str
    reason: str
    request: str
    database_role: str
    link: int | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing and the rows in which it is remembered, each with what it is called."""

    title: str
    rows: dict[str, str]


@cache
def nouns() -> dict[str, str]:
    """Return what the rows of each audited table are called."""
    found = {
        model._meta.db_table: str(model._meta.verbose_name)
        for model in apps.get_models(include_auto_created=True)
        if not str(model._meta.model_name).startswith("historical")
    }
    return {**found, "core_user_groups": "role of a user", REFUSED_TABLE: "attempt"}


def tables() -> list[str]:
    """Return the tables whose entries can be asked for."""
    audited = [
        model._meta.db_table
        for model in apps.get_models()
        if any(field.name == "tenant" for field in model._meta.local_fields)
        and not str(model._meta.model_name).startswith("historical")
    ]
    return sorted([*audited, "core_tenant", "core_user_groups", REFUSED_TABLE])


def lines_of(entries: Iterable[AuditEntry], *, labels: dict[str, str] | None = None) -> list[Line]:
    """Return entries in words; `labels` names rows that belong to one thing."""
    rows = list(entries)
    names = _names(rows)
    people = {str(user.pk): user.display_name for user in User.objects.all()}
    links = dict(
        AuditLink.objects.filter(entry_id__in=[row.pk for row in rows]).values_list(
            "entry_id", "sequence"
        )
    )
    return [
        Line(
            id=row.pk,
            at=row.at,
            who=people.get(row.actor, row.actor),
            actor=row.actor,
            on_behalf_of=people.get(row.on_behalf_of or "", row.on_behalf_of or ""),
            words=in_words(row),
            action=row.action,
            table=row.table_name,
            row=row.row_id,
            label=(labels or {}).get(row.row_id, ""),
            reason=row.reason,
            request=row.request,
            database_role=row.database_role,
            link=links.get(row.pk),
            changes=_changes(row.before, row.after, names),
        )
        for row in rows
    ]


def in_words(entry: AuditEntry) -> str:
    """Say what an entry records, as the end of a sentence that starts with a name."""
    noun = nouns().get(entry.table_name, entry.table_name)
    before, after = entry.before or {}, entry.after or {}
    if entry.action == REFUSED:
        return f"was refused: {after.get('method')} {after.get('path')} ({after.get('code')})"
    if entry.action == "DELETE":
        return f"removed the {noun}"
    if entry.action == "INSERT":
        outcome = after.get("outcome")
        return f"decided: {str(outcome).lower()}" if outcome else f"made the {noun}"
    others = sorted(after.keys() - {"state"})
    more = ", …" if len(others) > FIELDS_NAMED_MAX else ""
    named = ", ".join(others[:FIELDS_NAMED_MAX]) + more
    if "state" in after:
        return f"moved the {noun} from {before.get('state')} to {after['state']}"
    return f"changed {named} of the {noun}"


def _names(rows: Iterable[AuditEntry]) -> dict[str, str]:
    """Return the names behind the digests of these entries, as far as they were not erased."""
    digests = {
        value
        for row in rows
        for value in (*(row.before or {}).values(), *(row.after or {}).values())
        if isinstance(value, str) and value.startswith(PERSONAL)
    }
    if not digests:
        return {}
    found = PersonalText.objects.filter(digest__in=digests)
    return dict.fromkeys(digests, ERASED) | dict(found.values_list("digest", "text"))


def _text(value: Any, names: dict[str, str]) -> str:
    text = "" if value is None else str(value)
    text = names.get(text, text)
    return text if len(text) <= VALUE_LENGTH_MAX else f"{text[:VALUE_LENGTH_MAX]}…"


def _changes(
    before: dict[str, Any] | None, after: dict[str, Any] | None, names: dict[str, str]
) -> tuple[Change, ...]:
    """Return the fields that differ; a new or deleted row shows all that it carried."""
    old, new = before or {}, after or {}
    return tuple(
        Change(field=field, before=_text(old.get(field), names), after=_text(new.get(field), names))
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field) and field != "tenant_id"
    )


def find_thing(thing: UUID) -> Thing:
    """Return every row that belongs to one thing: from proposal over decisions to the messages."""
    request = approvals.find_request(thing)
    subject = request.subject_id if request else thing
    rows = {str(thing): "it"}
    title = ""
    proposal = movement.proposals().filter(Q(pk=subject) | Q(transfer__pk=subject)).first()
    if proposal is not None:
        subject, title = proposal.pk, proposal.reference
        rows[str(proposal.pk)] = "proposal"
        rows |= _of_transfer(getattr(proposal, "transfer", None))
    for found in approvals.all_requests().filter(subject_id=subject):
        title = title or found.title
        rows[str(found.pk)] = f"approval of version {found.subject_version}"
        rows |= {str(decision.pk): "decision" for decision in found.decisions.all()}
    return Thing(title=title or str(thing), rows=rows)


def _of_transfer(transfer: Any) -> dict[str, str]:
    if transfer is None:
        return {}
    rows = {str(transfer.pk): "transfer"}
    rows |= {str(status.pk): "bank's answer" for status in transfer.statuses.all()}
    sent = lines.messages().outbound().filter(reference=transfer.end_to_end_id)
    rows |= {str(message.pk): "message" for message in sent}
    entries = (transfer.debit_entry_id, transfer.credit_entry_id)
    return rows | {str(entry): "statement entry" for entry in entries if entry}


def entries_of(thing: Thing) -> QuerySet[AuditEntry]:
    """Return the entries of a thing's rows, those of history tables excepted."""
    found = AuditEntry.objects.filter(row_id__in=list(thing.rows))
    return found.exclude(table_name__contains="historical").order_by("id")


def as_csv(found: Sequence[Line]) -> str:
    """Return lines as CSV, one row per changed field, safe to open in a spreadsheet."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_HEADS)
    for line in found:
        for change in line.changes or (Change(field="", before="", after=""),):
            cells = (
                line.id, line.at.isoformat(), line.who, line.actor, line.on_behalf_of, line.words,
                line.action, line.table, line.row, change.field, change.before, change.after,
                line.reason, line.request, line.database_role, line.link or "",
            )  # fmt: skip
            writer.writerow([cell(value) for value in cells])
    return out.getvalue()
