"""Pages of the fx room."""

from django.urls import path

from fx.views import rates

app_name = "fx"

urlpatterns = [
    path("fx/rates", rates.board, name="rates"),
    path("fx/rates/pair", rates.pair, name="pair"),
    path("fx/rates/upload", rates.upload, name="upload-rates"),
    path("fx/rates/history", rates.history, name="rate-history"),
]
