"""Readings of risk in the admin: a window. Measuring has a button for those who may."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override
from unfold.admin import ModelAdmin, StackedInline

from core import clock
from core.errors import DomainError
from core.identity.models import User
from risk.models import AccountRisk, Backtest, RiskRun
from risk.selectors import readings
from risk.services.measuring import RUNNERS, measure_account


class Window(ModelAdmin):
    """Pages that only show."""

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse adding."""
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse raw editing."""
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse deleting."""
        return False

    def has_measure_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may have accounts measured."""
        user = request.user
        return isinstance(user, User) and user.has_role(*RUNNERS)


class BacktestInline(StackedInline):
    """How the figure of a reading would have held."""

    model = Backtest
    extra = 0
    can_delete = False

    @override
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse adding."""
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse changing."""
        return False


@admin.register(AccountRisk)
class AccountRiskAdmin(Window):
    """Readings with their backtests."""

    inlines = (BacktestInline,)
    actions = ("measure_again",)
    list_display = (
        "account",
        "day",
        "quantile",
        "observations",
        "var_amount",
        "expected_shortfall",
        "var_bps",
        "missing",
        "is_exceeded",
        "observed_at",
    )
    list_filter = ("currency", "missing", "is_exceeded", "backtest__zone", "quantile")
    search_fields = ("account__label",)
    date_hierarchy = "day"

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountRisk]:
        """Return the tenant's readings."""
        return readings.readings()

    @admin.action(description="Measure these accounts now", permissions=["measure"])
    def measure_again(self, request: HttpRequest, queryset: QuerySet[AccountRisk]) -> None:
        """Measure the accounts of the selected readings."""
        for account_id in sorted({row.account_id for row in queryset}):
            try:
                measure_account(account_id=account_id, now=clock.now())
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)


@admin.register(RiskRun)
class RiskRunAdmin(Window):
    """Passes over all accounts."""

    list_display = ("observed_at", "accounts_count", "measured_count", "over_limit_count")
