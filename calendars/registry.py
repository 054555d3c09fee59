"""What this room asks of rooms above it, filled in by them when the system starts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingQuestion:
    """Asks which payments still wait for a rail's cut-off."""

    rail: str
    currency: str
    business_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTotals:
    """How many payments wait, and their sum in USD-equivalent."""

    count: int = 0
    usd_total: Decimal = Decimal("0.00")


PendingCounter = Callable[[PendingQuestion], PendingTotals]

_counters: dict[str, PendingCounter] = {}


def register_pending_counter(counter: PendingCounter, *, name: str = "treasury") -> None:
    """Let a higher room answer for its pending payments; one answer per name."""
    _counters[name] = counter


def forget_pending_counter(*, name: str) -> None:
    """Take a counter out again."""
    _counters.pop(name, None)


def pending_totals(question: PendingQuestion) -> PendingTotals:
    """Return what all registered rooms together have pending."""
    answers = [counter(question) for counter in _counters.values()]
    return PendingTotals(
        count=sum(answer.count for answer in answers),
        usd_total=sum((answer.usd_total for answer in answers), Decimal("0.00")),
    )
