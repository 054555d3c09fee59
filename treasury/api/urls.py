"""API of the treasury."""

from django.urls import include, path

urlpatterns = [
    path("", include("treasury.api.movement_urls")),
    path("", include("treasury.api.beneficiary_urls")),
    path("", include("treasury.api.freezing_urls")),
    path("", include("treasury.api.balances_urls")),
    path("", include("treasury.api.periods_urls")),
    path("", include("treasury.api.tracking_urls")),
    path("", include("treasury.api.uploading_urls")),
    path("", include("treasury.api.sweeps_urls")),
    path("", include("treasury.api.pools_urls")),
]
