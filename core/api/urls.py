"""API of the ground floor: tokens, the event stream, changes."""

from django.urls import path

from core.api.views import ConflictsView, RefreshView, RevokeView, TokenView
from core.changes.api import ChangeDetail, ChangeImport, ChangeList, ChangeWithdraw
from core.events.stream import event_stream
from core.policies.api import PolicyList

urlpatterns = [
    path("token", TokenView.as_view(), name="token"),
    path("token/refresh", RefreshView.as_view(), name="token-refresh"),
    path("token/revoke", RevokeView.as_view(), name="token-revoke"),
    path("duties/conflicts", ConflictsView.as_view(), name="duties-conflicts"),
    path("events", event_stream, name="events"),
    path("policies", PolicyList.as_view(), name="policies-in-force"),
    path("changes", ChangeList.as_view(), name="changes"),
    path("changes/import", ChangeImport.as_view(), name="changes-import"),
    path("changes/<uuid:change_id>", ChangeDetail.as_view(), name="change"),
    path("changes/<uuid:change_id>/withdraw", ChangeWithdraw.as_view(), name="change-withdraw"),
]
