"""People's sessions in the admin: a tenant administrator sees and ends them."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import action, display

from core.admin import ReadOnlyAdmin
from core.api.actor import actor
from core.identity.roles import TENANT_ADMIN
from core.identity.sessions import PersonSession, end_session


@admin.register(PersonSession)
class PersonSessionAdmin(ReadOnlyAdmin):
    """Who is signed in where; ending a session takes effect with its next request."""

    list_display = ("user", "device", "second_factor", "ip", "created_at", "seen_at", "ended_at")
    list_filter = ("second_factor", "user")
    list_select_related = ("user",)
    exclude = ("key_digest",)
    actions = ("end",)

    @display(description="device")
    def device(self, session: PersonSession) -> str:
        """Name browser and system."""
        return session.device

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller administers people."""
        return actor(request).has_role(TENANT_ADMIN)

    @action(description="End", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[PersonSession]) -> None:
        """End the chosen sessions."""
        for session in queryset.filter(ended_at=None):
            end_session(session=session.pk, actor=actor(request))
        messages.success(request, "Ended: their next request is refused.")
