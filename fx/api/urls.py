"""Addresses of foreign exchange."""

from django.urls import path

from fx.api import rates_views

urlpatterns = [
    path("fx/rates", rates_views.RateBoard.as_view(), name="fx-rates"),
    path("fx/rates/file", rates_views.RateFile.as_view(), name="fx-rates-file"),
    path("fx/rates/history", rates_views.RateHistory.as_view(), name="fx-rates-history"),
    path("fx/convert", rates_views.Converter.as_view(), name="fx-convert"),
]
