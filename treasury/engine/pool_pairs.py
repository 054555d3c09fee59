"""Which bank entries are the two sides of a sweep that the bank made by itself. Pure.

ISO 20022's external bank transaction codes name such entries: domain CAMT (cash management),
family ACCB (account balancing), with ZABA for zero balancing, SWEP for sweeps and TOPG for topping.
In BAI2 the type codes of zero balance accounts do: credit and debit, each with its transfer and
adjustment.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

CODES: Final = ("CAMT/ACCB/ZABA", "CAMT/ACCB/SWEP", "CAMT/ACCB/TOPG")
BAI2_CODES: Final = (
    "PRTRY:275", "PRTRY:277", "PRTRY:278", "PRTRY:575", "PRTRY:577", "PRTRY:578",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One booked entry; `amount` is signed. `reference` is shared by both sides, if given."""

    entry: str
    account: str
    day: date
    amount: Decimal
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both sides of one sweep: the entry that left and the entry that came."""

    debit: Side
    credit: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The pairs that are certain, and the entries that a person must look at."""

    pairs: tuple[Pair, ...]
    alone: tuple[Side, ...]


def pair_up(headers: Iterable[Side], members: Iterable[Side]) -> Paired:
    """Return which entries of the header belong to which of the members.

    Both have one value date and opposite amounts. Those that share a reference go first; what is
    left is paired only where it is unmistakable: nothing is guessed between companies.
    """
    ours, theirs = sorted(headers, key=_order), sorted(members, key=_order)
    pairs = _certain(ours, theirs, with_reference=True)
    ours, theirs = _left(ours, pairs), _left(theirs, pairs)
    pairs += _certain(ours, theirs, with_reference=False)
    alone = (*_left(ours, pairs), *_left(theirs, pairs))
    return Paired(pairs=tuple(pairs), alone=alone)


def _certain(ours: Sequence[Side], theirs: Sequence[Side], *, with_reference: bool) -> list[Pair]:
    found = []
    for one in ours:
        candidates = [other for other in theirs if _fits(one, other, with_reference)]
        if len(candidates) != 1:
            continue
        rivals = [mine for mine in ours if _fits(mine, candidates[0], with_reference)]
        if len(rivals) == 1:
            found.append(_pair(one, candidates[0]))
    return found


def _fits(one: Side, other: Side, with_reference: bool) -> bool:  # noqa: FBT001 - inside only
    if one.day != other.day or one.amount != -other.amount:
        return False
    return not with_reference or (one.reference != "" and one.reference == other.reference)


def _pair(one: Side, other: Side) -> Pair:
    return Pair(debit=one, credit=other) if one.amount < 0 else Pair(debit=other, credit=one)


def _left(sides: Sequence[Side], pairs: Iterable[Pair]) -> list[Side]:
    taken = {side.entry for pair in pairs for side in (pair.debit, pair.credit)}
    return [one for one in sides if one.entry not in taken]


def _order(side: Side) -> tuple[date, str]:
    return side.day, side.entry
