"""Pages of the liquidity room."""

from django.urls import path

from liquidity import views

app_name = "liquidity"

urlpatterns = [
    path("forecasts", views.forecasts, name="forecasts"),
    path("forecasts/table", views.forecasts_table, name="forecasts-table"),
    path("forecasts/panel", views.forecast_panel, name="forecast-panel"),
    path("forecasts/<uuid:account_id>", views.forecast, name="forecast"),
    path("shortfalls", views.shortfalls, name="shortfalls"),
    path("shortfalls/table", views.shortfalls_table, name="shortfalls-table"),
    path("shortfalls/panel", views.shortfalls_panel, name="shortfalls-panel"),
]
