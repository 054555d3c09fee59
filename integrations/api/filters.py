"""Ways to narrow the list of messages."""

import django_filters  # type: ignore[import-untyped, unused-ignore]

from integrations.models import Direction, Message, MessageState


class MessageFilter(django_filters.FilterSet):
    """By direction, state, kind, connection, reference or digest."""

    direction = django_filters.ChoiceFilter(choices=Direction.choices)
    state = django_filters.ChoiceFilter(choices=MessageState.choices)
    connection = django_filters.CharFilter(field_name="connection__code")

    class Meta:
        model = Message
        fields = (
            "direction",
            "state",
            "kind",
            "connection",
            "reference",
            "message_reference",
            "sha256",
        )
