"""One lock for everything that happens to a request: its own row."""

from uuid import UUID

from approvals.errors import RequestUnknown
from approvals.models import ApprovalRequest


def lock_request(request_id: UUID) -> ApprovalRequest:
    """Hold the request until the transaction ends, and return it fresh.

    Raises:
        RequestUnknown: the tenant has none of that id.
    """
    request = ApprovalRequest.objects.locked().filter(pk=request_id).first()
    if request is None:
        raise RequestUnknown("There is no such approval request.", request=str(request_id))
    return request
