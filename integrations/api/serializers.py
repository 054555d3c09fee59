"""Messages on the wire."""

from typing import Any

from rest_framework import serializers

from integrations.models import Message


class MessageOut(serializers.ModelSerializer[Message]):
    """What is known about a message; its bytes have an address of their own."""

    connection = serializers.SlugRelatedField[Any](slug_field="code", read_only=True)

    class Meta:
        model = Message
        fields = (
            "id",
            "direction",
            "connection",
            "kind",
            "name",
            "sha256",
            "size_bytes",
            "state",
            "reason",
            "reference",
            "message_reference",
            "rail",
            "attempt",
            "attempts",
            "enquiries",
            "seen_count",
            "created_at",
            "sent_at",
            "handled_at",
            "due_at",
            "bank_receipt",
        )
        read_only_fields = fields


class TriedAgainOut(serializers.Serializer[Any]):
    """How many messages are being read again."""

    tried = serializers.IntegerField(read_only=True)
