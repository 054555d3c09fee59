"""Changes in the admin: pages of governed models propose, and every change has a page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from core.api.actor import actor
from core.audit.refusals import tell
from core.changes import port, selectors, services
from core.changes.drafting import draft
from core.changes.models import REASON_LENGTH_MAX, ChangeRequest, ChangeState
from core.confirming import confirmed
from core.errors import DomainError

REASON = "change_reason"
_LABELS = {
    ChangeState.PROPOSED: "warning",
    ChangeState.APPLIED: "success",
    ChangeState.REJECTED: "danger",
    ChangeState.FAILED: "danger",
}
_CELL = "px-3 py-2 text-left align-top break-words"


class GovernedAdmin(ModelAdmin):
    """Pages of a governed model: once the tenant is opened, saving proposes instead of writing.

    Whatever a page's form, button or action would write is drafted; pages need not know about it.
    """

    reason_field = REASON

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show or save the form."""
        shown = super().changeform_view
        return self._by_two(request, lambda: shown(request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the list, or press one of its buttons."""
        shown = super().changelist_view
        return self._by_two(request, lambda: shown(request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask, or remove the row."""
        shown = super().delete_view
        return self._by_two(request, lambda: shown(request, *args, **kwargs))

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """Ask why, where the form does not ask already."""
        if self._asks_why():
            kwargs["form"] = _asking_why(kwargs.get("form", self.form))
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Put the reason below the other fields."""
        found = [(name, dict(facts)) for name, facts in super().get_fieldsets(request, obj)]
        if self._asks_why() and not any(REASON in facts["fields"] for _, facts in found):
            found.append(("Another person will look at this", {"fields": (REASON,)}))
        return found

    def _asks_why(self) -> bool:
        return self.reason_field == REASON and selectors.opened()

    def _by_two(self, request: HttpRequest, run: Callable[[], Any]) -> HttpResponse:
        if request.method != "POST":
            return _response(run())
        try:
            return self._posted(request, run)
        except DomainError as refusal:
            _forget_successes(request)
            tell(request, refusal)
            return HttpResponseRedirect(request.get_full_path())

    def _posted(self, request: HttpRequest, run: Callable[[], Any]) -> HttpResponse:
        if not selectors.opened():
            with transaction.atomic():  # what is refused half-way leaves nothing behind
                return _response(run())
        drafted = draft(run)
        if not drafted.rows:
            return _response(drafted.result)
        change = services.propose_drafted(
            drafted=drafted, maker=actor(request), reason=self._why(request)
        )
        _forget_successes(request)
        messages.success(request, f"Your change waits for another person: {change.title}.")
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return HttpResponseRedirect(page)

    def _why(self, request: HttpRequest) -> str:
        given = request.POST.get(self.reason_field) or request.POST.get("reason", "")
        if given.strip() or "action" not in request.POST:
            return given.strip()
        chosen = self.get_actions(request).get(request.POST["action"])
        return str(chosen[2]) if chosen else ""


def _response(given: Any) -> HttpResponse:
    response: HttpResponse = given
    return response


def _asking_why(form: Any) -> Any:
    why = forms.CharField(
        label="Why", max_length=REASON_LENGTH_MAX, widget=UnfoldAdminTextInputWidget()
    )
    return type(form)(form.__name__, (form,), {REASON: why})


def _forget_successes(request: HttpRequest) -> None:
    """Drop what a draft announced as done; keep its refusals."""
    for message in list(messages.get_messages(request)):
        if message.level >= messages.WARNING:
            messages.add_message(request, message.level, message.message)


@admin.register(ChangeRequest)
class ChangeRequestAdmin(ModelAdmin):
    """Changes: what was, what shall be, who wants it and why, and what became of it."""

    list_display = (
        "title", "shown_state", "action", "maker_label", "reason", "proposed_at", "decided_at",
    )  # fmt: skip
    list_filter = ("state", "action", "target", "operation")
    search_fields = ("title", "reason", "maker_label")
    date_hierarchy = "proposed_at"
    fields = (
        "title", "shown_state", "problem", "shown_diff", "shown_preview", "reason", "maker_label",
        "proposed_at", "decided_at", "action", "shown_approval",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("withdraw_it",)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse: pages of governed models propose."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what was proposed does not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChangeRequest]:
        """Return the tenant's changes."""
        return selectors.changes()

    @display(description="state", label=_LABELS)
    def shown_state(self, change: ChangeRequest) -> str:
        """Show the state as a coloured label."""
        return str(change.state)

    @display(description="change")
    def shown_diff(self, change: ChangeRequest) -> SafeString:
        """Show every field as it was and as it shall be."""
        rows = ((line.row, line.field, line.old, line.new) for line in selectors.lines(change))
        return table(("Row", "Field", "Old", "New"), rows)

    @display(description="replayed over the past")
    def shown_preview(self, change: ChangeRequest) -> SafeString | str:
        """Show what it would have changed."""
        preview = selectors.preview_of(change) if change.is_waiting else None
        if preview is None:
            return selectors.EMPTY
        shown = table(("Case", "Was", "Would be"), preview.lines) if preview.lines else ""
        return format_html("<p>{}</p>{}", preview.summary, shown)

    @display(description="approval")
    def shown_approval(self, change: ChangeRequest) -> SafeString | str:
        """Link to where it is decided."""
        address = port.desk().url(change)
        return format_html('<a href="{}">Open the request</a>', address) if address else "–"

    def has_withdraw_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Offer the button to who made it; a sent form gets the service's answer."""
        if obj is None:
            return False
        found = selectors.changes().waiting().filter(pk=obj, maker=actor(request))
        return found.exists()

    @action(description="Withdraw", url_path="withdraw", permissions=["withdraw"])
    @confirmed("The change is closed; nobody can approve or apply it any more.")
    def withdraw_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Take one's own change back."""
        try:
            services.withdraw_change(change_id=UUID(object_id), actor=actor(request))
        except DomainError as refusal:
            tell(request, refusal)
        else:
            messages.success(request, "Withdrawn.")
        return HttpResponseRedirect(reverse("admin:core_changerequest_change", args=[object_id]))


def table(head: tuple[str, ...], rows: Any) -> SafeString:
    """Return a table for a read-only field."""
    titles = format_html_join("", '<th class="{}">{}</th>', ((_CELL, title) for title in head))
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        (
            (format_html_join("", '<td class="{}">{}</td>', ((_CELL, text) for text in row)),)
            for row in rows
        ),
    )
    return format_html(
        '<div class="overflow-x-auto"><table class="w-full"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        titles,
        body,
    )
