"""Addresses of sweeps."""

from django.urls import path, re_path

from treasury.api import sweeps_views as views

urlpatterns = [
    path("sweep-intent", views.SweepIntents.as_view(), name="sweep-intents"),
    re_path(
        r"^sweep-intent/(?P<order_id>SWP-[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{4,6})/ack$",
        views.SweepAnswer.as_view(),
        name="sweep-answer",
    ),
    path("sweeps/orders", views.SweepOrderList.as_view(), name="sweep-orders"),
    path("sweeps/decisions", views.SweepDecisionList.as_view(), name="sweep-decisions"),
]
