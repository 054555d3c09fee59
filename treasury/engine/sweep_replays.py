"""What other policies would have made of past decisions. Pure.

Each decision is decided again on what was known at its time, with one knob changed. What a larger
sweep would have done to the balances of later windows is not followed: every case stands alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from treasury.engine.sweep_records import inputs_of, outcome_of
from treasury.engine.sweep_windows import ProductKind
from treasury.engine.sweeps import (
    ZERO,
    Inputs,
    Outcome,
    Policy,
    decide,
    target_float,
)

Change = Callable[[Policy], Policy]


class Past(NamedTuple):
    """One stored decision: what it is called, its record, and the universe that it names."""

    name: str
    record: str
    universe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One past decision: as it was, and as it would have been."""

    name: str
    was: Outcome
    becomes: Outcome

    @property
    def differs(self) -> bool:
        """Tell whether another amount would have gone, or into another product."""
        before = (self.was.result, self.was.product, self.was.amount, self.was.reason)
        after = self.becomes
        return before != (after.result, after.product, after.amount, after.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Dollars swept and earned, and how many sweeps broke a limit of their time."""

    swept: Decimal
    earned: Decimal
    breached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """All cases, and both sums."""

    cases: tuple[Case, ...]
    before: Sums
    after: Sums


def simulate(pasts: Iterable[Past], change: Change) -> Simulation:
    """Replay stored decisions with a changed policy.

    Raises:
        Invalid: a record cannot be read.
    """
    cases, before, after = [], [], []
    for past in pasts:
        inputs = inputs_of(past.record, past.universe)
        was = outcome_of(past.record)
        becomes = decide(replace(inputs, policy=change(inputs.policy)))
        cases.append(Case(name=past.name, was=was, becomes=becomes))
        before.append((inputs, was))
        after.append((inputs, becomes))
    return Simulation(cases=tuple(cases), before=_sums(before), after=_sums(after))


def _sums(found: list[tuple[Inputs, Outcome]]) -> Sums:
    return Sums(
        swept=sum((outcome.amount for _, outcome in found), ZERO),
        earned=sum((outcome.interest for _, outcome in found), ZERO),
        breached=sum(breaches(inputs, outcome) for inputs, outcome in found),
    )


def breaches(inputs: Inputs, outcome: Outcome) -> bool:
    """Tell whether a sweep breaks a limit that held at its time.

    Either money is tied up although the value at risk was above the limit or unknown, or less than
    the buffer stays beside money that is tied up.
    """
    product = next((one for one in inputs.products if one.code == outcome.product), None)
    if product is None or product.kind is ProductKind.OVERNIGHT:
        return False
    risk, limit = inputs.risk.var_bps, inputs.policy.var_limit_bps
    above = risk is None or risk > limit
    return above or outcome.amount > outcome.excess - target_float(inputs.money, inputs.policy)
