"""What every page of the desk knows. Everything that asks the database is asked only when shown."""

from functools import cached_property
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

from core import clock
from core.events.models import OutboxEvent
from core.identity.models import User
from core.identity.roles import AUDIT_READERS
from core.tenancy import Tenant, current_scope
from tms.desk.navigation import Link, sections
from treasury.selectors.freezing import standing_freeze

ROLE_WORDS: Final = {
    "treasury_maker": "Maker",
    "treasury_checker": "Checker",
    "treasury_manager": "Treasury manager",
    "dealer": "Dealer",
    "back_office": "Back office",
    "recon_analyst": "Reconciliation",
    "risk_officer": "Risk",
    "static_data": "Static data",
    "auditor": "Auditor",
    "tenant_admin": "Administrator",
    "integration": "Integration",
}


class Desk:
    """The frame around a page: who, where, when."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def person(self) -> User | None:
        """Return the signed-in person."""
        user = self._request.user
        return user if isinstance(user, User) else None

    @cached_property
    def tenant(self) -> Tenant | None:
        """Return the tenant that this page is about."""
        scope = current_scope()
        return Tenant.objects.filter(pk=scope.tenant).first() if scope else None

    @cached_property
    def roles(self) -> set[str]:
        """Return the names of the person's roles."""
        return self.person.roles if self.person else set()

    @property
    def may_read_trail(self) -> bool:
        """Return whether links to the history of things are shown."""
        return bool(self.roles.intersection(AUDIT_READERS))

    @property
    def role_words(self) -> str:
        """Return the person's roles in words."""
        return ", ".join(ROLE_WORDS.get(role, role) for role in sorted(self.roles))

    @property
    def initials(self) -> str:
        """Return up to two letters for the picture in the corner."""
        words = self.person.display_name.split() if self.person else []
        return "".join(word[0] for word in words[:2]).upper()

    @property
    def menu(self) -> dict[str, list[Link]]:
        """Return the menu with the present page marked."""
        return sections(self._request.path, self.roles)

    @cached_property
    def freeze(self) -> object | None:
        """Return the emergency stop that stands, if one does."""
        return standing_freeze() if current_scope() else None

    @property
    def live_sequence(self) -> int:
        """Return the last event that this page can have seen; later ones refresh its panels."""
        last = (
            OutboxEvent.objects.filter(sequence__isnull=False)
            .order_by("-sequence")
            .values_list("sequence", flat=True)
            .first()
        )
        return last or 0

    @property
    def now(self) -> str:
        """Return the system's time, which may run ahead of the wall clock in a demo."""
        return clock.now().isoformat()

    @property
    def is_demo(self) -> bool:
        """Return whether this is a local demo, whose clock can be moved."""
        return bool(settings.TMS_MODE == "local")


def desk(request: HttpRequest) -> dict[str, Any]:
    """Return the frame, the mode and the request's id."""
    return {
        "desk": Desk(request),
        "tms_mode": settings.TMS_MODE,
        "request_id": request.META.get("TMS_REQUEST_ID", ""),
    }
