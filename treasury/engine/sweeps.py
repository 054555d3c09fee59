"""Whether, how much and into what the excess cash of an account is swept. Pure.

Source of the rules: requirements S1-18 to S1-28 in the readings of the house.

* `excess` is what is available, less what is committed and not booked yet, less sweeps on their
  way, less the minimum balance; never below zero.
* The float is a share of the gross outflows expected over the next 24 hours; a forecast below zero
  counts as none.
* A value at risk strictly above the limit, or none that can be trusted, takes the whole excess to
  the overnight product; the float stays only where policy says so.
* The amount is rounded down to the product's increment and leaves only at or above the minimum.

Amounts are in dollars, rates are yearly shares on 360 days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

from treasury.engine.sweep_windows import (
    ClosedDays,
    Days,
    ProductKind,
    ProductTerms,
    Window,
    days_of,
    rungs,
)

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
UNIT: Final = Decimal("0.0001")
YEAR_DAYS: Final = Decimal(360)


class Branch(StrEnum):
    """Which way the rule went."""

    NONE = "NONE"
    WITHIN_LIMIT = "WITHIN_LIMIT"
    FALLBACK = "FALLBACK"


class Result(StrEnum):
    """What came of it. `NO_DECISION`: the inputs allow none, a person must look."""

    SWEEP = "SWEEP"
    NO_SWEEP = "NO_SWEEP"
    NO_DECISION = "NO_DECISION"


class RiskState(StrEnum):
    """What is known about the account's value at risk."""

    FRESH = "FRESH"
    MISSING = "MISSING"
    STALE = "STALE"


class Constraint(StrEnum):
    """What keeps money from earning."""

    MINIMUM_BALANCE = "MINIMUM_BALANCE"
    BUFFER = "BUFFER"
    TERM_LIQUIDITY = "TERM_LIQUIDITY"
    CAP = "CAP"
    INCREMENT = "INCREMENT"
    MINIMUM_SWEEP = "MINIMUM_SWEEP"
    VAR_LIMIT = "VAR_LIMIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """The cash of one account at one instant; all but `outflows` and `lowest` bind at once.

    `lowest` is the lowest balance that is projected over the ladder's days (None: not looked at);
    money that is needed then must not be tied up for weeks.
    """

    available: Decimal
    as_of: datetime
    committed: Decimal = ZERO
    in_flight: Decimal = ZERO
    minimum: Decimal = ZERO
    outflows: Decimal = ZERO
    lowest: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The newest reading: ten-thousandths of the base that one day may cost."""

    state: RiskState
    var_bps: Decimal | None = None
    observations: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The knobs of the rule, each a policy of the tenant."""

    buffer_share: Decimal = Decimal("0.30")
    var_limit_bps: Decimal = Decimal(10)
    minimum_sweep: Decimal = Decimal(50_000)
    balance_age_minutes_max: int = 60
    ladder_days: int = 28
    observations_min: int = 100
    prefers_green: bool = False
    fallback_keeps_buffer: bool = False
    keeps_term_liquidity: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What money may be swept into; `cap` None is no cap, `held` is what counts against it.

    Without a cap nothing is counted: what others hold changes nothing about the decision.
    """

    code: str
    kind: ProductKind
    is_green: bool
    is_open_to_us: bool
    terms: ProductTerms
    calendar: str
    increment: Decimal
    minimum: Decimal
    cap: Decimal | None
    held: Decimal
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A holding that comes back on a day: what a rung of the ladder carries."""

    matures_on: date
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that a decision rests on; the same inputs always give the same outcome."""

    account: str
    decided_at: datetime
    window: Window
    money: Money
    risk: Risk
    policy: Policy
    products: tuple[Product, ...]
    calendars: tuple[ClosedDays, ...]
    ladder: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A product that was not taken, and why."""

    product: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one constraint keeps from earning: amount, lost rate, dollars a day (360-day year)."""

    constraint: Constraint
    amount: Decimal
    rate: Decimal
    per_day: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The decision: what is swept into what, when it leaves and comes back, and why."""

    result: Result
    branch: Branch
    reason: str
    product: str = ""
    amount: Decimal = ZERO
    excess: Decimal = ZERO
    target_float: Decimal = ZERO
    settles_on: date | None = None
    matures_on: date | None = None
    paid_out: Decimal = ZERO
    comes_back: Decimal = ZERO
    interest: Decimal = ZERO
    rejected: tuple[Rejected, ...] = ()
    costs: tuple[Cost, ...] = ()
    warnings: tuple[str, ...] = ()


def floor_to(amount: Decimal, increment: Decimal) -> Decimal:
    """Round down to a multiple of `increment`; zero or less gives zero."""
    if amount <= 0:
        return ZERO
    return (amount / increment).to_integral_value(ROUND_FLOOR) * increment


def excess_of(money: Money) -> Decimal:
    """Return what could leave at once: never below zero."""
    return max(ZERO, money.available - money.committed - money.in_flight - money.minimum)


def target_float(money: Money, policy: Policy) -> Decimal:
    """Return what stays for the next 24 hours, rounded up to nobody's favour: half to even."""
    wanted = policy.buffer_share * max(ZERO, money.outflows)
    return wanted.quantize(UNIT, ROUND_HALF_EVEN)


