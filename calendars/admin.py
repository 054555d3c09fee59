"""The admin is a window on calendars and rails; every button calls a service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from simple_history.admin import SimpleHistoryAdmin
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from calendars import services
from calendars.constants import STATIC_DATA_ROLES
from calendars.engine.rails import WindowKind
from calendars.models import (
    BankCutoff,
    Calendar,
    Holiday,
    LookaheadRun,
    Rail,
    RailWindow,
    RailWindowOverride,
    WeekendRule,
    WindowAlert,
)
from core.api.actor import actor
from core.changes.admin import GovernedAdmin
from core.errors import DomainError
from core.identity.models import User


class ReadOnlyInline(TabularInline):
    """Rows shown below their owner; nothing is edited there."""

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


class ReadMostly(SimpleHistoryAdmin, ModelAdmin):
    """Pages without raw editing: adding, where allowed, goes through a service."""

    may_add = False

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let static data enter rows of the kinds that have a service for it."""
        return self.may_add and self.has_static_data_permission(request)

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse raw editing."""
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse deleting: what no longer holds is cancelled or ends."""
        return False

    def has_static_data_permission(self, request: HttpRequest) -> bool:
        """Tell who may press the buttons (named in each action's `permissions`)."""
        return isinstance(request.user, User) and request.user.has_role(*STATIC_DATA_ROLES)

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

    @contextmanager
    def reporting_refusals(self, request: HttpRequest, row: object) -> Iterator[None]:
        """Turn a refusal into a message about `row`; the other rows go on."""
        try:
            yield
        except DomainError as refusal:
            self.message_user(request, f"{row}: {refusal.message}", messages.ERROR)
        else:
            self.message_user(request, f"{row}: done.", messages.SUCCESS)


class WeekendRuleInline(ReadOnlyInline):
    """The calendar's weekends."""

    model = WeekendRule
    fields = (
        "closed_weekdays",
        "alternate_weekday",
        "alternate_ordinals",
        "effective_from",
        "effective_to",
    )


@admin.register(Calendar)
class CalendarAdmin(GovernedAdmin, ReadMostly):
    """Calendars with their coverage and weekends."""

    list_display = (
        "code",
        "name",
        "currency",
        "is_settlement",
        "coverage_start",
        "coverage_end",
    )
    inlines = (WeekendRuleInline,)


@admin.register(WeekendRule)
class WeekendRuleAdmin(GovernedAdmin, ReadMostly):
    """Weekends; a new one ends the rule in force."""

    may_add = True
    list_display = ("calendar", "closed_weekdays", "effective_from", "effective_to")
    list_select_related = ("calendar",)
    fields = (
        "calendar",
        "closed_weekdays",
        "alternate_weekday",
        "alternate_ordinals",
        "effective_from",
    )

    @override
    def save_model(self, request: HttpRequest, obj: WeekendRule, form: Any, change: Any) -> None:
        """Change the weekend through the service."""
        weekend = services.WeekendIn(
            calendar=obj.calendar.code,
            closed_weekdays=obj.closed_weekdays,
            effective_from=obj.effective_from,
            alternate_weekday=obj.alternate_weekday,
            alternate_ordinals=obj.alternate_ordinals,
        )
        obj.pk = services.change_weekend(weekend=weekend, actor=actor(request)).pk


class ReasonForm(ActionForm):
    """The action bar with room for a reason."""

    reason = forms.CharField(
        required=False, max_length=300, label="Reason", widget=UnfoldAdminTextInputWidget()
    )


@admin.register(Holiday)
class HolidayAdmin(GovernedAdmin, ReadMostly):
    """Holidays: confirm, cancel, declare an ad hoc closure."""

    may_add = True
    action_form = ReasonForm
    actions = ("confirm_selected", "cancel_selected")
    list_display = ("date", "calendar", "name", "kind", "status", "decided_by")
    list_filter = ("calendar__code", "status", "kind")
    list_select_related = ("calendar", "decided_by")
    search_fields = ("name",)
    date_hierarchy = "date"
    fields = ("calendar", "date", "name", "source", "half_day_close_local")

    @override
    def save_model(self, request: HttpRequest, obj: Holiday, form: Any, change: Any) -> None:
        """Declare the closure through the service."""
        closure = services.Closure(
            calendar=obj.calendar.code,
            day=obj.date,
            name=obj.name,
            source=obj.source,
            half_day_close=obj.half_day_close_local,
        )
        obj.pk = services.declare_closure(closure=closure, actor=actor(request)).pk

    @admin.action(description="Confirm selected holidays", permissions=["static_data"])
    def confirm_selected(self, request: HttpRequest, queryset: QuerySet[Holiday]) -> None:
        """Confirm each selected holiday."""
        for holiday in queryset.select_related("calendar"):
            with self.reporting_refusals(request, holiday):
                services.confirm_holiday(
                    calendar=holiday.calendar.code, day=holiday.date, actor=actor(request)
                )

    @admin.action(description="Cancel selected holidays", permissions=["static_data"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Holiday]) -> None:
        """Cancel each selected holiday, for the reason given in the action bar."""
        for holiday in queryset.select_related("calendar"):
            with self.reporting_refusals(request, holiday):
                services.cancel_holiday(
                    calendar=holiday.calendar.code,
                    day=holiday.date,
                    actor=actor(request),
                    reason=request.POST.get("reason", ""),
                )


