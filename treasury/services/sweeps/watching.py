"""Tell who watches what was decided: a line in the log, and the seconds it took."""

import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import structlog

logger = structlog.get_logger(__name__)
Observer = Callable[[float], None]
_observers: list[Observer] = []


class Decision(Protocol):
    """What the log says of a decision, whoever made it."""

    @property
    def decision(self) -> UUID | None:
        """Which one."""
        ...

    @property
    def result(self) -> str:
        """What came of it."""
        ...

    @property
    def branch(self) -> str:
        """Which way the rule went."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...

    @property
    def product(self) -> str:
        """Into what."""
        ...

    @property
    def amount(self) -> Decimal:
        """How much, in dollars."""
        ...


def observe(observer: Observer) -> Observer:
    """Have every decision's seconds told to `observer`."""
    _observers.append(observer)
    return observer


def tell_decided(decided: Sequence[Decision], *, seconds: float) -> None:
    """Log what was decided together, and tell the observers of each how long it took."""
    if logger.isEnabledFor(logging.INFO):
        for one in decided:
            logger.info(
                "sweep_decided",
                decision=str(one.decision),
                result=one.result,
                branch=one.branch,
                reason=one.reason,
                product=one.product,
                amount=str(one.amount),
            )
    for _ in decided:
        observed(seconds=seconds)


def observed(*, seconds: float) -> None:
    """Tell the observers how long one decision took."""
    for observer in _observers:
        observer(seconds)
