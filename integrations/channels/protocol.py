"""What every channel offers, and the few ways in which a call can end.

The one distinction that matters: did the bank certainly not get it (`NotSent`, `Refused`), or may
it have got it (`OutcomeUnknown`)? Only the first may ever be followed by another sending.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """Where a line goes and with which patience."""

    code: str
    kind: str
    directory: str = ""
    base_url: str = ""
    outbound_path: str = "outbound"
    inbound_path: str = "inbound"
    access: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    client_certificate: str = field(default="", repr=False)
    server_trust: str = field(default="", repr=False)
    token_url: str = ""
    token_scope: str = ""
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 10.0
    get_retries_max: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message on its way out; `key` is the same whenever this message is offered."""

    key: str
    name: str
    reference: str
    message_reference: str
    sha256: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The bank (or its folder) has the message."""

    bank_reference: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatus:
    """The bank knows the payment and says how it stands."""

    status: str
    bank_reference: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFile:
    """A message of the bank. With `problem`, it is recorded but its bytes are not kept."""

    name: str
    data: bytes = field(repr=False)
    sha256: str
    size_bytes: int
    cursor: str = ""
    locator: str = ""
    problem: str = ""


class ChannelTrouble(Exception):
    """A call did not end well; `str()` is a sentence for people."""


class NotSent(ChannelTrouble):
    """Nothing was handed over; it may be offered again, not before `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Refused(ChannelTrouble):
    """The bank answered that it does not take this message."""


class OutcomeUnknown(ChannelTrouble):
    """The call broke off after the message may have reached the bank."""


class Unreachable(ChannelTrouble):
    """A question could not be answered; it changes nothing and may be asked again."""


class Channel(Protocol):
    """One open line. All calls happen outside of database transactions."""

    not_found_is_final: bool

    def send(self, message: Outgoing) -> Receipt:
        """Hand a message over.

        Raises:
            NotSent: certainly not handed over.
            Refused: the bank does not want it.
            OutcomeUnknown: it may have arrived.
        """
        ...

    def status(self, message: Outgoing) -> BankStatus | None:
        """Ask whether the bank has this very message; None means that it does not.

        Raises:
            Unreachable: no answer, or none that can be trusted.
        """
        ...

    def collect(self, cursor: str) -> Iterator[InboundFile]:
        """Yield the bank's messages behind `cursor`, oldest first.

        Raises:
            Unreachable: the bank or its folder cannot be read.
        """
        ...

    def place_for(self, file: InboundFile, *, reason: str = "") -> str:
        """Return where a collected file is to lie, with a `reason` among those set aside."""
        ...

    def lies_at(self, place: str) -> bool:
        """Tell whether something lies there."""
        ...

    def put_away(self, file: InboundFile, place: str, *, reason: str = "") -> None:
        """Move a collected file to its place."""
        ...

    def return_as_set_aside(self, place: str, *, reason: str) -> str:
        """Move a file put away earlier to those set aside; return where it lies now."""
        ...

    def probe(self) -> str:
        """Test the line without sending anything; return a sentence.

        Raises:
            Unreachable: it does not work, with the reason.
        """
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
