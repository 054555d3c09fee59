"""The admin is a window on lines and messages; settings go through a service, buttons too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from simple_history.admin import SimpleHistoryAdmin
from typing_extensions import override
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from core.api.actor import actor
from core.browsing import BoundedPaginator
from core.changes.admin import GovernedAdmin, table
from core.errors import DomainError
from core.identity.models import User
from integrations import selectors, services
from integrations.codecs.orders import KINDS as ORDER_KINDS
from integrations.codecs.records import MessageKind
from integrations.constants import UNKNOWN_KIND
from integrations.dialects.checks import explained, help_on
from integrations.downloads import ROLES_FOR_BYTES
from integrations.models import BankConnection, BankProfile, LineNote, LineState, Message, Route
from integrations.services.asking import CAMT060_KIND
from integrations.services.recalling import CAMT056_KIND


class ReportsRefusals(ModelAdmin):
    """Pages whose services' refusals become messages; nothing is deleted."""

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse deleting."""
        return False

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


class ReadOnly(ReportsRefusals):
    """Records that the system writes itself."""

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse adding."""
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse changing."""
        return False


KEY_CHARACTERS_MAX = 20_000
CONNECTION_FIELDSETS = (
    (
        None,
        {
            "fields": (
                "code", "name", "kind", "profile", "is_active", "is_test_line", "health",
                "last_answer", "last_trouble",
            )
        },
    ),
    ("Where", {"fields": ("directory", "base_url", "outbound_path", "inbound_path")}),
    (
        "Who calls, and who is called",
        {
            "fields": (
                "access", "username", "new_secret", "new_key", "client_certificate",
                "server_trust", "token_url", "token_scope",
            )
        },
    ),
    (
        "When messages are fetched",
        {
            "fields": (
                "poll_seconds", "collect_zone", "collect_weekdays", "collect_opens_at",
                "collect_closes_at",
            )
        },
    ),
    (
        "Patience",
        {
            "fields": (
                "connect_timeout_seconds", "read_timeout_seconds", "rate_per_minute", "retries_max",
                "backoff_first_seconds", "backoff_seconds_max", "circuit_failures_max",
                "circuit_open_seconds",
            )
        },
    ),
)  # fmt: skip


class ConnectionForm(forms.ModelForm[BankConnection]):
    """A connection's settings; the secret goes in and is never shown."""

    new_secret = forms.CharField(
        required=False,
        strip=False,
        max_length=400,
        widget=UnfoldAdminPasswordWidget(render_value=False),
        label="New secret or password",
        help_text="Leave empty to keep the present one.",
    )
    new_key = forms.CharField(
        required=False,
        strip=False,
        max_length=KEY_CHARACTERS_MAX,
        widget=UnfoldAdminTextareaWidget(),
        label="New private key",
        help_text="SFTP with a key, or the key of the client certificate: the whole text, without"
        " a passphrase. Takes the place of the secret; leave empty to keep the present one.",
    )

    class Meta:
        model = BankConnection
        fields = ("code", *services.PLAIN_SETTINGS, "profile")


