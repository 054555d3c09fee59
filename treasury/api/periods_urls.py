"""Addresses of closed periods and daily proofs."""

from django.urls import path

from treasury.api import periods_views as views

urlpatterns = [
    path("late-entries", views.LateEntryList.as_view(), name="late-entries"),
    path("late-entries/decide", views.LateEntriesDecide.as_view(), name="late-entries-decide"),
    path(
        "late-entries/<uuid:late_id>/accept",
        views.LateEntryAccept.as_view(),
        name="late-entry-accept",
    ),
    path(
        "late-entries/<uuid:late_id>/leave", views.LateEntryLeave.as_view(), name="late-entry-leave"
    ),
    path("accounts/<uuid:account_id>/proofs", views.AccountProofs.as_view(), name="account-proofs"),
]
