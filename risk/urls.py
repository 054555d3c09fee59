"""Pages of the risk room."""

from django.urls import path

from risk import views

app_name = "risk"

urlpatterns = [
    path("risk", views.overview, name="overview"),
    path("risk/export.csv", views.export, name="export"),
    path("risk/measure", views.measure, name="measure"),
    path("risk/<uuid:account_id>", views.account, name="account"),
]
