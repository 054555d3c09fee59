"""Desk addresses of the lines to the banks."""

from django.urls import path

from integrations import views

urlpatterns = [
    path("connectivity", views.connectivity, name="connectivity"),
    path("connectivity/<slug:code>/test", views.probe, name="line-test"),
    path("messages/<uuid:message_id>/again", views.try_again, name="message-try-again"),
    path("messages/<uuid:message_id>/content", views.content, name="message-bytes"),
]
