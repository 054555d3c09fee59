"""The way to approvals: the room above fills it when it starts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.changes.errors import NoApprovalDesk

if TYPE_CHECKING:
    from core.changes.models import ChangeRequest
    from core.identity.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ForApproval:
    """A change as it goes before its checkers; `parties` may not be among them."""

    change: "ChangeRequest"
    content: dict[str, Any]
    parties: tuple["User", ...]


class ApprovalDesk(Protocol):
    """What the approvals room does for changes."""

    def submit(self, asked: ForApproval) -> None:
        """Put a change before its checkers; refuse it when nobody could approve it."""

    def withdraw(self, change: "ChangeRequest", actor: "User", reason: str) -> None:
        """Take a change back; the desk calls `close_change` in turn."""

    def url(self, change: "ChangeRequest") -> str:
        """Return the address at which the change is decided, or nothing."""


_desk: ApprovalDesk | None = None


def open_desk(desk: ApprovalDesk) -> None:
    """Fill the port; a second call replaces the first."""
    global _desk  # noqa: PLW0603 - one desk for the process, set when the rooms start
    _desk = desk


def desk() -> ApprovalDesk:
    """Return the approvals room's desk.

    Raises:
        NoApprovalDesk: no room filled the port.
    """
    if _desk is None:
        raise NoApprovalDesk("There is nobody to approve changes.")
    return _desk
