"""What the payment of a sweep order says about the order. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

# From PDNG on a bank holds an order, be it for a day that is to come; what comes before it only
# says that the order arrived. ISO 20022 external payment transaction status set; ranks: `statuses`.
TAKEN_RANK: Final = 25


class Word(StrEnum):
    """What became of the payment, as far as the order is concerned."""

    WAITS = "waits"
    LEFT = "left"
    TAKEN = "taken"
    REFUSED = "refused"
    CAME_BACK = "came back"
    TOO_LATE = "too late"


_WORDS: Final = {
    "SENT": Word.LEFT,
    "CONFIRMED": Word.TAKEN,
    "SETTLED": Word.TAKEN,
    "RETURNED": Word.CAME_BACK,
    "EXPIRED": Word.TOO_LATE,
    "FAILED": Word.REFUSED,
    "CANCELLED": Word.REFUSED,
    "REJECTED": Word.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Where a payment stands: its state, the rank of the bank's strongest word, and the clock.

    `is_unknown`: nobody knows whether the bank has it.
    """

    state: str
    rank: int
    is_unknown: bool
    cutoff_at: datetime
    now: datetime


def word_of(payment: Payment) -> Word:
    """Return what a payment says about its order.

    One whose outcome is unknown may have left, and so may one that was handed to a sender when the
    window closed: both count as sent, are asked about, and are never taken for failed.
    """
    if payment.state == "EXECUTING":
        may_have_left = payment.is_unknown or payment.now >= payment.cutoff_at
        return Word.LEFT if may_have_left else Word.WAITS
    if payment.state == "SENT" and payment.rank >= TAKEN_RANK:
        return Word.TAKEN
    return _WORDS.get(payment.state, Word.WAITS)
