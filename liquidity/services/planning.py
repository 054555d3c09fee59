"""Record what will be paid: single payouts by day, and flows that come back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from simple_history.utils import bulk_create_with_history

from core.errors import Invalid
from core.money import smallest_unit
from liquidity.constants import (
    DESCRIPTION_CHARS_MAX,
    PLAN_DAYS_AHEAD_MAX,
    PLANS_BATCH_MAX,
    REFERENCE_CHARS_MAX,
    WEEKDAY_MASK_MAX,
)
from liquidity.engine.occurrences import Adjust, RuleKind
from liquidity.errors import PatternUnknown, PlanClosed, PlanDiffers, PlanUnknown
from liquidity.models import PayoutPlan, PlanKind, PlanState, RecurringPattern
from liquidity.services.locking import take_turn
from liquidity.services.publishing import publish_expected_flows
from treasury.selectors import accounts

AMOUNT_MAX = Decimal(10) ** 16
NAME_CHARS_MAX = 70
MONTH_DAY_MAX = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanIn:
    """A payout to plan; `amount` is positive, `source_ref` is the payout system's own name."""

    account_id: UUID
    currency: str
    value_date: date
    amount: Decimal
    description: str
    source_ref: str
    kind: str = PlanKind.REGULAR


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPayouts:
    """What a batch came to: new plans, and those that were known with the same content."""

    created: tuple[PayoutPlan, ...] = field(default=())
    known: tuple[PayoutPlan, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternIn:
    """A flow that comes back; `amount` is signed, inflows are positive."""

    account_id: UUID
    name: str
    amount: Decimal
    rule: str
    valid_from: date
    adjust: str = Adjust.FOLLOWING
    weekday_mask: int = 0
    month_day: int = 0
    valid_to: date | None = None


@transaction.atomic
def plan_payouts(*, plans: Sequence[PlanIn], now: datetime) -> PlannedPayouts:
    """Record payouts to come, all or none; the same reference and content again changes nothing.

    Raises:
        AccountUnknown: an account does not exist.
        Invalid: a plan cannot be right; the message names its reference.
        PlanDiffers: a reference is in use for another payout, or for a cancelled one.
    """
    if not 1 <= len(plans) <= PLANS_BATCH_MAX:
        raise Invalid(f"Send 1 to {PLANS_BATCH_MAX} plans at a time.", field="plans")
    if len({plan.source_ref for plan in plans}) != len(plans):
        raise Invalid("A reference is used twice in the batch.", field="source_ref")
    take_turn("plans")
    refs = [plan.source_ref for plan in plans]
    known = {row.source_ref: row for row in PayoutPlan.objects.filter(source_ref__in=refs)}
    for plan in plans:
        if plan.source_ref in known:
            _check_same(known[plan.source_ref], plan)
    unknown = [plan for plan in plans if plan.source_ref not in known]
    for account_id in {plan.account_id for plan in unknown}:
        _check_account(account_id, [one for one in unknown if one.account_id == account_id], now)
    new = [_row(plan, now) for plan in unknown]
    created = bulk_create_with_history(new, PayoutPlan) if new else []
    for account_id in {plan.account_id for plan in new}:
        publish_expected_flows(account_id=account_id, now=now)
    return PlannedPayouts(created=tuple(created), known=tuple(known.values()))


def _check_account(account_id: UUID, plans: Sequence[PlanIn], now: datetime) -> None:
    account = accounts.account(account_id)
    if not account.is_active:
        raise Invalid(f"{account.label} is closed.", field="account_id")
    today = now.astimezone(ZoneInfo(account.timezone)).date()
    for plan in plans:
        for problem, name in _plan_problems(plan, currency=account.currency, today=today):
            if problem:
                raise Invalid(
                    f"Plan {plan.source_ref}: {problem}.", field=name, source_ref=plan.source_ref
                )


def _plan_problems(plan: PlanIn, *, currency: str, today: date) -> list[tuple[str, str]]:
    last = today + timedelta(days=PLAN_DAYS_AHEAD_MAX)
    in_time = today <= plan.value_date <= last
    return [
        ("" if plan.currency == currency else f"the account holds {currency}", "currency"),
        ("" if in_time else f"its day is not between {today} and {last}", "value_date"),
        (amount_problem(plan.amount, currency, signed=False), "amount"),
        ("" if plan.kind in PlanKind.values else f"{plan.kind} is no kind of plan", "kind"),
        (_length_problem(plan.source_ref, REFERENCE_CHARS_MAX), "source_ref"),
        (_length_problem(plan.description, DESCRIPTION_CHARS_MAX), "description"),
    ]


def _length_problem(text: str, limit: int) -> str:
    return "" if 1 <= len(text.strip()) <= limit else f"write 1 to {limit} characters"


def amount_problem(amount: Decimal, currency: str, *, signed: bool) -> str:
    """Return in words why an amount cannot be right, or nothing."""
    if not amount.is_finite() or amount == 0 or abs(amount) >= AMOUNT_MAX:
        return f"{amount} is no amount"
    if amount < 0 and not signed:
        return "a payout is stated as a positive amount"
    if amount != amount.quantize(smallest_unit(currency)):
        return f"{amount} has more decimals than {currency}"
    return ""


def _check_same(row: PayoutPlan, plan: PlanIn) -> None:
    names = ("account_id", "currency", "value_date", "amount", "description", "kind")
    differs = [name for name in names if getattr(row, name) != getattr(plan, name)]
    if differs or row.state == PlanState.CANCELLED:
        why = "was cancelled" if not differs else f"has another {differs[0]}"
        raise PlanDiffers(
            f"The plan {plan.source_ref} exists and {why}: use a new reference.",
            source_ref=plan.source_ref,
            differs=differs,
        )


def _row(plan: PlanIn, now: datetime) -> PayoutPlan:
    return PayoutPlan(
        account_id=plan.account_id,
        currency=plan.currency,
        value_date=plan.value_date,
        amount=plan.amount,
        kind=PlanKind(plan.kind),
        description=plan.description,
        source_ref=plan.source_ref,
        created_at=now,
    )


@transaction.atomic
def cancel_plan(*, plan_id: UUID | str, reason: str, now: datetime) -> PayoutPlan:
    """Withdraw a planned payout and the flow that was expected for it.

    Raises:
        PlanUnknown: there is no such plan.
        PlanClosed: it is done, or was cancelled before.
        Invalid: no reason.
    """
    found = PayoutPlan.objects.select_for_update().filter(pk=plan_id).first()
    if found is None:
        raise PlanUnknown("There is no such payout plan.", id=str(plan_id))
    if found.state != PlanState.PLANNED:
        raise PlanClosed(f"The plan is {found.get_state_display()}.", id=str(plan_id))
    if not 1 <= len(reason.strip()) <= DESCRIPTION_CHARS_MAX:
        raise Invalid(f"Say why, in 1 to {DESCRIPTION_CHARS_MAX} characters.", field="reason")
    found.cancel(at=now, reason=reason.strip())
    found.save(update_fields=["state", "closed_at", "closing_reason"])
    publish_expected_flows(account_id=found.account_id, now=now)
    return found


@transaction.atomic
def add_pattern(*, pattern: PatternIn, now: datetime) -> RecurringPattern:
    """Record a flow that comes back and expect its next occurrences.

    Raises:
        AccountUnknown: there is no such account.
        Invalid: the rule is incomplete, the period is reversed, or the amount cannot be right.
    """
    account = accounts.account(pattern.account_id)
    for problem, name in _pattern_problems(pattern, account.currency):
        if problem:
            raise Invalid(f"{pattern.name}: {problem}.", field=name)
    row = RecurringPattern(
        account_id=pattern.account_id,
        name=pattern.name.strip(),
        amount=pattern.amount,
        rule=RuleKind(pattern.rule).value,
        weekday_mask=pattern.weekday_mask,
        month_day=pattern.month_day,
        adjust=Adjust(pattern.adjust).value,
        valid_from=pattern.valid_from,
        valid_to=pattern.valid_to,
        created_at=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise Invalid("This account has a pattern of that name.", field="name") from error
    publish_expected_flows(account_id=account.pk, now=now)
    return row


def _pattern_problems(pattern: PatternIn, currency: str) -> list[tuple[str, str]]:
    kinds = [kind.value for kind in RuleKind]
    rolls = [kind.value for kind in Adjust]
    on_weekdays, on_month_day = pattern.rule == "WEEKDAYS", pattern.rule == "MONTH_DAY"
    mask_fits = pattern.weekday_mask in (range(1, WEEKDAY_MASK_MAX + 1) if on_weekdays else (0,))
    day_fits = pattern.month_day in (range(1, MONTH_DAY_MAX + 1) if on_month_day else (0,))
    ends_first = pattern.valid_to is not None and pattern.valid_to < pattern.valid_from
    return [
        (_length_problem(pattern.name, NAME_CHARS_MAX), "name"),
        (amount_problem(pattern.amount, currency, signed=True), "amount"),
        ("" if pattern.rule in kinds else f"a rule is one of {', '.join(kinds)}", "rule"),
        ("" if pattern.adjust in rolls else f"adjust is one of {', '.join(rolls)}", "adjust"),
        ("" if mask_fits else "weekdays go with the rule WEEKDAYS", "weekday_mask"),
        ("" if day_fits else "a day goes with the rule MONTH_DAY", "month_day"),
        ("it ends before it begins" if ends_first else "", "valid_to"),
    ]


@transaction.atomic
def stop_pattern(*, pattern_id: UUID | str, now: datetime) -> RecurringPattern:
    """Expect no more occurrences; the past ones keep explaining the past.

    Raises:
        PatternUnknown: there is no such pattern.
    """
    found = RecurringPattern.objects.select_for_update().filter(pk=pattern_id).first()
    if found is None:
        raise PatternUnknown("There is no such pattern.", id=str(pattern_id))
    if not found.is_active:
        return found
    account = accounts.account(found.account_id)
    yesterday = now.astimezone(ZoneInfo(account.timezone)).date() - timedelta(days=1)
    found.is_active = False
    ends = min(found.valid_to or yesterday, yesterday)
    found.valid_to = max(ends, found.valid_from)
    found.save(update_fields=["is_active", "valid_to"])
    publish_expected_flows(account_id=found.account_id, now=now)
    return found
