"""Collect what an account's forecast is made of, and give it a digest."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from calendars import selectors as calendars
from calendars.engine.days import CalendarData
from core import policies
from liquidity.constants import HISTORY_DAYS_MAX, HORIZON_DAYS_MAX, ROUND_THE_CLOCK
from liquidity.engine.forecast import NOTHING, ZERO, Gross, Inputs, PlanRule
from liquidity.engine.need import NeedBasis, days_to_cover
from liquidity.engine.occurrences import ROLL_DAYS_MAX
from liquidity.engine.pattern import VERSION
from liquidity.models import PayoutPlan, PayoutPlanQuerySet, PlanKind, RecurringPattern
from liquidity.policies import NEED_QUANTILE, PLAN_RULE
from liquidity.services.publishing import PATTERN, PAYOUT, due_days
from treasury.selectors import flows, positions
from treasury.selectors.positions import Available, DailyFlow

if TYPE_CHECKING:
    from treasury.models import BankAccount

ONE_DAY: Final = timedelta(days=1)
# Agreed movements of our own: their outflows, and inflows of today, are inside `available`.
FIRM: Final = frozenset({"TRANSFER", "DEAL", "SWEEP"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A forecast's inputs, what may be spent, and how many days the money must last."""

    inputs: Inputs
    funds: Available
    need_days: int
    basis: NeedBasis
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """The days a forecast looks at: complete past days, today, and the last day ahead."""

    past_start: date
    past_end: date
    today: date
    end: date


def gather(*, account: "BankAccount", now: datetime, horizon_days: int) -> Gathered:
    """Return everything an account's forecast needs; call after publishing its plans.

    Raises:
        CalendarUnknown: no calendar settles the currency.
        CalendarCoverageError: the calendar does not reach far enough.
    """
    today = now.astimezone(ZoneInfo(account.timezone)).date()
    calendar = calendars.settlement_calendar(account.currency)
    funds = positions.available(account_id=account.pk, on=today, now=now)
    need_days = days_to_cover(calendar, today)
    steps = min(max(horizon_days, need_days), HORIZON_DAYS_MAX)
    reaches_back = calendar.coverage_start + timedelta(days=ROLL_DAYS_MAX)
    since = max(today - timedelta(days=HISTORY_DAYS_MAX), min(reaches_back, today))
    booked = positions.daily_flows(account_id=account.pk, since=since, until=today)
    history = {one.day: Gross(inflow=one.inflow, outflow=one.outflow) for one in booked}
    span = _Span(
        past_start=min(history, default=today),
        past_end=_last_complete_day(account.timezone, funds, booked, today),
        today=today,
        end=today + timedelta(days=steps - 1),
    )
    inputs = _inputs(account, calendar, span, history, funds)
    basis = NeedBasis(policies.get(NEED_QUANTILE))
    return Gathered(
        inputs=inputs,
        funds=funds,
        need_days=need_days,
        basis=basis,
        digest=_digest(inputs, funds, need_days, basis),
    )


def _last_complete_day(
    zone: str, funds: Available, booked: Iterable[DailyFlow], today: date
) -> date:
    """Return the last day whose flows are all known: days nobody reported on are not empty days.

    A closing balance covers its day. Otherwise the day before the newest balance or booking.
    """
    found = [one.day - ONE_DAY for one in booked if one.day <= today]
    if funds.balance_as_of is not None:
        closes = funds.balance_code.startswith("CL")
        instant = funds.balance_as_of - (timedelta(microseconds=1) if closes else timedelta())
        day = instant.astimezone(ZoneInfo(zone)).date()
        found.append(day if closes else day - ONE_DAY)
    return min(max(found, default=today - ONE_DAY), today - ONE_DAY)


def _inputs(
    account: "BankAccount",
    calendar: CalendarData,
    span: _Span,
    history: dict[date, Gross],
    funds: Available,
) -> Inputs:
    has_past = bool(history) and span.past_start <= span.past_end
    start = span.past_start if has_past else span.today
    explained = _explained(account, start, span)
    extra, still_due = _extra(account.pk, span)
    seen_today = _less(explained.get(span.today, NOTHING), still_due)
    return Inputs(
        currency=account.currency,
        start=span.today,
        steps=(span.end - span.today).days + 1,
        history_start=span.past_start if has_past else None,
        history_end=span.past_end if has_past else None,
        history={day: gross for day, gross in history.items() if day <= span.past_end},
        known_past={day: gross for day, gross in explained.items() if day <= span.past_end},
        today=_less(history.get(span.today, NOTHING), seen_today),
        regular=_regular(account.pk, span),
        extra=extra,
        closed_days=_closed_days(calendar, start, span.end),
        opening=funds.amount + funds.floor,
        rule=PlanRule(policies.get(PLAN_RULE)),
    )


