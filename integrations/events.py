"""What the lines to the banks announce."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(Event):
    """A bank's message is archived and waits to be read."""

    topic: ClassVar[str] = "integrations.message.received"
    message_id: UUID
    kind: str
    connection: str
    sha256: str

    def aggregate(self) -> str:
        """Order per message: one that cannot be read must not hold up the others."""
        return f"message:{self.message_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSetAside(Event):
    """A bank's message could not be used; a person has to look at it."""

    topic: ClassVar[str] = "integrations.message.set_aside"
    message_id: UUID
    name: str
    connection: str
    reason: str

    def aggregate(self) -> str:
        """Order per message."""
        return f"message:{self.message_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOutcome(Event):
    """What became of handing a payment over to the bank."""

    reference: str
    message_id: UUID
    reason: str
    bank_reference: str
    at: datetime

    def aggregate(self) -> str:
        """Order per payment."""
        return f"payment:{self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSent(PaymentOutcome):
    """The bank has the payment."""

    topic: ClassVar[str] = "integrations.payment.sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefused(PaymentOutcome):
    """The bank certainly does not have the payment and will not get it from this message."""

    topic: ClassVar[str] = "integrations.payment.refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentUnknown(PaymentOutcome):
    """The bank may or may not have the payment; it is being asked."""

    topic: ClassVar[str] = "integrations.payment.unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChanged(Event):
    """A line stopped calling its bank, or works again."""

    topic: ClassVar[str] = "integrations.line.changed"
    connection: str
    is_open: bool
    reason: str
    at: datetime

    def aggregate(self) -> str:
        """Order per line."""
        return f"connection:{self.connection}"
