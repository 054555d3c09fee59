"""Statements, entries and expected flows in the admin: every figure, its source and its bytes."""

import re
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSingleDateWidget

from core.admin import LongListAdmin, ReadOnlyAdmin
from core.api.actor import actor
from core.audit.refusals import tell
from core.confirming import confirmed
from core.errors import DomainError
from core.identity.roles import TREASURY_MAKER, TREASURY_MANAGER
from treasury.models import (
    BankEntry,
    EntryObservation,
    EntryState,
    ExpectedFlow,
    FlowSource,
    Proof,
    Statement,
    StatementBalance,
    StatementState,
)
from treasury.services import flows
from treasury.services.ingest import read_again

_STATE_LABELS = {
    StatementState.POSTED: "success",
    StatementState.QUARANTINED: "danger",
    StatementState.PARTIAL: "warning",
    EntryState.COUNTED: "success",
    EntryState.NOT_IN_EOD: "danger",
    EntryState.WITHDRAWN: "warning",
    EntryState.HELD: "warning",
}
_PROOF_LABELS = {Proof.PROVEN: "success", Proof.DIFFERS: "danger"}
INLINE_ROWS_MAX = 50


def link_to_bytes(message_id: Any, locator: str) -> SafeString | str:
    """Return a link to the archived bytes, with the place in them."""
    if message_id is None:
        return "reported through the API"
    address = reverse("message-content", args=[message_id])
    return format_html('<a href="{}">{}</a>', address, locator or "message")


class ReadOnlyInline(TabularInline):
    """Rows below their statement or entry; nothing is edited."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class BalanceInline(ReadOnlyInline):
    """The balances a statement states."""

    model = StatementBalance
    fields = ("code", "amount", "credit_line_included", "on_date", "as_of")


class SightingInline(ReadOnlyInline):
    """What a statement shows, or where an entry was seen."""

    model = EntryObservation
    ordering = ("id",)
    fields = ("shown_entry", "shown_amount", "status", "shown_statement", "shown_bytes")
    readonly_fields = fields
    show_full_result_count = False
    per_page = INLINE_ROWS_MAX

    def get_queryset(self, request: HttpRequest) -> QuerySet[EntryObservation]:
        """Read entry and statement along."""
        found: QuerySet[EntryObservation] = super().get_queryset(request)
        return found.select_related("entry", "statement").order_by("id")

    @display(description="entry")
    def shown_entry(self, seen: EntryObservation) -> SafeString:
        """Link to the entry."""
        address = reverse("admin:treasury_bankentry_change", args=[seen.entry_id])
        return format_html('<a href="{}">{}</a>', address, seen.entry.value_date)

    @display(description="amount")
    def shown_amount(self, seen: EntryObservation) -> str:
        """Show the amount."""
        return f"{seen.entry.amount:,f}"

    @display(description="statement")
    def shown_statement(self, seen: EntryObservation) -> SafeString:
        """Link to the statement."""
        address = reverse("admin:treasury_statement_change", args=[seen.statement_id])
        return format_html('<a href="{}">{}</a>', address, seen.statement)

    @display(description="bytes")
    def shown_bytes(self, seen: EntryObservation) -> SafeString | str:
        """Link to the place in the message."""
        return link_to_bytes(seen.statement.message_id, seen.locator)


class FlagFilter(admin.SimpleListFilter):
    """Statements with a gap, out of order, or copies."""

    title = "flag"
    parameter_name = "flag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the flags."""
        return [("GAP", "gap before it"), ("OUT_OF_ORDER", "came late"), ("COPY", "copy")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Statement]) -> Any:
        """Keep statements with the flag."""
        return queryset.filter(flags__contains=[self.value()]) if self.value() else queryset


