"""What moves between the accounts of a cash pool at the end of a day. Pure.

Every member is brought to its target: what is above goes up to the header, what is missing comes
down from it. Balances are value-dated forecasts at the end of the day, never the ledger at the
moment of the run. First everything goes up, then deficits are filled from what the header has
above its own floor; where that is too little, by priority or in proportion, and the rest is said.
The same inputs give the same outcome in any order of members.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Final

ZERO: Final = Decimal(0)
# Money goes back the same day only where twice the smallest move is at stake.
BACK_AND_FORTH: Final = 2


class ShortfallRule(Enum):
    """Who gets what where the header cannot fill every deficit."""

    PRIORITY = "PRIORITY"
    PRO_RATA = "PRO_RATA"


class Direction(Enum):
    """Which way money goes, seen from the member."""

    UP = "UP"
    DOWN = "DOWN"
    NONE = "NONE"


class Reason(Enum):
    """Why a member's money moves, or stays."""

    SWEPT = "SWEPT"
    FUNDED = "FUNDED"
    PARTLY_FUNDED = "PARTLY_FUNDED"
    NOT_FUNDED = "NOT_FUNDED"
    AT_TARGET = "AT_TARGET"
    WITHIN_BAND = "WITHIN_BAND"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    ONE_WAY = "ONE_WAY"
    BACK_AND_FORTH = "BACK_AND_FORTH"
    NOT_POOLABLE = "NOT_POOLABLE"
    STALE_BALANCE = "STALE_BALANCE"
    GAP_IN_STATEMENTS = "GAP_IN_STATEMENTS"
    CUTOFF_PASSED = "CUTOFF_PASSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The account that everything goes to and comes from, and what must stay on it."""

    account: str
    balance: Decimal
    floor: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One account of the pool at the end of the day.

    `lower` and `upper` are the balances outside of which it moves; None means the target itself.
    `multiple` is at least the currency's smallest unit. `moved_today` is what went between it and
    the header on the same value date already, from the member's side. An `obstacle` keeps it still.
    """

    account: str
    balance: Decimal
    target: Decimal
    minimum: Decimal
    multiple: Decimal
    lower: Decimal | None = None
    upper: Decimal | None = None
    is_one_way: bool = False
    priority: int = 0
    moved_today: Decimal = ZERO
    obstacle: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that the moves of one pool and day rest on."""

    pool: str
    day: date
    decided_at: datetime
    currency: str
    rule: ShortfallRule
    header: Header
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What becomes of one member; `wanted` and `amount` are never negative."""

    account: str
    before: Decimal
    target: Decimal
    direction: Direction
    wanted: Decimal
    amount: Decimal
    after: Decimal
    reason: Reason

    @property
    def short(self) -> Decimal:
        """Return what it wanted from the header and does not get."""
        return self.wanted - self.amount if self.direction is Direction.DOWN else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All lines by priority and account, and the header before and after."""

    lines: tuple[Line, ...]
    header_before: Decimal
    header_after: Decimal
    swept: Decimal
    funded: Decimal
    short: Decimal


@dataclass(frozen=True, slots=True)
class _Wish:
    member: Member
    direction: Direction
    wanted: Decimal
    reason: Reason


def pool_moves(inputs: Inputs) -> Outcome:
    """Return what moves: first up, then down, the header never below its floor by it."""
    ordered = sorted(inputs.members, key=lambda one: (one.priority, one.account))
    wishes = [_wish(member) for member in ordered]
    swept = sum((one.wanted for one in wishes if one.direction is Direction.UP), ZERO)
    spare = inputs.header.balance + swept - inputs.header.floor
    deficits = [one for one in wishes if one.direction is Direction.DOWN]
    given = _given(deficits, spare=max(spare, ZERO), rule=inputs.rule)
    lines = tuple(_line(one, given) for one in wishes)
    funded = sum(given.values(), ZERO)
    return Outcome(
        lines=lines,
        header_before=inputs.header.balance,
        header_after=inputs.header.balance + swept - funded,
        swept=swept,
        funded=funded,
        short=sum((line.short for line in lines), ZERO),
    )


def _wish(member: Member) -> _Wish:
    delta = member.balance - member.target
    # Up no more than is above the target; down no less than brings it there.
    round_to = _floor if delta > 0 else _ceiling
    wanted = round_to(abs(delta), member.multiple)
    obstacle = member.obstacle or _obstacle(member, delta, wanted)
    if obstacle is not None:
        return _Wish(member, Direction.NONE, ZERO, obstacle)
    if delta > 0:
        return _Wish(member, Direction.UP, wanted, Reason.SWEPT)
    return _Wish(member, Direction.DOWN, wanted, Reason.FUNDED)


