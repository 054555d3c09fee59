"""The room's pages and API under their real addresses, with the desk around them."""

from django.contrib import admin
from django.urls import include, path

from core.health import health

urlpatterns = [
    path("", include("core.identity.urls")),
    path("health", health, name="health"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("integrations.api.urls")),
    path("", include("integrations.urls")),
    path("", include("tms.desk.urls")),
]
