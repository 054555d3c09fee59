"""Events: written to an outbox with the change that caused them, handled once per consumer."""

from core.events.bus import Envelope, Event, publish, subscribe, subscribe_many

__all__ = ["Envelope", "Event", "publish", "subscribe", "subscribe_many"]
