"""Pages of the approvals room."""

from django.urls import path

from approvals import views

app_name = "approvals"

urlpatterns = [
    path("approvals", views.inbox, name="inbox"),
    path("approvals/list", views.listing, name="list"),
    path("approvals/waiting-count", views.waiting_count, name="waiting-count"),
    path("approvals/<uuid:request_id>", views.one, name="one"),
    path("approvals/<uuid:request_id>/detail", views.detail, name="detail"),
    path("approvals/<uuid:request_id>/passkey", views.begin, name="begin-passkey"),
    path("approvals/<uuid:request_id>/decide", views.decide, name="decide"),
]
