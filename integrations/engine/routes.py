"""Which line a payment takes. Pure functions over the governed table of routes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One route: for the accounts whose number ends so, for the rail, over the line."""

    account: str
    rail: str
    home: Any
    connection: Any
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """An account that pays: the end of its number, its bank's line, its currency."""

    label: str
    number_end: str
    connection: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """An account and a rail for which no payment could leave, and why."""

    label: str
    rail: str
    reason: str


def ways_for(ways: Iterable[Way], *, account: str, rail: str) -> list[Way]:
    """Return the ways that fit best, the first choice first.

    A way for the account is closer than one for the rail, a longer tail closer than a shorter one;
    ways that are less close are no fall-back for closer ones: they were not meant for this payment.
    """
    number = "".join(account.split()).upper()
    fitting = [way for way in ways if number.endswith(way.account) and way.rail in ("", rail)]
    closest = max((_closeness(way) for way in fitting), default=None)
    chosen = [way for way in fitting if _closeness(way) == closest]
    return sorted(chosen, key=lambda way: (way.priority, str(way.connection)))


def _closeness(way: Way) -> tuple[int, bool]:
    return (len(way.account), bool(way.rail))
