"""Pages of the approvals room."""

from django.urls import path

from approvals.views import authority, inbox, together

app_name = "approvals"

urlpatterns = [
    path("approvals", inbox.inbox, name="inbox"),
    path("approvals/list", inbox.listing, name="list"),
    path("approvals/waiting-count", inbox.waiting_count, name="waiting-count"),
    path("approvals/together", together.together, name="together"),
    path("approvals/together/passkey", together.begin, name="begin-passkey-together"),
    path("approvals/together/decide", together.decide, name="decide-together"),
    path("approvals/<uuid:request_id>", inbox.one, name="one"),
    path("approvals/<uuid:request_id>/detail", inbox.detail, name="detail"),
    path("approvals/<uuid:request_id>/passkey", inbox.begin, name="begin-passkey"),
    path("approvals/<uuid:request_id>/decide", inbox.decide, name="decide"),
    path("authority", authority.page, name="authority"),
    path("authority/delegate", authority.delegate, name="delegate"),
    path(
        "authority/delegations/<uuid:delegation_id>/revoke",
        authority.revoke,
        name="revoke-delegation",
    ),
    path("authority/limit", authority.limit, name="limit"),
    path("authority/reviews/<uuid:request_id>/close", authority.close, name="close-review"),
    path("authority/reviews/count", authority.waiting_count, name="reviews-count"),
    path("authority/reviews/notice", authority.notice, name="reviews-notice"),
]
