"""Sweeps in the admin: products and mandates by two people; decisions and orders as a window."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin

from core.api.actor import actor
from core.changes.admin import GovernedAdmin
from core.changes.models import Control
from core.changes.registry import MAKERS
from treasury.admin.movement import ReadOnly
from treasury.admin.static import ServiceAdmin
from treasury.models import (
    SweepDecision,
    SweepEligibility,
    SweepLine,
    SweepMandate,
    SweepOrder,
    SweepProduct,
)
from treasury.selectors import sweep_lines as line_reads
from treasury.selectors import sweeps as reads
from treasury.services import sweeps


@admin.register(SweepProduct)
class SweepProductAdmin(GovernedAdmin, ServiceAdmin):
    """What money may be swept into."""

    list_display = (
        "code", "name", "kind", "cutoff_local", "timezone", "calendar", "settlement_days",
        "tenor_days", "increment", "cap", "rate", "is_green", "is_active",
    )  # fmt: skip
    list_filter = ("kind", "is_green", "is_active")
    search_fields = ("code", "name")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who keep static data change terms."""
        return self.has_add_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the code: orders name it."""
        return ("code",) if obj else ()

    def save_model(self, request: HttpRequest, obj: SweepProduct, *_args: Any) -> None:
        """Store it through the service."""
        sweeps.save_product(product=obj)


@admin.register(SweepEligibility)
class SweepEligibilityAdmin(GovernedAdmin, ServiceAdmin):
    """Which companies may deal in products that are not for all."""

    list_display = ("product", "entity")
    list_filter = ("product", "entity")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who keep static data take a company off."""
        return self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: SweepEligibility, *_args: Any) -> None:
        """Store it through the service."""
        sweeps.save_eligibility(eligibility=obj)


@admin.register(SweepMandate)
class SweepMandateAdmin(GovernedAdmin, ServiceAdmin):
    """What may be swept without a further approval."""

    list_display = (
        "name", "account", "product", "order_max", "day_max", "valid_from", "valid_until",
        "is_active",
    )  # fmt: skip
    list_filter = ("is_active", "account", "product")
    search_fields = ("name", "account__label")

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Let those who set controls enter mandates."""
        return actor(request).has_role(*MAKERS[Control.CONTROL])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who set controls change them."""
        return self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: SweepMandate, *_args: Any) -> None:
        """Store it through the service."""
        sweeps.save_mandate(mandate=obj)


@admin.register(SweepLine)
class SweepLineAdmin(GovernedAdmin, ServiceAdmin):
    """Which products of an account our own bank pays, and to whom."""

    list_display = ("name", "account", "product", "payee", "rail", "report_code", "is_active")
    list_filter = ("is_active", "account", "product")
    search_fields = ("name", "account__label")
    readonly_fields = ("ends",)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Let those who set controls enter lines."""
        return actor(request).has_role(*MAKERS[Control.CONTROL])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who set controls change them."""
        return self.has_add_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SweepLine]:
        """Return the tenant's lines with what they name."""
        return line_reads.lines()

    def save_model(self, request: HttpRequest, obj: SweepLine, *_args: Any) -> None:
        """Store it through the service."""
        sweeps.save_line(line=obj)


@admin.register(SweepDecision)
class SweepDecisionAdmin(ReadOnly):
    """What was decided, and the record of why."""

    list_display = (
        "account", "cutoff_at", "decided_at", "result", "branch", "reason", "product_code",
        "amount",
    )  # fmt: skip
    list_filter = ("result", "branch", "reason", "account")
    date_hierarchy = "decided_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SweepDecision]:
        """Return the tenant's decisions."""
        return reads.decisions()


@admin.register(SweepOrder)
class SweepOrderAdmin(SimpleHistoryAdmin, ReadOnly):
    """Orders as they were signed, and what became of them."""

    list_display = (
        "order_id", "state", "release", "account", "product", "amount", "cutoff_at", "settles_on",
        "matures_on", "settlement", "reason",
    )  # fmt: skip
    list_filter = ("state", "release", "settlement", "product", "account")
    search_fields = ("order_id", "bank_ref")
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SweepOrder]:
        """Return the tenant's orders."""
        return reads.orders()