class RailWindowInline(ReadOnlyInline):
    """The rail's windows."""

    model = RailWindow
    fields = (
        "kind",
        "local_time",
        "day_offset",
        "weekday_mask",
        "effective_from",
        "effective_to",
    )


@admin.register(Rail)
class RailAdmin(GovernedAdmin, ReadMostly):
    """Rails with their windows."""

    list_display = ("code", "currency", "name", "tz", "calendar", "sla_minutes", "sla_policy")
    list_select_related = ("calendar",)
    inlines = (RailWindowInline,)


@admin.register(RailWindowOverride)
class RailWindowOverrideAdmin(ReadMostly):
    """Overrides: one person enters, another approves."""

    may_add = True
    actions = ("approve_selected",)
    list_display = (
        "business_date",
        "rail",
        "kind",
        "revision",
        "local_time",
        "entered_by",
        "approved_by",
    )
    list_select_related = ("rail", "entered_by", "approved_by")
    fields = ("rail", "business_date", "kind", "local_time", "reason", "source_url")

    @override
    def save_model(
        self, request: HttpRequest, obj: RailWindowOverride, form: Any, change: Any
    ) -> None:
        """Enter the override through the service."""
        asked = services.OverrideRequest(
            rail=obj.rail.code,
            currency=obj.rail.currency,
            business_date=obj.business_date,
            kind=WindowKind(obj.kind),
            local_time=obj.local_time,
            reason=obj.reason,
            source_url=obj.source_url,
        )
        entered = services.override_window(request=asked, actor=actor(request))
        obj.pk, obj.revision = entered.pk, entered.revision

    @admin.action(description="Approve selected overrides", permissions=["static_data"])
    def approve_selected(
        self, request: HttpRequest, queryset: QuerySet[RailWindowOverride]
    ) -> None:
        """Put each selected override in force."""
        for entered in queryset.select_related("rail"):
            with self.reporting_refusals(request, entered):
                services.approve_override(override_id=entered.pk, actor=actor(request))


@admin.register(BankCutoff)
class BankCutoffAdmin(GovernedAdmin, ReadMostly):
    """Banks' own cut-offs; a new one ends the one in force."""

    may_add = True
    list_display = (
        "bank",
        "rail",
        "kind",
        "local_time",
        "tz",
        "effective_from",
        "effective_to",
    )
    list_select_related = ("rail",)
    fields = ("rail", "bank", "kind", "local_time", "tz", "weekday_mask", "effective_from")

    @override
    def save_model(self, request: HttpRequest, obj: BankCutoff, form: Any, change: Any) -> None:
        """Set the cut-off through the service."""
        cutoff = services.BankCutoffIn(
            rail=obj.rail.code,
            currency=obj.rail.currency,
            bank=obj.bank,
            kind=WindowKind(obj.kind),
            local_time=obj.local_time,
            tz=obj.tz,
            weekday_mask=obj.weekday_mask,
            effective_from=obj.effective_from,
        )
        obj.pk = services.set_bank_cutoff(cutoff=cutoff, actor=actor(request)).pk


class ReadOnly(ModelAdmin):
    """Records that the system writes about itself."""

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse adding."""
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse changing."""
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse deleting."""
        return False


@admin.register(WindowAlert)
class WindowAlertAdmin(ReadOnly):
    """Raised alerts."""

    list_display = ("rail", "business_date", "kind", "revision", "cutoff_at", "minutes_left")
    list_select_related = ("rail",)


@admin.register(LookaheadRun)
class LookaheadRunAdmin(ReadOnly):
    """Published lookaheads."""

    list_display = ("generated_for", "closures", "currencies_closed", "published_at")
