"""The ground floor in the admin: people, policies, audit trail, events and dead letters."""

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from core import policies
from core.api.actor import actor
from core.audit.models import AuditEntry
from core.audit.refusals import tell
from core.browsing import BoundedPaginator
from core.changes.admin import GovernedAdmin
from core.changes.services import open_tenant
from core.confirming import confirmed
from core.errors import DomainError, NotFound
from core.events.drain import replay_dead_letters
from core.events.models import Delivery, OutboxEvent
from core.idempotency import IdempotencyKey
from core.identity import duties, recovery, step_up
from core.identity.joining_admin import JoiningPage
from core.identity.models import User
from core.identity.roles import TENANT_ADMIN
from core.identity.services import revoke_tokens
from core.policies.models import PolicyVersion
from core.policies.standing import spoken, standings
from core.tenancy import Tenant

ROOMS = (
    "core", "calendars", "approvals", "integrations", "treasury", "fx", "liquidity", "risk",
)  # fmt: skip

admin.site.unregister(Group)
# Nobody looks at another person's second factor.
admin.site.unregister(TOTPDevice)
admin.site.unregister(StaticDevice)


class ReadOnlyAdmin(ModelAdmin):
    """Nothing is added, edited or deleted here; buttons call services."""

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class LongListAdmin(ReadOnlyAdmin):
    """Lists of millions of rows: pages as fast as short ones, because nothing counts them all.

    What is filtered and searched here has an index or is frequent; the rest is asked for on the
    desk, beside an account or a month.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    list_max_show_all = 0
    list_per_page = 50
    # What is fetched for the rows of a page alone; a join would be made for all of them first.
    list_prefetch_related: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows with what a list shows of others."""
        found: QuerySet[Any] = super().get_queryset(request)
        return found.prefetch_related(*self.list_prefetch_related)


