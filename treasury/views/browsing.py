"""Lists of everything that banks reported and that left for them, with filters and exports."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from calendars.constants import HOUSE_ZONE
from core import clock
from core.api.actor import actor
from core.browsing import FilterForm, Listing, day_field, listed
from integrations.downloads import ROLES_FOR_BYTES
from treasury.models import BankAccount, BankEntry, EntryState, Proof, Statement, StatementState
from treasury.models.statements import StatementSource
from treasury.selectors import statements

TEXT_CHARS_MAX: Final = 80
DAYS_MAX: Final = 31
PARTS_A_PAGE: Final = 100


def _choices(label: str, kinds: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", "all"), *kinds.choices])


def _accounts() -> QuerySet[BankAccount]:
    return BankAccount.objects.order_by("currency", "label")


class _AccountFilter(FilterForm):
    """What both lists are asked with: whose, and when."""

    account = forms.ModelChoiceField(
        label="Account",
        queryset=BankAccount.objects.none(),
        empty_label="all",
        error_messages={"invalid_choice": "There is no such account; choose one of the list."},
    )
    since = day_field("From")
    until = day_field("To")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"].queryset = _accounts()  # type: ignore[attr-defined]


class EntryFilter(_AccountFilter):
    """Questions to the entries."""

    amount = forms.DecimalField(
        label="Amount",
        max_digits=20,
        decimal_places=4,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"invalid": "Write the amount as 1234.56."},
    )
    reference = forms.CharField(label="End-to-end id, UETR or reference", max_length=TEXT_CHARS_MAX)
    state = _choices("State", EntryState)
    statement = forms.UUIDField(widget=forms.HiddenInput())

    def clean(self) -> dict[str, Any]:
        """Ask for an account or a month where nothing else leads to the entries quickly."""
        found = super().clean()
        if found.get("amount") is not None and not _is_narrow(found):
            words = "Choose an account as well, or at most 31 days."
            raise ValidationError({"amount": words})
        return found


class StatementFilter(_AccountFilter):
    """Questions to the statements."""

    source = _choices("Kind", StatementSource)
    state = _choices("State", StatementState)
    proof = _choices("Proof", Proof)
    reference = forms.CharField(label="Reference", max_length=TEXT_CHARS_MAX)
    message = forms.UUIDField(widget=forms.HiddenInput())


def _is_narrow(asked: Mapping[str, Any]) -> bool:
    """Say whether few enough entries are asked for to look at each."""
    if asked.get("account") or asked.get("statement"):
        return True
    since, until = asked.get("since"), asked.get("until") or clock.today(HOUSE_ZONE)
    return since is not None and (until - since).days <= DAYS_MAX


def _period(rows: Any, asked: Mapping[str, Any], *, day: str) -> Any:
    if asked["since"]:
        rows = rows.filter(**{f"{day}__gte": asked["since"]})
    return rows.filter(**{f"{day}__lte": asked["until"]}) if asked["until"] else rows


def _entries(asked: Mapping[str, Any]) -> tuple[QuerySet[BankEntry], tuple[str, ...]]:
    rows = BankEntry.objects.prefetch_related("account", "statement")
    for name in ("account", "state"):
        rows = rows.filter(**{name: asked[name]}) if asked[name] else rows
    if asked["amount"] is not None:
        rows = rows.filter(amount__in=(asked["amount"], -asked["amount"]))
    if asked["reference"]:
        rows = rows.filter(_referring_to(asked["reference"], by_the_bank=_is_narrow(asked)))
    if asked["statement"]:
        rows = rows.filter(observations__statement_id=asked["statement"])
    return _period(rows, asked, day="value_date"), ("value_date", "id")


def _referring_to(text: str, *, by_the_bank: bool) -> Q:
    """Return what bears this mark; the bank's own references have no index of their own."""
    found = Q(end_to_end_id=text) | Q(uetr=text.lower())
    return found | Q(bank_reference=text) if by_the_bank else found


def _statements(asked: Mapping[str, Any]) -> tuple[QuerySet[Statement], tuple[str, ...]]:
    rows = Statement.objects.prefetch_related("account__bank")
    for name in ("account", "source", "state", "proof"):
        rows = rows.filter(**{name: asked[name]}) if asked[name] else rows
    if asked["reference"]:
        rows = rows.filter(statement_ref=asked["reference"])
    if asked["message"]:
        rows = rows.filter(message_id=asked["message"])
    return _period(rows, asked, day="statement_date"), ("statement_date", "id")


ENTRIES: Final = Listing(
    name="entries",
    form=EntryFilter,
    rows=_entries,
    page="treasury/entries.html",
    table="treasury/entries_table.html",
    columns={
        "account": lambda row: row.account.label,
        "currency": lambda row: row.account.currency,
        "value_date": lambda row: row.value_date,
        "booking_date": lambda row: row.booking_date,
        "amount": lambda row: row.amount,
        "status": lambda row: row.status,
        "state": lambda row: row.state,
        "reversal": lambda row: "yes" if row.is_reversal else "",
        "counterparty": lambda row: row.counterparty,
        "remittance": lambda row: row.remittance,
        "bank_reference": lambda row: row.bank_reference,
        "end_to_end_id": lambda row: row.end_to_end_id,
        "uetr": lambda row: row.uetr,
        "transaction_code": lambda row: row.transaction_code,
        "return_reason": lambda row: row.return_reason,
        "source": lambda row: row.best_source,
        "first_seen_at": lambda row: row.first_seen_at,
        "id": lambda row: row.pk,
    },
)
STATEMENTS: Final = Listing(
    name="statements",
    form=StatementFilter,
    rows=_statements,
    page="treasury/statements.html",
    table="treasury/statements_table.html",
    columns={
        "account": lambda row: row.account.label,
        "currency": lambda row: row.account.currency,
        "bank": lambda row: row.account.bank.name,
        "source": lambda row: row.source,
        "statement_ref": lambda row: row.statement_ref,
        "sequence": lambda row: row.sequence,
        "statement_date": lambda row: row.statement_date,
        "opening": lambda row: row.opening,
        "closing": lambda row: row.closing,
        "entries": lambda row: row.entries_count,
        "state": lambda row: row.state,
        "proof": lambda row: row.proof,
        "flags": lambda row: " ".join(row.flags),
        "reason": lambda row: row.reason,
        "received_at": lambda row: row.received_at,
        "message_sha256": lambda row: row.message_sha256,
        "id": lambda row: row.pk,
    },
)


@require_safe
@login_required
def entry_list(request: HttpRequest) -> HttpResponse:
    """List the entries of all accounts, newest first."""
    return listed(request, ENTRIES)


@require_safe
@login_required
def statement_list(request: HttpRequest) -> HttpResponse:
    """List statements, reports and notifications, newest first."""
    return listed(request, STATEMENTS)


@require_safe
@login_required
def entry_page(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """Show one entry: what the bank said, where it was seen, and what it answers."""
    entry = statements.entry(entry_id)
    parts = Paginator(statements.parts_of(entry.pk), PARTS_A_PAGE)
    context = {
        "entry": entry,
        "parts": parts.get_page(request.GET.get("page")),
        "account": entry.account,
        "sightings": statements.observations_of(entry.pk),
        "answers": statements.transfers_of(entry)[:PARTS_A_PAGE],
        "may_read_bytes": actor(request).has_role(*ROLES_FOR_BYTES),
    }
    return render(request, "treasury/entry.html", context)
