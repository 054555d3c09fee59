"""Desk addresses of the lines to the banks."""

from django.urls import path

from integrations import views
from integrations.pages import mapping, quarantine, verbatim

app_name = "integrations"
urlpatterns = [
    path("connections/", views.connectivity, name="connections"),
    path("connections/<slug:code>/test", views.probe, name="probe"),
    path("bank-messages/<uuid:message_id>/again", views.try_again, name="try-again"),
    path("bank-messages/<uuid:message_id>/content", views.content, name="content"),
    path("quarantine", quarantine.board, name="quarantine"),
    path("quarantine/export.csv", quarantine.export, name="quarantine-export"),
    path("quarantine/<slug:code>/again", quarantine.try_all_again, name="try-all-again"),
    path("bank-messages/<uuid:message_id>/entry", verbatim.written, name="written"),
    path("mapping", mapping.draw, name="mapping"),
    path("bank-messages/<uuid:message_id>/mapping", mapping.draw_from_message, name="mapping-from"),
]