@admin.register(Tenant)
class TenantAdmin(ReadOnlyAdmin):
    """The organisation itself; opening it puts what steers money under four eyes, for good."""

    list_display = ("name", "slug", "created_at", "opened_at")
    readonly_fields = ("opened_at",)
    actions_detail = ("open_it",)

    def has_open_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """Return whether the caller administers the tenant."""
        return actor(request).has_role(TENANT_ADMIN)

    @action(description="Put under four eyes", url_path="open", permissions=["open"])
    @confirmed("From then on two people change what steers money. This cannot be taken back.")
    def open_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Open the tenant."""
        try:
            open_tenant(actor=actor(request))
        except DomainError as refusal:
            tell(request, refusal)
        else:
            messages.success(request, "From now on two people change what steers money.")
        return redirect("admin:core_tenant_change", object_id)


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    """Roles: fixed in code, given to people by a tenant administrator."""

    list_display = ("name",)
    search_fields = ("name",)


@admin.register(User)
class UserAdmin(GovernedAdmin, ReadOnlyAdmin, JoiningPage):
    """People and service accounts; switching one off takes effect with the next request.

    Roles and switching on need another person once the tenant is opened.
    """

    list_display = ("username", "display_name", "shown_roles", "is_service", "is_active")
    list_filter = ("is_active", "is_service", "groups")
    search_fields = ("username", "display_name", "person_number")
    fieldsets = (
        (
            None,
            {"fields": ("username", "display_name", "person_number", "is_service", "is_active")},
        ),
        ("Give roles", {"fields": ("groups",)}),
    )
    readonly_fields = ("username", "display_name", "person_number", "is_service", "is_active")
    filter_horizontal = ("groups",)
    actions = ("switch_off", "switch_on", "revoke")
    actions_detail = ("reset",)

    @display(description="roles")
    def shown_roles(self, user: User) -> str:
        """Show the roles in one line."""
        return ", ".join(sorted(group.name for group in user.groups.all()))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Return the tenant's users with their roles."""
        return User.objects.prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the caller administers people: only roles change here."""
        return self.has_switch_permission(request)

    def save_model(self, *_args: Any) -> None:
        """Leave the person alone: only the roles of the form are saved."""

    def save_related(self, request: HttpRequest, form: Any, *_args: Any) -> None:
        """Give exactly the chosen roles, or say which of them must be in two hands."""
        chosen = [group.name for group in form.cleaned_data["groups"]]
        duties.assign_roles(user=form.instance, roles=chosen, actor=actor(request))

    def has_reset_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """Return whether the caller administers people."""
        return self.has_switch_permission(request)

    @action(description="Reset second factor", url_path="reset", permissions=["reset"])
    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def reset(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the administrator's own code; take every second factor from the person."""
        person = self.get_object(request, object_id)
        if person is None or person.is_service:
            raise NotFound("There is no such person.")
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": f"Reset the second factor of {person.display_name}",
                "person": person,
            }
            return render(request, "admin/core/reset_second_factor.html", context)
        try:
            self._reset(person, actor(request), request.POST.get("code", ""))
        except DomainError as refusal:
            tell(request, refusal)
            return redirect(request.get_full_path())
        messages.success(request, "They set up an authenticator at their next sign-in.")
        return redirect("admin:core_user_change", object_id)

    def _reset(self, person: User, admin: User, code: str) -> None:
        content = recovery.reset_of(person)
        proof = step_up.prove_with_code(user=admin, code=code, content_hash=content)
        recovery.reset_second_factor(user=person, admin=admin, step_up=proof.pk)

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller administers people."""
        return actor(request).has_role(TENANT_ADMIN)

    @action(description="Switch off", permissions=["switch"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Switch accounts off and end their tokens; one's own stays."""
        for user in queryset.exclude(pk=actor(request).pk):
            user.is_active = False
            user.save(update_fields=["is_active"])
            revoke_tokens(user=user)
        messages.success(request, "Switched off: their next request is refused.")

    @action(description="Switch on", permissions=["switch"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Switch accounts on again, all of them or none."""
        for user in queryset:
            duties.switch_on(user=user, actor=actor(request))
        messages.success(request, "Switched on.")

    @action(description="Revoke API tokens", permissions=["switch"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """End every API token issued so far."""
        for user in queryset:
            revoke_tokens(user=user)
        messages.success(request, "All their API tokens are worthless now.")


class PolicyForm(forms.ModelForm[PolicyVersion]):
    """A new value for a policy, with the reason; checked by the policy's own type and bounds."""

    key = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    value = forms.CharField(widget=UnfoldAdminTextInputWidget())

    class Meta:
        model = PolicyVersion
        fields = ("key", "value", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "key" not in self.fields:
            return
        standing = {one.policy.key: one for one in standings()}
        field = self.fields["key"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(key, f"{key} — {one.policy.help}") for key, one in standing.items()]
        field.help_text = "The desk's page of policies tells what each one says now."
        if chosen := standing.get(self.data.get("key") or self.initial.get("key", "")):
            takes = f" It takes {chosen.bounds}." if chosen.bounds else ""
            self.fields["value"].help_text = f"In force: {spoken(chosen.value)}.{takes}"

    def clean(self) -> dict[str, Any]:
        """Let the policy itself judge the value."""
        given = super().clean() or {}
        try:
            policies.parse(policies.named(given.get("key", "")), given.get("value"))
        except DomainError as refusal:
            raise forms.ValidationError(refusal.message) from refusal
        return given


@admin.register(PolicyVersion)
class PolicyAdmin(GovernedAdmin, ReadOnlyAdmin):
    """Policies: every change is a new version; the newest of a key is in force."""

    form = PolicyForm
    reason_field = "reason"
    list_display = ("key", "version", "value", "reason", "changed_by", "changed_at")
    list_filter = ("key",)
    ordering = ("key", "-version")

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Return whether the caller administers the tenant."""
        return actor(request).has_role(TENANT_ADMIN)

    def save_model(self, request: HttpRequest, obj: PolicyVersion, *_args: Any) -> None:
        """Change the policy through its service, which announces it."""
        made = policies.write_version(
            policy=policies.named(obj.key),
            value=obj.value,
            actor=actor(request),
            reason=obj.reason,
        )
        obj.pk, obj.version = made.pk, made.version


class TableFilter(admin.SimpleListFilter):
    """Entries of one table; which tables there are is known without reading the trail."""

    title = "table"
    parameter_name = "table_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the tables that belong to a tenant."""
        names = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
        ours = {name for name in names if name.split("_")[0] in ROOMS}
        return [(name, name) for name in sorted(ours)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> Any:
        """Keep the entries of the table."""
        return queryset.filter(table_name=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(LongListAdmin):
    """The audit trail, as the database wrote it."""

    list_display = ("at", "actor", "action", "table_name", "row_id", "request")
    list_filter = (TableFilter,)
    search_fields = ("=row_id",)
    search_help_text = "The id of a row; the desk's audit page asks for people and words."


@admin.register(OutboxEvent)
class OutboxEventAdmin(LongListAdmin):
    """Every event, in the order in which it was committed."""

    list_display = ("sequence", "topic", "aggregate", "occurred_at", "producer", "relayed_at")
    search_fields = ("=topic",)
    search_help_text = "A topic, written in full."


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Who got which event; dead letters can be put back to work."""

    list_display = ("consumer", "event", "state", "attempts", "due_at", "done_at", "last_error")
    list_filter = ("state", "consumer")
    list_select_related = ("event",)
    show_full_result_count = False
    actions_list = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller administers the tenant."""
        return actor(request).has_role(TENANT_ADMIN)

    @action(description="Replay all dead letters", permissions=["replay"])
    @confirmed("Every dead letter is delivered again to the consumer that refused it.")
    def replay(self, request: HttpRequest) -> Any:
        """Put the dead letters back to work."""
        count = replay_dead_letters()
        messages.success(request, f"{count} dead letters are back to work.")
        return redirect("admin:core_delivery_changelist")


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Which request keys were used, by whom, with which outcome."""

    list_display = ("key", "actor", "status", "created_at")
    search_fields = ("key", "actor")


from core.identity import admin as _identity_admin  # noqa: E402, F401 - its pages register too
