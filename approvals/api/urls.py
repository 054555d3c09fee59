"""API of the approvals room."""

from django.urls import path

from approvals.api.views import (
    Approve,
    ApproveSeveral,
    BeginPasskey,
    Reject,
    RequestChanges,
    RequestDetail,
    RequestList,
)

urlpatterns = [
    path("approvals", RequestList.as_view(), name="approvals"),
    path("approvals/approve", ApproveSeveral.as_view(), name="approvals-approve"),
    path("approvals/<uuid:request_id>", RequestDetail.as_view(), name="approval"),
    path("approvals/<uuid:request_id>/approve", Approve.as_view(), name="approval-approve"),
    path("approvals/<uuid:request_id>/passkey", BeginPasskey.as_view(), name="approval-passkey"),
    path(
        "approvals/<uuid:request_id>/request-changes",
        RequestChanges.as_view(),
        name="approval-request-changes",
    ),
    path("approvals/<uuid:request_id>/reject", Reject.as_view(), name="approval-reject"),
]