@admin.register(Statement)
class StatementAdmin(LongListAdmin):
    """Statements as they arrived, with their proof, flags and bytes."""

    list_display = (
        "statement_ref", "account", "source", "statement_date", "sequence", "version",
        "shown_state", "shown_proof", "shown_flags", "opening", "closing", "entries_count",
        "shown_bytes",
    )  # fmt: skip
    list_filter = ("state", "proof", FlagFilter, "source", "account")
    search_fields = ("statement_ref__exact",)
    search_help_text = "The statement's reference, in full."
    list_select_related = ()
    list_prefetch_related = ("account",)
    inlines = (BalanceInline, SightingInline)
    readonly_fields = ("shown_bytes",)
    actions_detail = ("read_it_again",)

    @action(description="Read again", url_path="again")
    @confirmed("Its bytes are read again with the bank's present profile.")
    def read_it_again(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Read a statement that was kept aside again."""
        shown = object_id
        try:
            result = read_again(statement_id=UUID(object_id), actor=actor(request))
        except DomainError as refusal:
            tell(request, refusal)
        else:
            shown = str(result.statements[0].pk) if result.statements else object_id
            words = "Read again." if result.statements else "It reads as before: nothing changed."
            self.message_user(request, words, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:treasury_statement_change", args=[shown]))

    @display(description="state", label=_STATE_LABELS)
    def shown_state(self, statement: Statement) -> str:
        """Show the state as a coloured label."""
        return statement.state

    @display(description="proof", label=_PROOF_LABELS)
    def shown_proof(self, statement: Statement) -> str:
        """Show whether it adds up."""
        return statement.proof

    @display(description="flags")
    def shown_flags(self, statement: Statement) -> str:
        """Show flags in one line."""
        return ", ".join(statement.flags)

    @display(description="bytes")
    def shown_bytes(self, statement: Statement) -> SafeString | str:
        """Link to the archived message."""
        return link_to_bytes(statement.message_id, statement.locator)


_UETR: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@admin.register(BankEntry)
class BankEntryAdmin(LongListAdmin):
    """Entries: one per movement, with every sighting of it."""

    list_display = (
        "value_date", "booking_date", "account", "amount", "status", "shown_state", "best_source",
        "end_to_end_id", "counterparty", "shown_bytes",
    )  # fmt: skip
    list_filter = ("state", "status", "account")
    search_fields = ("end_to_end_id__exact", "uetr__exact")
    search_help_text = "End-to-end id or UETR, in full; amounts and words are searched on the desk."
    list_select_related = ()
    list_prefetch_related = ("account", "statement")
    inlines = (SightingInline,)
    readonly_fields = ("shown_bytes",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[BankEntry], search_term: str
    ) -> tuple[QuerySet[BankEntry], bool]:
        """Find a UETR however it is written; it is kept in small letters."""
        term = search_term.strip()
        found: tuple[QuerySet[BankEntry], bool] = super().get_search_results(
            request, queryset, term.lower() if _UETR.fullmatch(term) else term
        )
        return found

    @display(description="state", label=_STATE_LABELS)
    def shown_state(self, entry: BankEntry) -> str:
        """Show whether it counts."""
        return entry.state

    @display(description="bytes")
    def shown_bytes(self, entry: BankEntry) -> SafeString | str:
        """Link to the place in the message."""
        return link_to_bytes(entry.statement.message_id, entry.locator)


class FlowForm(forms.ModelForm[ExpectedFlow]):
    """An expected flow that a person knows of; it needs an expiry."""

    expires_on = forms.DateField(
        widget=UnfoldAdminSingleDateWidget(), help_text="Not counted after this day."
    )

    class Meta:
        model = ExpectedFlow
        fields = ("account", "source_ref", "amount", "value_date", "description", "expires_on")


@admin.register(ExpectedFlow)
class ExpectedFlowAdmin(ReadOnlyAdmin):
    """Expected flows; people add their own with an expiry, and cancel those."""

    form = FlowForm
    list_display = (
        "value_date", "account", "amount", "source", "description", "state", "expires_on",
        "matched_entry",
    )  # fmt: skip
    list_filter = ("state", "source", "account")
    search_fields = ("source_ref", "end_to_end_id", "description")
    list_select_related = ("account", "matched_entry")
    date_hierarchy = "value_date"
    actions = ("cancel_selected",)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Let treasury enter what it knows of."""
        return self.has_plan_permission(request)

    def has_plan_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller plans money."""
        return actor(request).has_role(TREASURY_MAKER, TREASURY_MANAGER)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for what a person knows; show everything of a stored one."""
        if obj is None:
            return FlowForm.Meta.fields
        return [*FlowForm.Meta.fields, "source", "state", "matched_entry", "end_to_end_id"]

    def save_model(self, request: HttpRequest, obj: ExpectedFlow, *_args: Any) -> None:
        """Enter it through the service."""
        wish = flows.FlowIn(
            account_id=obj.account_id,
            source=FlowSource.MANUAL,
            source_ref=obj.source_ref,
            amount=obj.amount,
            value_date=obj.value_date,
            description=obj.description,
            expires_on=obj.expires_on,
        )
        obj.pk = flows.put_expected_flow(flow=wish).pk

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form; a refusal by the service becomes a message."""
        try:
            shown: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return shown

    @action(description="Cancel what people entered", permissions=["plan"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[ExpectedFlow]) -> None:
        """Cancel manual flows; those of other sources are theirs to cancel."""
        manual = queryset.filter(source=FlowSource.MANUAL)
        for flow in manual:
            flows.cancel_flow(
                account_id=flow.account_id, source=flow.source, source_ref=flow.source_ref
            )
        self.message_user(request, f"{len(manual)} cancelled.", messages.SUCCESS)
