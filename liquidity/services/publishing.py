"""Plans and patterns become expected flows of the treasury; what no longer stands is withdrawn."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from calendars import selectors as calendars
from calendars.engine.days import EVERY_DAY, BusinessCalendar
from liquidity.constants import PUBLISH_DAYS
from liquidity.engine.occurrences import Adjust, Occurrence, Rule, RuleKind, occurrences
from liquidity.models import PayoutPlan, RecurringPattern
from liquidity.services.locking import take_turn
from treasury.selectors import accounts
from treasury.services import flows
from treasury.services.flows import FlowIn

PAYOUT: Final = "PAYOUT"
PATTERN: Final = "PATTERN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """How many flows of each source the treasury now expects, and how many plans were closed."""

    payouts: int
    patterns: int
    closed_plans: int


@transaction.atomic
def publish_expected_flows(*, account_id: UUID | str, now: datetime) -> Published:
    """Make the treasury expect exactly what is planned from today on; again changes nothing.

    Cancelled plans and stopped patterns are withdrawn. A plan whose day has passed is done: its
    payments are in the statements, often as many small entries, so its flow is withdrawn as well.

    Raises:
        AccountUnknown: there is no such account.
        CalendarUnknown: a pattern is moved by a calendar that the currency does not have.
    """
    account = accounts.account(account_id)
    take_turn(f"flows:{account.pk}")
    today = now.astimezone(ZoneInfo(account.timezone)).date()
    end = today + timedelta(days=PUBLISH_DAYS)
    closed = _close_past_plans(account.pk, today=today, now=now)
    payouts = [_payout(plan) for plan in _plans(account.pk, today, end)]
    recurring = [
        _recurring(pattern, due)
        for pattern in RecurringPattern.objects.active().filter(account_id=account.pk)
        for due in due_days(pattern, currency=account.currency, start=today, end=end)
    ]
    for source, found in ((PAYOUT, payouts), (PATTERN, recurring)):
        flows.replace_flows(account_id=account.pk, source=source, flows=found, start=today, end=end)
    return Published(payouts=len(payouts), patterns=len(recurring), closed_plans=closed)


def due_days(
    pattern: RecurringPattern, *, currency: str, start: date, end: date
) -> list[Occurrence]:
    """Return when a pattern falls due from `start` to `end`.

    Raises:
        CalendarUnknown: it is moved by a calendar that the currency does not have.
    """
    rule = Rule(
        kind=RuleKind(pattern.rule),
        adjust=Adjust(pattern.adjust),
        valid_from=pattern.valid_from,
        valid_to=pattern.valid_to,
        weekday_mask=pattern.weekday_mask,
        month_day=pattern.month_day,
    )
    calendar: BusinessCalendar = EVERY_DAY
    if rule.adjust is not Adjust.NONE:
        calendar = calendars.settlement_calendar(currency)
    return occurrences(rule, calendar=calendar, start=start, end=end)


def reference_of(pattern: RecurringPattern, due: Occurrence) -> str:
    """Return what names one occurrence for good, also when its calendar day moves."""
    return f"{pattern.pk}:{due.nominal}"


def _plans(account_id: UUID, start: date, end: date) -> list[PayoutPlan]:
    return list(PayoutPlan.objects.planned().filter(account_id=account_id).between(start, end))


def _close_past_plans(account_id: UUID, *, today: date, now: datetime) -> int:
    past = (
        PayoutPlan.objects.select_for_update()
        .planned()
        .filter(account_id=account_id, value_date__lt=today)
    )
    count = 0
    for plan in past:
        plan.complete(at=now)
        plan.save(update_fields=["state", "closed_at"])
        flows.cancel_flow(account_id=account_id, source=PAYOUT, source_ref=plan.source_ref)
        count += 1
    return count


def _payout(plan: PayoutPlan) -> FlowIn:
    return FlowIn(
        account_id=plan.account_id,
        source=PAYOUT,
        source_ref=plan.source_ref,
        amount=-plan.amount,
        value_date=plan.value_date,
        description=plan.description,
    )


def _recurring(pattern: RecurringPattern, due: Occurrence) -> FlowIn:
    return FlowIn(
        account_id=pattern.account_id,
        source=PATTERN,
        source_ref=reference_of(pattern, due),
        amount=pattern.amount,
        value_date=due.on,
        description=pattern.name,
    )
