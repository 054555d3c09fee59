"""Recalls in the admin: a window; they are asked for on the desk."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin

from treasury.admin.movement import ReadOnly
from treasury.models import Recall
from treasury.selectors import recalls as reads


@admin.register(Recall)
class RecallAdmin(SimpleHistoryAdmin, ReadOnly):
    """Payments that were asked back, and what the banks said."""

    list_display = (
        "case_id", "transfer", "state", "reason", "requested_by", "requested_at", "answered_at",
        "closing_reason",
    )  # fmt: skip
    list_filter = ("state", "reason")
    search_fields = ("case_id", "transfer__end_to_end_id", "transfer__uetr")
    date_hierarchy = "requested_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recall]:
        """Return the tenant's recalls."""
        return reads.recalls()