@admin.register(BankProfile)
class BankProfileAdmin(GovernedAdmin, SimpleHistoryAdmin, ReportsRefusals):
    """How each bank speaks: two JSON objects, said again in words."""

    list_display = ("code", "name", "is_active", "used_by")
    list_filter = ("is_active",)
    search_fields = ("code", "name")
    fields = (
        "code",
        "name",
        "is_active",
        "reading",
        "shown_reading",
        "reading_keys",
        "writing",
        "shown_writing",
        "writing_keys",
    )
    readonly_fields = ("shown_reading", "reading_keys", "shown_writing", "writing_keys")

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[BankProfile]:
        """Fetch the connections with the profiles."""
        found: QuerySet[BankProfile] = super().get_queryset(request)
        return found.prefetch_related("connections")

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the code of an existing profile: connections name it."""
        return (*self.readonly_fields, "code") if obj else tuple(self.readonly_fields)

    @override
    def save_model(self, request: HttpRequest, obj: BankProfile, form: Any, change: Any) -> None:
        """Save through the service."""
        wish = services.ProfileIn(
            code=obj.code,
            name=obj.name,
            reading=obj.reading,
            writing=obj.writing,
            is_active=obj.is_active,
        )
        obj.pk = services.save_profile(wish=wish).pk

    @admin.display(description="Used by")
    def used_by(self, obj: BankProfile) -> str:
        """Name the connections that speak like this."""
        return ", ".join(sorted(one.code for one in obj.connections.all())) or "–"

    @admin.display(description="Reading, in words")
    def shown_reading(self, obj: BankProfile) -> SafeString:
        """Say what the reading side says."""
        return table(("Key", "Value", "Means"), explained("reading", obj.reading))

    @admin.display(description="Keys of reading")
    def reading_keys(self, obj: BankProfile) -> SafeString:
        """Say what the reading side may say."""
        return _keys("reading")

    @admin.display(description="Writing, in words")
    def shown_writing(self, obj: BankProfile) -> SafeString:
        """Say what the writing side says."""
        return table(("Key", "Value", "Means"), explained("writing", obj.writing))

    @admin.display(description="Keys of writing")
    def writing_keys(self, obj: BankProfile) -> SafeString:
        """Say what the writing side may say."""
        return _keys("writing")


def _keys(side: str) -> SafeString:
    rows = ((one.key, one.takes, one.means) for one in help_on(side))
    return table(("Key", "Takes", "Means"), rows)


@admin.register(BankConnection)
class BankConnectionAdmin(GovernedAdmin, SimpleHistoryAdmin, ReportsRefusals):
    """Lines with their health."""

    form = ConnectionForm
    list_display = ("code", "name", "kind", "is_active", "health", "last_answer")
    list_filter = ("kind", "is_active")
    list_select_related = ("line",)
    search_fields = ("code", "name")
    actions = ("test_selected", "try_aside_again")
    fieldsets = CONNECTION_FIELDSETS
    readonly_fields = ("health", "last_answer", "last_trouble")

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the code of an existing line: accounts refer to it."""
        return (*self.readonly_fields, "code") if obj else tuple(self.readonly_fields)

    @override
    def save_model(self, request: HttpRequest, obj: BankConnection, form: Any, change: Any) -> None:
        """Save through the service."""
        plain = {name: getattr(obj, name) for name in services.PLAIN_SETTINGS}
        wish = services.ConnectionIn(
            code=obj.code,
            secret=form.cleaned_data["new_key"] or form.cleaned_data["new_secret"],
            profile=obj.profile.code if obj.profile else "",
            **plain,
        )
        obj.pk = services.save_connection(wish=wish).pk

    @admin.display(description="Health")
    def health(self, obj: BankConnection) -> str:
        """Say how the line is."""
        return selectors.health_of(obj, self._line(obj))

    @admin.display(description="Last answer")
    def last_answer(self, obj: BankConnection) -> str:
        """Say when the bank last answered."""
        line = self._line(obj)
        return f"{line.last_ok_at:%Y-%m-%d %H:%M:%S} UTC" if line and line.last_ok_at else "–"

    @admin.display(description="Last trouble")
    def last_trouble(self, obj: BankConnection) -> str:
        """Say what went wrong last."""
        line = self._line(obj)
        return line.last_error if line and line.last_error else "–"

    def _line(self, obj: BankConnection) -> LineState | None:
        return getattr(obj, "line", None)

    def has_again_permission(self, request: HttpRequest) -> bool:
        """Tell who may take messages up again."""
        return isinstance(request.user, User) and request.user.has_role(
            *services.ROLES_FOR_TRYING_AGAIN
        )

    @admin.action(description="Try what was set aside again", permissions=["again"])
    def try_aside_again(self, request: HttpRequest, queryset: QuerySet[BankConnection]) -> None:
        """Take up again what was set aside from each selected line."""
        for connection in queryset:
            with self.reporting_refusals(request, connection):
                services.try_connection_again(connection_code=connection.code, actor=actor(request))

    def has_test_permission(self, request: HttpRequest) -> bool:
        """Tell who may test lines."""
        return isinstance(request.user, User) and request.user.has_role(*services.ROLES_FOR_LINES)

    @admin.action(description="Test the line", permissions=["test"])
    def test_selected(self, request: HttpRequest, queryset: QuerySet[BankConnection]) -> None:
        """Ask for a test of each selected line; its history shows the result within seconds."""
        for connection in queryset:
            with self.reporting_refusals(request, connection):
                services.request_probe(code=connection.code, actor=actor(request))


