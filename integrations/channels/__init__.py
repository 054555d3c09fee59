"""Channels: how a message physically reaches a bank and how the bank's messages are fetched."""

from integrations.channels.opening import opened
from integrations.channels.protocol import (
    BankStatus,
    Channel,
    ChannelTrouble,
    InboundFile,
    LineSettings,
    NotSent,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    Refused,
    Unreachable,
)

__all__ = [
    "BankStatus",
    "Channel",
    "ChannelTrouble",
    "InboundFile",
    "LineSettings",
    "NotSent",
    "OutcomeUnknown",
    "Outgoing",
    "Receipt",
    "Refused",
    "Unreachable",
    "opened",
]
