"""Addresses below /api/v1/."""

from django.urls import path

from calendars.api.views import HolidaysView, WindowsView

urlpatterns = [
    path("windows", WindowsView.as_view(), name="windows"),
    path("holidays", HolidaysView.as_view(), name="holidays"),
]