def _less(whole: Gross, part: Gross) -> Gross:
    return Gross(
        inflow=max(ZERO, whole.inflow - part.inflow),
        outflow=max(ZERO, whole.outflow - part.outflow),
    )


def _plus(amounts: Iterable[tuple[date, Decimal]]) -> dict[date, Gross]:
    """Add signed amounts up per day, inflows and outflows apart."""
    inflow: dict[date, Decimal] = defaultdict(lambda: ZERO)
    outflow: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for day, amount in amounts:
        inflow[day] += max(amount, ZERO)
        outflow[day] += max(-amount, ZERO)
    return {day: Gross(inflow=inflow[day], outflow=outflow[day]) for day in sorted(inflow)}


def _explained(account: "BankAccount", start: date, span: _Span) -> dict[date, Gross]:
    """Return what extra plans and patterns brought per day, from `start` to today."""
    plans = (
        PayoutPlan.objects.standing()
        .filter(account_id=account.pk, kind=PlanKind.EXTRA)
        .between(start, span.today)
    )
    amounts = [(plan.value_date, -plan.amount) for plan in plans]
    for pattern in RecurringPattern.objects.filter(account_id=account.pk):
        due = due_days(pattern, currency=account.currency, start=start, end=span.today)
        amounts += [(one.on, pattern.amount) for one in due]
    return _plus(amounts)


def _extra(account_id: UUID, span: _Span) -> tuple[dict[date, Gross], Gross]:
    """Return the known flows besides regular plans per day, and those of today not yet seen.

    The treasury's expected flows are the truth: what was matched to a booked entry is gone there.
    """
    regular = set(_regular_plans(account_id, span).values_list("source_ref", flat=True))
    amounts, due_today = [], []
    for flow in flows.expected(account_id=account_id, start=span.today, end=span.end):
        if flow.source == PAYOUT and flow.source_ref in regular:
            continue
        if flow.source in FIRM and (flow.amount < 0 or flow.value_date <= span.today):
            continue
        amounts.append((flow.value_date, flow.amount))
        if flow.value_date == span.today and flow.source in (PAYOUT, PATTERN):
            due_today.append((flow.value_date, flow.amount))
    return _plus(amounts), _plus(due_today).get(span.today, NOTHING)


def _regular_plans(account_id: UUID, span: _Span) -> PayoutPlanQuerySet:
    return (
        PayoutPlan.objects.planned()
        .filter(account_id=account_id, kind=PlanKind.REGULAR)
        .between(span.today, span.end)
    )


def _regular(account_id: UUID, span: _Span) -> dict[date, Decimal]:
    sums: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for plan in _regular_plans(account_id, span):
        sums[plan.value_date] += plan.amount
    return dict(sums)


def _closed_days(calendar: CalendarData, start: date, end: date) -> frozenset[date]:
    """Return the days without ordinary flows; payouts in some currencies never rest."""
    if calendar.currency in ROUND_THE_CLOCK:
        return frozenset()
    days = (start + step * ONE_DAY for step in range((end - start).days + 1))
    return frozenset(day for day in days if not calendar.is_open(day))


def _digest(inputs: Inputs, funds: Available, need_days: int, basis: NeedBasis) -> str:
    """Digest everything the result depends on; mappings are sorted first."""
    parts = [
        VERSION, inputs.currency, inputs.start, inputs.steps, inputs.history_start,
        inputs.history_end, sorted(inputs.history.items(), key=str),
        sorted(inputs.known_past.items(), key=str), inputs.today,
        sorted(inputs.regular.items()), sorted(inputs.extra.items(), key=str),
        sorted(inputs.closed_days), f"{inputs.opening:f}", f"{funds.amount:f}",
        f"{funds.floor:f}", funds.is_stale, need_days, inputs.rule.value, basis.value,
    ]  # fmt: skip
    return sha256(repr(parts).encode()).hexdigest()
