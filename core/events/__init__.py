"""Events: written to an outbox with the change that caused them, handled once per consumer."""

from core.events.bus import (
    Envelope,
    Event,
    present_trace,
    publish,
    subscribe,
    subscribe_many,
    traced,
)

__all__ = [
    "Envelope",
    "Event",
    "present_trace",
    "publish",
    "subscribe",
    "subscribe_many",
    "traced",
]
