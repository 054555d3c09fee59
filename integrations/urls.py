"""Desk addresses of the lines to the banks."""

from django.urls import path

from integrations import views

app_name = "integrations"
urlpatterns = [
    path("connections/", views.connectivity, name="connections"),
    path("connections/<slug:code>/test", views.probe, name="probe"),
    path("bank-messages/<uuid:message_id>/again", views.try_again, name="try-again"),
    path("bank-messages/<uuid:message_id>/content", views.content, name="content"),
]
