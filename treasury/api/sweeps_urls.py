"""Addresses of sweeps."""

from django.urls import path

from treasury.api import sweeps_views as views

urlpatterns = [
    path("sweep-intent", views.SweepIntents.as_view(), name="sweep-intents"),
    path("sweep-intent/<str:order_id>/ack", views.SweepAnswer.as_view(), name="sweep-answer"),
    path("sweeps/orders", views.SweepOrderList.as_view(), name="sweep-orders"),
    path("sweeps/placements", views.SweepPlacementList.as_view(), name="sweep-placements"),
    path("sweeps/decisions", views.SweepDecisionList.as_view(), name="sweep-decisions"),
    path(
        "sweeps/universes/<str:sha256>", views.SweepUniverseDetail.as_view(), name="sweep-universe"
    ),
]