def _obstacle(member: Member, delta: Decimal, wanted: Decimal) -> Reason | None:
    """Return why a member's money stays, or None where it moves."""
    upper = member.target if member.upper is None else member.upper
    lower = member.target if member.lower is None else member.lower
    rules = (
        (Reason.AT_TARGET, delta == 0),
        (Reason.WITHIN_BAND, lower <= member.balance <= upper),
        (Reason.ONE_WAY, delta < 0 and member.is_one_way),
        (Reason.BELOW_MINIMUM, wanted < member.minimum or wanted == 0),
        (Reason.BACK_AND_FORTH, _goes_back_and_forth(member, delta)),
    )
    return next((reason for reason, holds in rules if holds), None)


def _goes_back_and_forth(member: Member, delta: Decimal) -> bool:
    """Say whether a move would undo one of the same day for no more than two smallest moves."""
    # What went up today is negative here, and so is what is missing now.
    undoes = (member.moved_today < 0 and delta < 0) or (member.moved_today > 0 and delta > 0)
    return undoes and abs(delta) <= BACK_AND_FORTH * member.minimum


def _given(
    deficits: Sequence[_Wish], *, spare: Decimal, rule: ShortfallRule
) -> Mapping[str, Decimal]:
    """Return what each deficit gets out of `spare`."""
    if _total(deficits) <= spare:
        return {one.member.account: one.wanted for one in deficits}
    if rule is ShortfallRule.PRIORITY:
        return _by_priority(deficits, spare)
    return _in_proportion(deficits, spare)


def _by_priority(deficits: Iterable[_Wish], spare: Decimal) -> dict[str, Decimal]:
    given, left = {}, spare
    for one in deficits:
        share = one.wanted if one.wanted <= left else _floor(left, one.member.multiple)
        given[one.member.account] = share if share >= one.member.minimum else ZERO
        left -= given[one.member.account]
    return given


def _in_proportion(deficits: Sequence[_Wish], spare: Decimal) -> dict[str, Decimal]:
    """Return shares in proportion to what is missing, each rounded down to its multiple.

    A share below its smallest move is no move: the last such one in the order goes without, and the
    others share anew.
    """
    live = list(deficits)
    while live:
        shares = _shares(live, spare)
        too_small = [one for one in live if _is_too_small(one, shares)]
        if not too_small:
            nothing = {one.member.account: ZERO for one in deficits}
            return nothing | shares
        live.remove(too_small[-1])
    return {one.member.account: ZERO for one in deficits}


def _shares(live: Sequence[_Wish], spare: Decimal) -> dict[str, Decimal]:
    total = _total(live)
    if total <= spare:
        return {one.member.account: one.wanted for one in live}
    return {
        one.member.account: _share(spare, one.wanted, total, one.member.multiple) for one in live
    }


def _share(spare: Decimal, wanted: Decimal, total: Decimal, multiple: Decimal) -> Decimal:
    # Exact: a product of two amounts has more digits than the decimal context keeps.
    exact = Fraction(spare) * Fraction(wanted) / Fraction(total)
    return multiple * (exact // Fraction(multiple))


def _is_too_small(one: _Wish, shares: Mapping[str, Decimal]) -> bool:
    share = shares[one.member.account]
    return share == 0 or share < one.member.minimum


def _total(deficits: Iterable[_Wish]) -> Decimal:
    return sum((one.wanted for one in deficits), ZERO)


def _line(wish: _Wish, given: Mapping[str, Decimal]) -> Line:
    member = wish.member
    amount = wish.wanted
    if wish.direction is Direction.DOWN:
        amount = given[member.account]
    change = {Direction.UP: -amount, Direction.DOWN: amount, Direction.NONE: ZERO}
    return Line(
        account=member.account,
        before=member.balance,
        target=member.target,
        direction=wish.direction,
        wanted=wish.wanted,
        amount=amount,
        after=member.balance + change[wish.direction],
        reason=_reason(wish, amount),
    )


def _reason(wish: _Wish, amount: Decimal) -> Reason:
    if wish.direction is not Direction.DOWN or amount == wish.wanted:
        return wish.reason
    return Reason.PARTLY_FUNDED if amount > 0 else Reason.NOT_FUNDED


def _floor(amount: Decimal, multiple: Decimal) -> Decimal:
    return multiple * (Fraction(amount) // Fraction(multiple))


def _ceiling(amount: Decimal, multiple: Decimal) -> Decimal:
    return multiple * -(-Fraction(amount) // Fraction(multiple))
