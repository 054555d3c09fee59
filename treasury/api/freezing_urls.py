"""Addresses of the emergency stop."""

from django.urls import path

from treasury.api import freezing_views as views

urlpatterns = [
    path("freezes", views.FreezeList.as_view(), name="freezes"),
    path("freezes/<uuid:freeze_id>/release", views.FreezeRelease.as_view(), name="freeze-release"),
]
