"""Proposals, transfers and prefunding in the admin: a window with buttons, not a back door."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import TabularInline
from unfold.decorators import action, display

from core.admin import ReadOnlyAdmin
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import BoundedPaginator
from core.confirming import confirmed
from core.errors import DomainError
from treasury.models import (
    PrefundingRequest,
    Proposal,
    ProposalState,
    SuppressedShortfall,
    Transfer,
    TransferStatus,
)
from treasury.selectors import movement as reads
from treasury.services import prefunding, proposals, transfers

_LABELS = {
    ProposalState.PENDING: "warning",
    ProposalState.APPROVED: "info",
    ProposalState.EXECUTING: "info",
    ProposalState.SENT: "info",
    ProposalState.CONFIRMED: "success",
    ProposalState.SETTLED: "success",
    ProposalState.FAILED: "danger",
    ProposalState.RETURNED: "danger",
    ProposalState.REJECTED: "danger",
}


class ReadOnly(ReadOnlyAdmin):
    """Read-only, with buttons whose refusals become messages."""

    def _press(self, request: HttpRequest, done: str, act: Any) -> None:
        """Call a service; a refusal becomes a message."""
        try:
            act()
        except DomainError as refusal:
            tell(request, refusal)
        else:
            messages.success(request, done)


class StatusInline(TabularInline):
    """What the bank said, in order."""

    model = TransferStatus
    extra = 0
    can_delete = False
    fields = ("heard_at", "status", "reason_code", "words", "source", "changed_state")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse."""
        return False


class SuppressedInline(TabularInline):
    """Later shortfalls of the day."""

    model = SuppressedShortfall
    extra = 0
    can_delete = False
    fields = ("created_at", "account", "shortfall", "transfer_amount", "top_up_advised")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse."""
        return False


@admin.register(Proposal)
class ProposalAdmin(SimpleHistoryAdmin, ReadOnly):
    """Proposals: submit or withdraw one's own."""

    list_display = (
        "reference", "shown_state", "purpose", "amount", "currency", "debit_account",
        "payee", "rail", "value_date", "cutoff_at", "maker_label",
    )  # fmt: skip
    list_filter = ("state", "currency", "purpose", "rail", "value_date")
    search_fields = (
        "reference",
        "why",
        "debit_account__label",
        "credit_account__label",
        "beneficiary__name",
    )
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    # The queryset fetches what belongs to the rows of a page.
    list_select_related = ()
    actions_detail = ("submit_it", "withdraw_it")

    @display(description="state", label=_LABELS)
    def shown_state(self, proposal: Proposal) -> str:
        """Show the state as a coloured label."""
        return str(proposal.state)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Proposal]:
        """Return the tenant's proposals."""
        return reads.listed_proposals()

    @action(description="Submit for approval", url_path="submit")
    @confirmed("It goes before its checkers as it stands now.")
    def submit_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Put one's own draft before its checkers."""
        self._press(
            request,
            "Submitted.",
            lambda: proposals.submit_proposal(
                proposal_id=reads.proposal(UUID(object_id)).pk, actor=actor(request)
            ),
        )
        return _back("proposal", object_id)

    @action(description="Withdraw", url_path="withdraw")
    @confirmed("It is closed; nobody can approve or send it any more.")
    def withdraw_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Take one's own proposal back."""
        self._press(
            request,
            "Withdrawn.",
            lambda: proposals.withdraw_proposal(
                proposal_id=UUID(object_id),
                actor=actor(request),
                reason="Withdrawn by its maker in the admin.",
            ),
        )
        return _back("proposal", object_id)


@admin.register(Transfer)
class TransferAdmin(SimpleHistoryAdmin, ReadOnly):
    """Transfers with everything their banks said."""

    list_display = (
        "end_to_end_id", "shown_state", "shown_amount", "shown_rail", "bank_status", "sent_at",
        "sla_due_at", "sla_breached_at", "settled_at",
    )  # fmt: skip
    list_filter = ("proposal__state", "proposal__currency", "proposal__rail", "bank_status")
    search_fields = ("end_to_end_id", "uetr", "bank_reference")
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    inlines = (StatusInline,)
    actions_detail = ("try_again",)

    @display(description="state", label=_LABELS)
    def shown_state(self, transfer: Transfer) -> str:
        """Show the proposal's state as a coloured label."""
        return str(transfer.proposal.state)

    @display(description="amount", ordering="proposal__amount")
    def shown_amount(self, transfer: Transfer) -> str:
        """Show amount and currency."""
        return f"{transfer.proposal.amount:,.2f} {transfer.proposal.currency}"

    @display(description="rail", ordering="proposal__rail")
    def shown_rail(self, transfer: Transfer) -> str:
        """Show the rail."""
        return transfer.proposal.rail

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        """Return the tenant's transfers."""
        return reads.listed_transfers()

    @action(description="Try again", url_path="retry")
    @confirmed("The payment is queued again and goes to its bank once more.")
    def try_again(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Send a definitely failed transfer again."""
        self._press(
            request,
            "Queued again.",
            lambda: transfers.retry_transfer(transfer_id=UUID(object_id), actor=actor(request)),
        )
        return _back("transfer", object_id)


@admin.register(PrefundingRequest)
class PrefundingAdmin(ReadOnly):
    """Prefunding: one per currency and day, with what it suppressed."""

    list_display = (
        "currency", "local_date", "sequence", "account", "shortfall", "transfer_amount",
        "proposal", "problem",
    )  # fmt: skip
    list_filter = ("currency", "local_date")
    inlines = (SuppressedInline,)
    actions_detail = ("rearm_it",)

    @action(description="Re-arm the day", url_path="rearm")
    @confirmed("One more prefunding of this currency may be proposed today.")
    def rearm_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Allow one more prefunding today."""
        self._press(
            request,
            "Proposed once more.",
            lambda: prefunding.rearm(
                request_id=UUID(object_id),
                actor=actor(request),
                reason="Re-armed in the admin.",
            ),
        )
        return _back("prefundingrequest", object_id)


def _back(model: str, object_id: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(f"admin:treasury_{model}_change", args=[object_id]))
