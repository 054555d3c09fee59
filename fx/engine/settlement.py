"""Where a leg stands by what its bank and our people said of it. Pure."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

from core.money import Money
from fx.engine.pairs import USD


class Standing(StrEnum):
    """Where a leg belongs."""

    EXPECTED = "EXPECTED"
    INSTRUCTED = "INSTRUCTED"
    SENT = "SENT"
    SETTLED = "SETTLED"
    FAILED = "FAILED"


ASKED: Final = frozenset({"DRAFT", "PENDING", "APPROVED"})
# From here on the money may have left: nothing is voided or recalled by us.
MAY_HAVE_LEFT: Final = frozenset({"EXECUTING", "SENT", "CONFIRMED", "SETTLED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is known of a payment: the state of its proposal, and whether its bank booked it."""

    state: str
    is_booked: bool


def paid(payment: Payment | None) -> Standing:
    """Return where what we pay stands; a payment that ended otherwise than booked has failed."""
    if payment is None:
        return Standing.EXPECTED
    if payment.state in ASKED:
        return Standing.INSTRUCTED
    if payment.state not in MAY_HAVE_LEFT:
        return Standing.FAILED
    return Standing.SETTLED if payment.is_booked else Standing.SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How much of a deal is done: legs that stand, how many are settled, and whether we paid."""

    legs: int
    settled: int
    is_paid: bool

    @property
    def is_whole(self) -> bool:
        """Tell whether every leg is settled."""
        return self.legs > 0 and self.settled == self.legs

    @property
    def is_one_sided(self) -> bool:
        """Tell whether one side is done and the other one is not: settlement risk."""
        return 0 < self.settled < self.legs


def ndf_difference(notional: Money, *, agreed: Decimal, fixing: Decimal) -> Money:
    """Return what the buyer of dollars receives of a fixed deal; negative is what it pays.

    `notional * (fixing - agreed) / fixing`, in dollars, rounded half up: rates are units of the
    other currency for one dollar. Source: EMTA template terms for non-deliverable USD/INR.

    Raises:
        ValueError: the notional is not in dollars.
    """
    if notional.currency != USD:
        words = f"a difference is paid in dollars, not in {notional.currency}"
        raise ValueError(words)
    exact = notional.amount * (fixing - agreed) / fixing
    return Money(exact.quantize(_CENT, rounding=ROUND_HALF_UP), USD)


_CENT: Final = Decimal("0.01")
