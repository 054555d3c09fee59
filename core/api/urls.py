"""API of the ground floor: tokens and the event stream."""

from django.urls import path

from core.api.views import ConflictsView, RefreshView, RevokeView, TokenView
from core.events.stream import event_stream

urlpatterns = [
    path("token", TokenView.as_view(), name="token"),
    path("token/refresh", RefreshView.as_view(), name="token-refresh"),
    path("token/revoke", RevokeView.as_view(), name="token-revoke"),
    path("duties/conflicts", ConflictsView.as_view(), name="duties-conflicts"),
    path("events", event_stream, name="events"),
]
