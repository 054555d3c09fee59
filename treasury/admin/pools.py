"""Cash pools in the admin: pools and members by two people; runs and loans as a window."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.api.actor import actor
from core.changes.admin import GovernedAdmin
from core.changes.models import Control
from core.changes.registry import MAKERS
from treasury.admin.movement import ReadOnly
from treasury.admin.static import ServiceAdmin
from treasury.models import (
    CashPool,
    CashPoolMember,
    IntercompanyEntry,
    PoolMove,
    PoolPair,
    PoolRun,
)
from treasury.selectors import lending
from treasury.selectors import pools as reads
from treasury.services import pools


@admin.register(CashPool)
class CashPoolAdmin(GovernedAdmin, ServiceAdmin):
    """Which balances are brought together."""

    list_display = (
        "code", "name", "kind", "currency", "header", "header_floor", "shortfall_rule",
        "is_bank_run", "lead_minutes", "intercompany_rate", "day_count", "is_active",
    )  # fmt: skip
    list_filter = ("kind", "currency", "is_bank_run", "is_active")
    search_fields = ("code", "name")

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Let those who set controls enter pools."""
        return actor(request).has_role(*MAKERS[Control.CONTROL])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who set controls change them."""
        return self.has_add_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep what its runs rest on."""
        return ("code", "kind", "currency") if obj else ()

    def save_model(self, request: HttpRequest, obj: CashPool, *_args: Any) -> None:
        """Store it through the service."""
        pools.save_pool(pool=obj)


@admin.register(CashPoolMember)
class CashPoolMemberAdmin(GovernedAdmin, ServiceAdmin):
    """Which accounts are in a pool, and how they are kept."""

    list_display = (
        "account", "pool", "target", "minimum", "multiple", "lower", "upper", "is_one_way",
        "priority", "is_poolable", "reason",
    )  # fmt: skip
    list_filter = ("pool", "is_poolable", "is_one_way")
    search_fields = ("account__label", "pool__code")

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Let those who set controls put accounts into pools."""
        return actor(request).has_role(*MAKERS[Control.CONTROL])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who set controls change terms."""
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who set controls take an account out."""
        return self.has_add_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep pool and account: another one is another member."""
        return ("pool", "account") if obj else ()

    def save_model(self, request: HttpRequest, obj: CashPoolMember, *_args: Any) -> None:
        """Store it through the service."""
        pools.save_member(member=obj)


@admin.register(PoolRun)
class PoolRunAdmin(ReadOnly):
    """What pools did, and the record of why."""

    list_display = (
        "pool", "day", "decided_at", "header_before", "swept", "funded", "short", "header_after",
    )  # fmt: skip
    list_filter = ("pool",)
    date_hierarchy = "day"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PoolRun]:
        """Return the tenant's runs."""
        return reads.runs()


@admin.register(PoolMove)
class PoolMoveAdmin(ReadOnly):
    """What runs made of each account."""

    list_display = (
        "run", "account", "direction", "reason", "before", "target", "wanted", "amount", "after",
        "proposal", "problem",
    )  # fmt: skip
    list_filter = ("direction", "reason", "run__pool")
    search_fields = ("account__label", "proposal__reference")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PoolMove]:
        """Return the tenant's moves."""
        return reads.moves()


@admin.register(PoolPair)
class PoolPairAdmin(ReadOnly):
    """What banks swept by themselves."""

    list_display = ("pool", "value_date", "amount", "debit_entry", "credit_entry", "paired_at")
    list_filter = ("pool",)
    date_hierarchy = "value_date"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PoolPair]:
        """Return the tenant's pairs."""
        return reads.pairs()


@admin.register(IntercompanyEntry)
class IntercompanyEntryAdmin(ReadOnly):
    """What our companies lent each other."""

    list_display = (
        "value_date", "kind", "lender", "borrower", "amount", "currency", "rate", "day_count",
        "transfer", "pair",
    )  # fmt: skip
    list_filter = ("kind", "currency", "lender", "borrower")
    search_fields = ("lender__name", "borrower__name", "transfer__end_to_end_id")
    date_hierarchy = "value_date"

    def get_queryset(self, request: HttpRequest) -> QuerySet[IntercompanyEntry]:
        """Return the tenant's entries."""
        return lending.entries()
