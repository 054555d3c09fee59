"""Websocket routes."""

from django.urls import path

from core.consumers import UpdatesConsumer

websocket_urlpatterns = [path("ws/updates", UpdatesConsumer.as_asgi())]
