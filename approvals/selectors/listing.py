"""Which requests may be approved together with others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals import selectors
from approvals.models import ApprovalRequest
from approvals.selectors import RequestDetail
from core.identity.models import User


def why_alone(request: ApprovalRequest, now: datetime) -> str:
    """Return why a request must be decided on its own, empty when it need not."""
    if request.break_glass is not None:
        return "Over broken glass each request is approved on its own, with a passkey."
    if request.required_count > 1 or selectors.is_above_dual(request, now):
        return "What needs two people is decided on its own."
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRequest:
    """One of several requests, in full, and why it cannot be approved with the others."""

    detail: RequestDetail
    obstacle: str


def listed(*, requests: Sequence[UUID], user: User, now: datetime) -> list[ListedRequest]:
    """Return the requests as their checker must see them before approving them together.

    Raises:
        RequestUnknown: the tenant has none of one of these ids.
    """
    found = []
    for request_id in requests:
        detail = selectors.request_detail(request_id=request_id, user=user)
        obstacle = detail.eligibility.reason or why_alone(detail.request, now)
        found.append(ListedRequest(detail=detail, obstacle=obstacle))
    return found


def list_text(hashes: Sequence[str]) -> str:
    """Return the text that the digest of a list is the sha256 of: a title, then each hash once."""
    return "\n".join(["approvals list", *sorted(set(hashes))])
