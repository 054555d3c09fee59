"""The admin is a window on approvals; its two buttons call the service like every other way in."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods
from simple_history.admin import SimpleHistoryAdmin
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from approvals import selectors, services
from approvals.evidence import Shown, evidence_of
from approvals.models import (
    ApprovalRequest,
    ApprovalRule,
    AuthorityLimit,
    BreakGlassReview,
    Decision,
    Delegation,
    Outcome,
    Viewing,
)
from core.api.actor import actor
from core.changes.admin import GovernedAdmin
from core.errors import DomainError
from core.identity.models import User

_SHOWN_OR_SENT = require_http_methods(["GET", "HEAD", "POST"])


class ReadOnly:
    """Nothing is added, edited or deleted by hand."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse adding."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse changing."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse deleting."""
        return False


class DecisionInline(ReadOnly, TabularInline):
    """Who decided what, below the request."""

    model = Decision
    extra = 0
    can_delete = False
    fields = ("checker", "as_role", "outcome", "reason", "auth_method", "step_up", "decided_at")
    readonly_fields = fields


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnly, SimpleHistoryAdmin, ModelAdmin):
    """Requests with their decisions; approve and reject open a page that shows the content."""

    list_display = (
        "title",
        "subject_version",
        "state",
        "amount",
        "currency",
        "required_count",
        "maker_label",
        "cutoff_at",
        "escalation_level",
    )
    list_filter = ("state", "action", "currency")
    search_fields = ("title", "content_hash")
    date_hierarchy = "submitted_at"
    inlines = (DecisionInline,)
    actions_detail = ("approve", "request_changes", "reject")

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        """Load the maker together with the rows."""
        return selectors.all_requests()

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show the buttons to who may decide now; a sent form gets the service's answer."""
        if obj is None or not isinstance(request.user, User):
            return False
        if request.method == "POST":
            return True
        found = selectors.find_request(UUID(str(obj)))
        return found is not None and selectors.eligibility(request.user, found).is_eligible

    @action(description="Approve", permissions=["decide"], icon="check")
    @method_decorator(_SHOWN_OR_SENT)
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what would be approved; approve on confirmation."""
        return self._decide(request, object_id, Outcome.APPROVE)

    @action(description="Reject", permissions=["decide"], icon="close")
    @method_decorator(_SHOWN_OR_SENT)
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason; reject on confirmation."""
        return self._decide(request, object_id, Outcome.REJECT)

    @action(description="Request changes", permissions=["decide"], icon="undo")
    @method_decorator(_SHOWN_OR_SENT)
    def request_changes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what should change; send it back on confirmation."""
        return self._decide(request, object_id, Outcome.CHANGES)

    def _decide(self, request: HttpRequest, object_id: str, outcome: Outcome) -> HttpResponse:
        if request.method == "POST":
            self._record(request, object_id, outcome)
            target = reverse("admin:approvals_approvalrequest_change", args=[object_id])
            return HttpResponseRedirect(target)
        user = actor(request)
        detail = selectors.request_detail(request_id=UUID(object_id), user=user)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{outcome.label.capitalize()}: {detail.request}",
            "detail": detail,
            "outcome": outcome,
        }
        return TemplateResponse(request, "admin/approvals/decide.html", context)

    def _record(self, request: HttpRequest, object_id: str, outcome: Outcome) -> None:
        try:
            result = services.decide(
                request_id=UUID(object_id),
                checker=actor(request),
                outcome=outcome,
                content_hash=request.POST.get("content_hash", ""),
                version=int(request.POST.get("version", "0")),
                reason=request.POST.get("reason", ""),
                evidence=evidence_of(
                    request,
                    content_hash=request.POST.get("content_hash", ""),
                    shown=Shown(code=request.POST.get("code", "")),
                    acknowledged=request.POST.getlist("acknowledged"),
                ),
            )
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
        except ValueError:
            self.message_user(request, "Load the page again.", messages.ERROR)
        else:
            state = result.request.get_state_display()
            message = f"Recorded. The request is {state}."
            self.message_user(request, message, messages.SUCCESS)


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(GovernedAdmin, ReadOnly, ModelAdmin):
    """The rules in force; a new one counts once another person approved it."""

    fields = (
        "action", "amount_above_usd", "currency", "rail", "entity", "step", "role",
        "required_count",
    )  # fmt: skip

    list_display = (
        "required_count",
        "role",
        "amount_above_usd",
        "action",
        "currency",
        "rail",
        "entity",
        "step",
        "created_by",
        "created_at",
    )
    list_select_related = ("created_by",)

    def has_add_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """Let those propose a rule who look after risk or the tenant."""
        return actor(request).has_role(*services.RULE_KEEPERS)

    def save_model(self, request: HttpRequest, obj: ApprovalRule, *_args: Any) -> None:
        """Add it through the service; in an opened tenant that becomes a change request."""
        given = {name: getattr(obj, name) for name in self.fields}
        obj.pk = services.add_rule(rule=services.RuleIn(**given), actor=actor(request)).pk


@admin.register(Decision)
class DecisionAdmin(ReadOnly, ModelAdmin):
    """All decisions."""

    list_display = ("request", "checker", "as_role", "outcome", "reason", "decided_at")
    list_filter = ("outcome", "as_role")
    list_select_related = ("request", "checker")
    search_fields = ("content_hash", "reason")


@admin.register(Delegation)
class DelegationAdmin(ReadOnly, ModelAdmin):
    """Who acts for whom; in force once a manager approved it."""

    list_display = (
        "delegator", "delegate", "action", "rail", "amount_usd_max", "starts_at", "ends_at",
        "revoked_at",
    )  # fmt: skip
    list_select_related = ("delegator", "delegate")


@admin.register(AuthorityLimit)
class AuthorityLimitAdmin(ReadOnly, ModelAdmin):
    """Up to what people may approve; in force once a manager approved it."""

    list_display = ("person", "per_transaction_usd", "per_day_usd", "created_by", "created_at")
    list_select_related = ("person", "created_by")


@admin.register(Viewing)
class ViewingAdmin(ReadOnly, ModelAdmin):
    """Who opened what, and when."""

    list_display = ("request", "viewer", "viewed_at")
    list_select_related = ("request", "viewer")


@admin.register(BreakGlassReview)
class BreakGlassReviewAdmin(ReadOnly, ModelAdmin):
    """What went over broken glass, and whether somebody looked at it since."""

    list_display = ("request", "opened_at", "due_at", "closed_by", "closed_at")
    list_select_related = ("request", "closed_by")