def fallback_reason(inputs: Inputs) -> str:
    """Say why the risk does not allow more than overnight money; empty when it does."""
    risk, policy = inputs.risk, inputs.policy
    if inputs.money.available <= 0:
        return "BASE_NOT_POSITIVE"
    if risk.state is not RiskState.FRESH:
        return f"VAR_{risk.state.value}"
    if risk.var_bps is None or risk.observations < policy.observations_min:
        return "VAR_TOO_FEW_OBSERVATIONS"
    if not risk.var_bps.is_finite():
        return "VAR_NOT_A_NUMBER"
    return "VAR_ABOVE_LIMIT" if risk.var_bps > policy.var_limit_bps else ""


def decide(inputs: Inputs) -> Outcome:
    """Apply the rule to one account in one window."""
    if inputs.window.closure:
        return Outcome(result=Result.NO_SWEEP, branch=Branch.NONE, reason="CLOSED_DAY")
    age = inputs.decided_at - inputs.money.as_of
    if age > timedelta(minutes=inputs.policy.balance_age_minutes_max):
        return Outcome(result=Result.NO_DECISION, branch=Branch.NONE, reason="STALE_BALANCE")
    why_fallback = fallback_reason(inputs)
    branch = Branch.FALLBACK if why_fallback else Branch.WITHIN_LIMIT
    product, rejected = _choose(inputs, why_fallback)
    excess = excess_of(inputs.money)
    kept = target_float(inputs.money, inputs.policy)
    if branch is Branch.FALLBACK and not inputs.policy.fallback_keeps_buffer:
        kept = ZERO
    warnings = ("FORECAST_BELOW_ZERO",) if inputs.money.outflows < 0 else ()
    if product is None:
        return Outcome(
            result=Result.NO_SWEEP,
            branch=branch,
            reason="NO_PRODUCT",
            excess=excess,
            target_float=kept,
            rejected=rejected,
            warnings=warnings,
        )
    steps = _steps(inputs, product, excess=excess, kept=kept)
    return _concluded(
        inputs,
        Outcome(
            result=Result.SWEEP,
            branch=branch,
            reason=why_fallback or "WITHIN_LIMIT",
            excess=excess,
            target_float=kept,
            rejected=rejected,
            warnings=warnings,
        ),
        product,
        steps,
    )


def _choose(inputs: Inputs, why_fallback: str) -> tuple[Product | None, tuple[Rejected, ...]]:
    """Return the product and, for every other one, why it was not taken."""
    if why_fallback:
        wanted: tuple[tuple[ProductKind, bool], ...] = ((ProductKind.OVERNIGHT, False),)
    elif inputs.policy.prefers_green:
        wanted = ((ProductKind.NOTE, True), (ProductKind.BILL, False))
    else:
        wanted = ((ProductKind.BILL, False),)
    order = sorted(inputs.products, key=lambda one: one.code)
    usable = [one for one in order if one.is_open_to_us]
    chosen = next(
        (one for kind, green in wanted for one in usable if _is(one, kind, green=green)), None
    )
    rejected = tuple(
        Rejected(product=one.code, why=_why_not(one, chosen, why_fallback))
        for one in order
        if one is not chosen
    )
    return chosen, rejected


def _is(product: Product, kind: ProductKind, *, green: bool) -> bool:
    return product.kind is kind and (product.is_green or not green)


def _why_not(product: Product, chosen: Product | None, why_fallback: str) -> str:
    if not product.is_open_to_us:
        return "NOT_OPEN_TO_THIS_COMPANY"
    if why_fallback and product.kind is not ProductKind.OVERNIGHT:
        return why_fallback
    if product.kind is ProductKind.OVERNIGHT and not why_fallback:
        return "RISK_ALLOWS_LONGER"
    if product.is_green and chosen is not None and not chosen.is_green:
        return "GREEN_NOT_PREFERRED"
    return "ANOTHER_IS_PREFERRED"


@dataclass(frozen=True, slots=True)
class _Step:
    """What was left after a constraint, and what it took away."""

    constraint: Constraint
    before: Decimal
    after: Decimal


