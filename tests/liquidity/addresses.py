"""The room's addresses before everything else, as the whole system serves them."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("liquidity.api.urls")),
    path("", include("liquidity.urls")),
    path("", include("tms.urls")),
]
