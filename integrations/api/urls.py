"""Addresses below /api/v1/."""

from django.urls import path

from integrations.api.views import (
    ConnectionAgain,
    MessageAgain,
    MessageContent,
    MessageDetail,
    MessageList,
)

urlpatterns = [
    path("messages", MessageList.as_view(), name="messages"),
    path("messages/<uuid:message_id>", MessageDetail.as_view(), name="message"),
    path("messages/<uuid:message_id>/content", MessageContent.as_view(), name="message-content"),
    path("messages/<uuid:message_id>/again", MessageAgain.as_view(), name="message-again"),
    path("connections/<slug:code>/again", ConnectionAgain.as_view(), name="connection-again"),
]