def _steps(
    inputs: Inputs, product: Product, *, excess: Decimal, kept: Decimal
) -> tuple[_Step, ...]:
    """Walk from what could leave without any rule to what leaves, one constraint after another."""
    money, policy = inputs.money, inputs.policy
    free = max(ZERO, money.available - money.committed - money.in_flight)
    found = [_Step(Constraint.MINIMUM_BALANCE, free, excess)]

    def narrow(constraint: Constraint, most: Decimal) -> None:
        before = found[-1].after
        found.append(_Step(constraint, before, max(ZERO, min(before, most))))

    narrow(Constraint.BUFFER, excess - kept)
    is_term = product.kind is not ProductKind.OVERNIGHT
    if is_term and policy.keeps_term_liquidity and money.lowest is not None:
        narrow(Constraint.TERM_LIQUIDITY, money.lowest - money.minimum)
    if product.cap is not None:
        narrow(Constraint.CAP, product.cap - product.held)
    narrow(Constraint.INCREMENT, floor_to(found[-1].after, product.increment))
    amount = found[-1].after
    if amount < max(policy.minimum_sweep, product.minimum):
        narrow(Constraint.MINIMUM_SWEEP, ZERO)
    return tuple(found)


def _concluded(inputs: Inputs, draft: Outcome, product: Product, steps: Sequence[_Step]) -> Outcome:
    amount = steps[-1].after
    costs = _costs(inputs, draft.branch, product, steps)
    facts = {name: getattr(draft, name) for name in Outcome.__slots__} | {"costs": costs}
    if amount <= 0:
        small = steps[-1].constraint is Constraint.MINIMUM_SWEEP and steps[-1].before > 0
        reason = "BELOW_MINIMUM" if small else "NO_EXCESS"
        return Outcome(**facts | {"result": Result.NO_SWEEP, "reason": reason})
    days = days_for(inputs, product, amount)
    paid_out, interest = earned(product, amount, days)
    return Outcome(
        **facts
        | {
            "product": product.code,
            "amount": amount,
            "settles_on": days.settles_on,
            "matures_on": days.matures_on,
            "paid_out": paid_out,
            "interest": interest,
            "comes_back": paid_out + interest,
        }
    )


def _costs(
    inputs: Inputs, branch: Branch, product: Product, steps: Sequence[_Step]
) -> tuple[Cost, ...]:
    """Return what each binding constraint costs a day: what it kept back, at the product's rate.

    The limit on risk costs the difference to the bill that it ruled out.
    """
    found = [
        _cost(step.constraint, step.before - step.after, product.rate)
        for step in steps
        if step.before > step.after
    ]
    bills = [one.rate for one in inputs.products if one.kind is ProductKind.BILL]
    swept = steps[-1].after
    if branch is Branch.FALLBACK and bills and swept > 0 and max(bills) > product.rate:
        found.append(_cost(Constraint.VAR_LIMIT, swept, max(bills) - product.rate))
    return tuple(found)


def _cost(constraint: Constraint, amount: Decimal, rate: Decimal) -> Cost:
    per_day = (amount * rate / YEAR_DAYS).quantize(UNIT, ROUND_HALF_EVEN)
    return Cost(constraint=constraint, amount=amount, rate=rate, per_day=per_day)


def days_for(inputs: Inputs, product: Product, amount: Decimal) -> Days:
    """Return when the money leaves and comes back; a bill goes to the rung that lacks most.

    The order is taken to arrive at the window's cut-off, the latest that it can.
    """
    calendar = next(one for one in inputs.calendars if one.code == product.calendar)
    at = inputs.window.cutoff
    plain = days_of(at, product.terms, calendar)
    if product.kind is not ProductKind.BILL:
        return plain
    maturities = rungs(plain.settles_on, inputs.policy.ladder_days, calendar)
    wanted = emptiest_rung(maturities, inputs.ladder, amount)
    return days_of(at, product.terms, calendar, matures_on=wanted)


def emptiest_rung(maturities: Sequence[date], held: Sequence[Held], amount: Decimal) -> date:
    """Return the rung furthest below an equal share of what is held and `amount` together.

    Of rungs that lack the same the latest is taken: a new issue earns longest.
    """
    carried = {day: rung_total(day, maturities, held) for day in maturities}
    share = (sum(carried.values(), ZERO) + amount) / len(maturities)
    return max(maturities, key=lambda day: (share - carried[day], day))


def rung_total(day: date, maturities: Sequence[date], held: Sequence[Held]) -> Decimal:
    """Return what a rung carries: holdings that mature after the rung before it, up to its day."""
    position = list(maturities).index(day)
    after = maturities[position - 1] if position else date.min
    return sum((one.amount for one in held if after < one.matures_on <= day), ZERO)


def earned(product: Product, amount: Decimal, days: Days) -> tuple[Decimal, Decimal]:
    """Return what is paid out now and what is earned until the money is back, in whole cents.

    A bill of face `amount` is bought at face × (1 − rate × days / 360) and repaid at face; all
    others pay amount × rate × days / 360 on top. Both are rounded half to even, a bill's price
    down, so that the sum of price and interest is its face exactly.
    """
    grown = amount * product.rate * Decimal(days.count) / YEAR_DAYS
    if product.kind is ProductKind.BILL:
        price = (amount - grown).quantize(CENT, ROUND_DOWN)
        return price, amount - price
    return amount, grown.quantize(CENT, ROUND_HALF_EVEN)
