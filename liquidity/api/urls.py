"""Addresses of forecasts, payout plans and patterns."""

from django.urls import path

from liquidity.api import views

urlpatterns = [
    path("forecasts", views.ForecastList.as_view(), name="forecasts"),
    path("forecasts/run", views.ForecastRunner.as_view(), name="forecasts-run"),
    path("forecasts/<uuid:forecast_id>", views.ForecastDetail.as_view(), name="forecast"),
    path(
        "forecasts/<uuid:forecast_id>/lines", views.ForecastLines.as_view(), name="forecast-lines"
    ),
    path("payout-plans", views.PayoutPlanList.as_view(), name="payout-plans"),
    path(
        "payout-plans/<uuid:plan_id>/cancel",
        views.PayoutPlanCancel.as_view(),
        name="payout-plan-cancel",
    ),
    path("patterns", views.PatternList.as_view(), name="patterns"),
    path("patterns/<uuid:pattern_id>/stop", views.PatternStop.as_view(), name="pattern-stop"),
]
