"""What the sweep page shows: today's windows, why money moves or stays, the ladder, the costs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from calendars import selectors as calendars
from core import policies
from core.errors import DomainError
from treasury.engine.sweep_picture import Bar, bars
from treasury.engine.sweep_records import inputs_of, outcome_of
from treasury.engine.sweep_windows import ZONE, Window, parse_cutoffs, rungs, windows_of
from treasury.engine.sweeps import Cost, Held, Inputs, Outcome, Result, decide, rung_total
from treasury.models import BankAccount, SweepDecision, SweepOrder
from treasury.policies import SWEEP_CUTOFFS_UTC, TARGET_LADDER_DAYS
from treasury.selectors import sweeps as reads

REASONS: Final = {
    "WITHIN_LIMIT": "the risk is within its limit",
    "VAR_ABOVE_LIMIT": "the value at risk is above its limit, so only overnight money is allowed",
    "VAR_MISSING": "no value at risk is known, so only overnight money is allowed",
    "VAR_STALE": "the value at risk is too old, so only overnight money is allowed",
    "VAR_TOO_FEW_OBSERVATIONS": "the value at risk rests on too few days, so only overnight money"
    " is allowed",
    "VAR_NOT_A_NUMBER": "the value at risk is no number, so only overnight money is allowed",
    "BASE_NOT_POSITIVE": "the account has nothing that could be at risk",
    "CLOSED_DAY": "the window's day is closed",
    "STALE_BALANCE": "the newest balance is too old: no decision",
    "NO_EXCESS": "nothing is left above what must stay",
    "BELOW_MINIMUM": "what is left is less than is worth a sweep",
    "NO_PRODUCT": "no product is open to this company",
    "GREEN_NOT_PREFERRED": "the green product is not preferred",
    "RISK_ALLOWS_LONGER": "the risk allows more than overnight",
    "NOT_OPEN_TO_THIS_COMPANY": "not open to this company",
    "ANOTHER_IS_PREFERRED": "another product comes first",
}
COSTS: Final = {
    "MINIMUM_BALANCE": "Minimum balance",
    "BUFFER": "Liquidity buffer",
    "TERM_LIQUIDITY": "Needed before the ladder ends",
    "CAP": "Cap of the product",
    "INCREMENT": "Rounded down to the increment",
    "MINIMUM_SWEEP": "Smallest sweep",
    "VAR_LIMIT": "Limit on risk",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One constraint in words, what it keeps back, and dollars a day."""

    words: str
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the next window would do with an account, decided on what is known now."""

    account: BankAccount
    outcome: Outcome | None
    sentence: str
    standing: SweepOrder | None
    bars: tuple[Bar, ...]
    costs: tuple[CostLine, ...]

    @property
    def holds_bills(self) -> bool:
        """Return whether any rung of the ladder holds something."""
        return any(one.amount > 0 for one in self.bars)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The sweep page; `problem` says why no window can be named."""

    windows: tuple[Window, ...]
    next_window: Window | None
    previews: tuple[Preview, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One stored decision, read back."""

    decision: SweepDecision
    order: SweepOrder | None
    inputs: Inputs
    universe: str
    outcome: Outcome
    sentence: str
    rejected: tuple[tuple[str, str], ...]
    costs: tuple[CostLine, ...]


def page(*, now: datetime) -> Page:
    """Return the sweep page as of `now`."""
    try:
        cutoffs = parse_cutoffs(policies.get(SWEEP_CUTOFFS_UTC))
        calendar = calendars.calendar_data(reads.HOUSE_CALENDAR)
        found = reads.next_window(now=now)
        windows = windows_of(now.astimezone(ZONE).date(), cutoffs, calendar)
    except DomainError as refusal:
        return Page(windows=(), next_window=None, previews=(), problem=refusal.message)
    return Page(
        windows=windows,
        next_window=found,
        previews=tuple(
            _preview(account, found, now=now) for account in reads.swept_accounts(on=found.day)
        ),
    )


def _preview(account: BankAccount, window: Window, *, now: datetime) -> Preview:
    standing = (
        reads.orders()
        .filter(account=account, cutoff_at=window.cutoff)
        .exclude(state="FAILED")
        .first()
    )
    try:
        inputs = reads.inputs_for(account=account, window=window, now=now, besides=standing)
    except DomainError as refusal:
        return Preview(
            account=account, outcome=None, sentence=refusal.message, standing=standing, bars=(),
            costs=(),
        )  # fmt: skip
    outcome = outcome_of(standing.decision.record) if standing else decide(inputs)
    return Preview(
        account=account,
        outcome=outcome,
        sentence=sentence_of(outcome),
        standing=standing,
        bars=_bars(account, inputs),
        costs=cost_lines(outcome),
    )


def _bars(account: BankAccount, inputs: Inputs) -> tuple[Bar, ...]:
    """Draw the rungs that are ahead, filled with what is held."""
    calendar = next(one for one in inputs.calendars if one.code == reads.HOUSE_CALENDAR)
    mine = rungs(inputs.window.day, policies.get(TARGET_LADDER_DAYS), calendar)
    held = tuple(
        Held(matures_on=one.matures_on, amount=one.amount)
        for one in reads.ladder_of(account=account, on=inputs.window.day)
    )
    return bars([(day, rung_total(day, mine, held)) for day in mine])


def story(decision: SweepDecision) -> Story:
    """Return a stored decision with its words.

    Raises:
        Invalid: its record cannot be read.
    """
    outcome, universe = outcome_of(decision.record), reads.universe_of(decision)
    return Story(
        decision=decision,
        order=reads.orders().filter(decision=decision).first(),
        inputs=inputs_of(decision.record, universe),
        universe=universe,
        outcome=outcome,
        sentence=sentence_of(outcome),
        rejected=tuple((one.product, words_of(one.why)) for one in outcome.rejected),
        costs=cost_lines(outcome),
    )


def sentence_of(outcome: Outcome) -> str:
    """Say in one sentence what moves and why."""
    why = words_of(outcome.reason)
    if outcome.result is not Result.SWEEP:
        return f"Nothing moves: {why}."
    kept = f"; {outcome.target_float:,.2f} USD stay" if outcome.target_float > 0 else ""
    return (
        f"{outcome.amount:,.2f} USD go into {outcome.product} on {outcome.settles_on} and are back"
        f" on {outcome.matures_on}{kept}: {why}."
    )


def words_of(reason: str) -> str:
    """Return a reason in words."""
    return REASONS.get(reason, reason)


def cost_lines(outcome: Outcome) -> tuple[CostLine, ...]:
    """Return what each constraint costs, in words."""
    return tuple(
        CostLine(words=COSTS.get(one.constraint.value, one.constraint.value), cost=one)
        for one in outcome.costs
    )
