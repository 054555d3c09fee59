"""Readings of risk in the admin: a window."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from treasury.admin.movement import ReadOnly
from treasury.models import RiskReading
from treasury.selectors import readings as reads


@admin.register(RiskReading)
class RiskReadingAdmin(ReadOnly):
    """What was measured about the flows of each account, and when."""

    list_display = (
        "account", "as_of", "observed_at", "method", "observations", "var_amount",
        "expected_shortfall", "var_bps",
    )  # fmt: skip
    list_filter = ("method", "account")
    date_hierarchy = "observed_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskReading]:
        """Return the tenant's readings."""
        return reads.readings()
