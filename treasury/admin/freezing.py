"""The emergency stop in the admin: a list and the two buttons."""

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import action, display

from core.api.actor import actor
from core.confirming import confirmed
from treasury.admin.movement import ReadOnly
from treasury.models import Freeze, FreezeState
from treasury.selectors import freezing as reads
from treasury.services import freezing

_LABELS = {
    FreezeState.FROZEN: "danger",
    FreezeState.RELEASING: "warning",
    FreezeState.RELEASED: "success",
}


@admin.register(Freeze)
class FreezeAdmin(SimpleHistoryAdmin, ReadOnly):
    """Stops of all outflows."""

    list_display = (
        "frozen_at", "shown_state", "frozen_by", "reason", "release_asked_by", "release_reason",
        "released_at",
    )  # fmt: skip
    list_filter = ("state",)
    actions_list = ("stop_it",)
    actions_detail = ("release_it",)

    @display(description="state", label=_LABELS)
    def shown_state(self, freeze: Freeze) -> str:
        """Show the state as a coloured label."""
        return str(freeze.state)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Freeze]:
        """Return the tenant's stops."""
        return reads.freezes()

    @action(description="Stop all outflows", url_path="stop")
    @method_decorator(require_safe)
    def stop_it(self, request: HttpRequest) -> HttpResponseRedirect:
        """Lead to the page that asks for the reason."""
        return HttpResponseRedirect(reverse("treasury:freeze"))

    @action(description="Ask for the release", url_path="release")
    @confirmed("The release goes before its checkers; outflows stay stopped until they approve.")
    def release_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Put the release before its checkers."""
        self._press(
            request,
            "The release waits for approval.",
            lambda: freezing.ask_release(
                freeze_id=UUID(object_id),
                actor=actor(request),
                reason="Asked for in the admin.",
            ),
        )
        return HttpResponseRedirect(reverse("admin:treasury_freeze_change", args=[object_id]))