@admin.register(Route)
class RouteAdmin(GovernedAdmin, SimpleHistoryAdmin, ReportsRefusals):
    """Which line payments take, and which one instead while nothing of them has left."""

    list_display = ("home", "account", "rail", "connection", "priority", "is_active")
    list_filter = ("is_active", "rail", "home__code", "connection__code")
    list_select_related = ("home", "connection")
    search_fields = ("home__code", "connection__code", "account")
    fields = ("home", "account", "rail", "connection", "priority", "is_active")

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the ends of an existing route."""
        return ("home", "account", "rail", "connection") if obj else ()

    @override
    def save_model(self, request: HttpRequest, obj: Route, form: Any, change: Any) -> None:
        """Save through the service."""
        wish = services.RouteIn(
            home=obj.home.code,
            connection=obj.connection.code,
            account=obj.account,
            rail=obj.rail,
            priority=obj.priority,
            is_active=obj.is_active,
        )
        obj.pk = services.save_route(wish=wish).pk


@admin.register(LineNote)
class LineNoteAdmin(ReadOnly):
    """What happened on the lines lately."""

    list_display = ("at", "connection", "kind", "text")
    list_filter = ("kind", "connection__code")
    list_select_related = ("connection",)


# What banks send, what goes to them, and what nobody could name.
_KINDS: Final = (*MessageKind, *ORDER_KINDS.values(), CAMT056_KIND, CAMT060_KIND, UNKNOWN_KIND)


class KindFilter(admin.SimpleListFilter):
    """Kinds of messages by their names: asking the archive which ones it has reads all of it."""

    title = "kind"
    parameter_name = "kind"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the kinds that there can be."""
        return [(kind, kind) for kind in sorted(_KINDS)]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> Any:
        """Keep messages of the kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Message)
class MessageAdmin(ReadOnly):
    """The archive of messages; the bytes are downloaded, never edited."""

    list_display = (
        "created_at",
        "direction",
        "connection",
        "kind",
        "name",
        "state",
        "reference",
        "size_bytes",
        "content",
    )
    list_filter = ("direction", "state", KindFilter, "connection__code")
    list_select_related = ()
    search_fields = ("name", "reference", "message_reference", "sha256")
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    actions = ("try_selected_again",)
    exclude = ("body",)
    readonly_fields = ("content",)

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Leave the bytes in the database."""
        found: QuerySet[Message] = super().get_queryset(request)
        return found.defer("body").prefetch_related("connection")

    @admin.display(description="Bytes")
    def content(self, obj: Message) -> SafeString:
        """Link to the download; it asks for the role again."""
        url = reverse("integrations:content", args=[obj.pk])
        return format_html('<a href="{}" class="text-primary-600">download</a>', url)

    def has_again_permission(self, request: HttpRequest) -> bool:
        """Tell who may take messages up again."""
        return isinstance(request.user, User) and request.user.has_role(
            *services.ROLES_FOR_TRYING_AGAIN
        )

    def has_bytes_permission(self, request: HttpRequest) -> bool:
        """Tell who may read a bank's message."""
        return isinstance(request.user, User) and request.user.has_role(*ROLES_FOR_BYTES)

    @override
    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Offer the download to those who may read it."""
        names: tuple[str, ...] = tuple(super().get_list_display(request))
        return names if self.has_bytes_permission(request) else names[:-1]

    @admin.action(description="Try again", permissions=["again"])
    def try_selected_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        """Take each selected message up again."""
        for message in queryset:
            with self.reporting_refusals(request, message):
                services.try_again(message_id=message.pk, actor=actor(request))
