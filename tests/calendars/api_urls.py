"""Only this room's API, under its real address."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("calendars.api.urls"))]
