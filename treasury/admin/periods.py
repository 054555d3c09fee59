"""Late entries in the admin: what was asked, who decided; decisions are made on the desk."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from core.admin import ReadOnlyAdmin
from treasury.models import LateEntry, LateState
from treasury.selectors import periods as reads

_LABELS = {
    LateState.WAITING: "warning",
    LateState.ACCEPTED: "success",
    LateState.LEFT: "info",
    LateState.VOID: "info",
}


@admin.register(LateEntry)
class LateEntryAdmin(ReadOnlyAdmin):
    """What banks would change in closed periods."""

    list_display = (
        "found_at", "account", "change", "amount", "closed_until", "shown_state", "decided_by",
        "decided_at", "reason",
    )  # fmt: skip
    list_filter = ("state", "change", "account")
    search_fields = ("reason", "entry__end_to_end_id")
    date_hierarchy = "found_at"

    @display(description="state", label=_LABELS)
    def shown_state(self, late: LateEntry) -> str:
        """Show the state as a coloured label."""
        return str(late.state)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LateEntry]:
        """Return the tenant's late entries."""
        return reads.late_entries()
