"""Addresses of cash pools."""

from django.urls import path

from treasury.api import pools_views as views

urlpatterns = [
    path("pools", views.PoolList.as_view(), name="pools"),
    path("pools/<uuid:pool_id>/runs", views.PoolRunList.as_view(), name="pool-runs"),
    path("pools/<uuid:pool_id>/notional", views.PoolNotional.as_view(), name="pool-notional"),
    path("intercompany", views.IntercompanyList.as_view(), name="intercompany"),
    path(
        "intercompany/balances", views.IntercompanyBalances.as_view(), name="intercompany-balances"
    ),
]
