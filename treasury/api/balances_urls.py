"""Addresses of balances and accounts."""

from django.urls import path

from treasury.api import balances_views as views

urlpatterns = [
    path("balances", views.BalanceList.as_view(), name="balances"),
    path(
        "statements/<uuid:statement_id>/again",
        views.StatementAgain.as_view(),
        name="statement-again",
    ),
    path("accounts/<uuid:account_id>/ladder", views.AccountLadder.as_view(), name="account-ladder"),
    path(
        "accounts/<uuid:account_id>/entries",
        views.AccountEntries.as_view(),
        name="account-entries",
    ),
    path(
        "accounts/<uuid:account_id>/entries/<uuid:entry_id>",
        views.EntryDetail.as_view(),
        name="account-entry",
    ),
]
