"""Addresses of the readings of risk."""

from django.urls import path

from risk.api import views

urlpatterns = [
    path("risk/var", views.ReadingList.as_view(), name="risk-readings"),
    path("risk/var.csv", views.ReadingExport.as_view(), name="risk-readings-export"),
    path("risk/var/run", views.Runner.as_view(), name="risk-run"),
    path("risk/var/<uuid:reading_id>", views.ReadingDetail.as_view(), name="risk-reading"),
    path("risk/var/<uuid:reading_id>/days", views.ReadingDays.as_view(), name="risk-reading-days"),
]
