"""The admin is a window on plans, patterns and forecasts; every change goes through a service."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from core import clock
from core.errors import DomainError
from core.identity.models import User
from core.identity.roles import TREASURY_MAKER, TREASURY_MANAGER
from liquidity.models import Forecast, ForecastLine, ForecastRun, PayoutPlan, RecurringPattern
from liquidity.services import planning
from treasury.selectors import accounts


class Window(ModelAdmin):
    """Pages that show; adding, where there is a service for it, is for planners."""

    may_add = False

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let planners enter rows of the kinds that have a service for it."""
        return self.may_add and self.has_plan_permission(request)

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse raw editing."""
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse deleting."""
        return False

    def has_plan_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may plan."""
        user = request.user
        return isinstance(user, User) and user.has_role(TREASURY_MAKER, TREASURY_MANAGER)

    def tell(self, request: HttpRequest, refusal: DomainError) -> None:
        """Show why a service refused."""
        self.message_user(request, refusal.message, messages.ERROR)


class ReasonForm(ActionForm):
    """The action bar with room for a reason."""

    reason = forms.CharField(
        required=False, max_length=140, label="Reason", widget=UnfoldAdminTextInputWidget()
    )


class PlanForm(forms.ModelForm[PayoutPlan]):
    """A new plan, checked by recording it: what the service refuses stands at its field."""

    class Meta:
        model = PayoutPlan
        fields = ("account", "value_date", "amount", "kind", "description", "source_ref")

    def clean(self) -> dict[str, Any]:
        """Record the plan unless another field is already wrong."""
        facts: dict[str, Any] = super().clean() or {}
        if self.errors:
            return facts
        account = facts.pop("account")
        plan = planning.PlanIn(account_id=account.pk, currency=account.currency, **facts)
        try:
            planned = planning.plan_payouts(plans=[plan], now=clock.now())
        except DomainError as refusal:
            raise forms.ValidationError(refusal.message) from refusal
        self.instance = (planned.created + planned.known)[0]
        return {}


class PatternForm(forms.ModelForm[RecurringPattern]):
    """A new pattern, checked by recording it."""

    class Meta:
        model = RecurringPattern
        fields = (
            "account",
            "name",
            "amount",
            "rule",
            "weekday_mask",
            "month_day",
            "adjust",
            "valid_from",
            "valid_to",
        )

    def clean(self) -> dict[str, Any]:
        """Record the pattern unless another field is already wrong."""
        facts: dict[str, Any] = super().clean() or {}
        if self.errors:
            return facts
        pattern = planning.PatternIn(account_id=facts.pop("account").pk, **facts)
        try:
            self.instance = planning.add_pattern(pattern=pattern, now=clock.now())
        except DomainError as refusal:
            raise forms.ValidationError(refusal.message) from refusal
        return {}


class Recorded(SimpleHistoryAdmin, Window):
    """Pages whose form has recorded the row when it is valid: nothing is left to save."""

    may_add = True

    @override
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Leave the row as the service wrote it."""

    @override
    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the accounts that are in use."""
        if db_field.name == "account":
            kwargs["queryset"] = accounts.accounts()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(PayoutPlan)
class PayoutPlanAdmin(Recorded):
    """Payout plans: enter one, cancel those that will not be paid."""

    form = PlanForm
    action_form = ReasonForm
    actions = ("cancel_selected",)
    list_display = ("value_date", "account", "amount", "currency", "kind", "state", "source_ref")
    list_filter = ("state", "kind", "currency")
    list_select_related = ("account",)
    search_fields = ("source_ref", "description")
    date_hierarchy = "value_date"

    @admin.action(description="Cancel selected plans", permissions=["plan"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[PayoutPlan]) -> None:
        """Cancel each selected plan, for the reason given in the action bar."""
        for plan in queryset:
            try:
                planning.cancel_plan(
                    plan_id=plan.pk, reason=request.POST.get("reason", ""), now=clock.now()
                )
            except DomainError as refusal:
                self.tell(request, refusal)


@admin.register(RecurringPattern)
class RecurringPatternAdmin(Recorded):
    """Recurring patterns: enter one, stop those that ended."""

    form = PatternForm
    actions = ("stop_selected",)
    list_display = ("name", "account", "amount", "rule", "adjust", "valid_from", "is_active")
    list_filter = ("rule", "is_active")
    list_select_related = ("account",)
    search_fields = ("name",)

    @admin.action(description="Stop selected patterns", permissions=["plan"])
    def stop_selected(self, request: HttpRequest, queryset: QuerySet[RecurringPattern]) -> None:
        """Stop each selected pattern."""
        for pattern in queryset:
            try:
                planning.stop_pattern(pattern_id=pattern.pk, now=clock.now())
            except DomainError as refusal:
                self.tell(request, refusal)


class LineInline(TabularInline):
    """A forecast's days."""

    model = ForecastLine
    extra = 0
    can_delete = False
    fields = (
        "day",
        "known_in",
        "known_out",
        "expected_in",
        "expected_out",
        "net",
        "p10",
        "p90",
        "closing",
        "closing_p10",
    )
    readonly_fields = fields

    @override
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse adding."""
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse changing."""
        return False


@admin.register(Forecast)
class ForecastAdmin(Window):
    """Forecasts with their days."""

    inlines = (LineInline,)
    list_display = (
        "account",
        "day",
        "as_of",
        "required",
        "available",
        "shortfall",
        "need_until",
        "model",
        "is_stale_input",
    )
    list_filter = ("currency", "is_stale_input", "model")
    list_select_related = ("account",)
    date_hierarchy = "day"


@admin.register(ForecastRun)
class ForecastRunAdmin(Window):
    """Passes over all accounts."""

    list_display = ("as_of", "horizon_days", "accounts_count", "shortfalls_count")
