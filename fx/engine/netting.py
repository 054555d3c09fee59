"""Which legs are one payment under a netting agreement, and of how much. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

ZERO: Final = Decimal(0)
LEGS_MIN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What legs of one net have in common: `payee` is the counterparty's account of the currency,
    `account` is ours.
    """

    counterparty: UUID
    currency: str
    value_date: date
    payee: UUID
    account: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One leg: `amount` is signed, what we pay is negative."""

    leg: UUID
    key: Key
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Legs that become one payment; `amount` is signed like theirs, and zero when they offset."""

    key: Key
    parts: tuple[Part, ...]

    @property
    def amount(self) -> Decimal:
        """Return what is left of all parts: negative is paid, positive received."""
        return sum((one.amount for one in self.parts), ZERO)

    @property
    def gross(self) -> Decimal:
        """Return what would have moved without netting."""
        return sum((abs(one.amount) for one in self.parts), ZERO)


def nets_of(parts: Iterable[Part]) -> list[Net]:
    """Return the nets that legs form; a leg that is alone in its group is paid by itself."""
    groups: dict[Key, list[Part]] = defaultdict(list)
    for one in parts:
        groups[one.key].append(one)
    return [_net(key, found) for key, found in groups.items() if len(found) >= LEGS_MIN]


def _net(key: Key, found: Sequence[Part]) -> Net:
    return Net(key=key, parts=tuple(sorted(found, key=lambda one: one.leg)))
