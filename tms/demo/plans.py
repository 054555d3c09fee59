"""What the demo pays in the coming two weeks: payout plans by day, and what comes back monthly."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from calendars import selectors as calendars
from calendars.engine.days import add_business_days
from liquidity import selectors as reads
from liquidity.services import planning
from tms.demo.accounts import DemoAccount

PLANNED_DAYS: Final = 14
NOISE: Final = 0.08
UNIT: Final = Decimal(1_000)
# Announced for the next days and larger than what the account has: the second shortfall to come.
EXTRA_ACCOUNT: Final = "GBP Payouts"
EXTRA_AMOUNT: Final = Decimal(4_800_000)
EXTRA_AFTER_BUSINESS_DAYS: Final = 2
PAYOUT_ACCOUNTS: Final = ("INR Payouts", "INR Payouts (Trust)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """How much was planned, newly and before."""

    plans_new: int
    plans_known: int
    patterns_new: int


def plan_ahead(
    *, accounts: Sequence[DemoAccount], ids: Mapping[str, UUID], seed: int, now: datetime
) -> Planned:
    """Plan the coming two weeks; days that are planned already stay as they are."""
    wanted = [plan for one in accounts for plan in _plans_of(one, ids[one.number], seed, now)]
    planned_before = {plan.source_ref for plan in reads.plans()}
    fresh = [plan for plan in wanted if plan.source_ref not in planned_before]
    if fresh:
        planning.plan_payouts(plans=fresh, now=now)
    patterns = _add_patterns(accounts, ids, now)
    return Planned(
        plans_new=len(fresh), plans_known=len(wanted) - len(fresh), patterns_new=patterns
    )


def _plans_of(
    one: DemoAccount, account_id: UUID, seed: int, now: datetime
) -> Iterator[planning.PlanIn]:
    today = now.astimezone(ZoneInfo(str(one.facts["timezone"]))).date()
    if one.role.label in PAYOUT_ACCOUNTS:
        for ahead in range(PLANNED_DAYS):
            yield _daily(one, account_id, seed, today + timedelta(days=ahead))
    if one.role.label == EXTRA_ACCOUNT and not _extra_is_planned(account_id, today):
        yield _extra(one, account_id, today)


def _daily(one: DemoAccount, account_id: UUID, seed: int, day: date) -> planning.PlanIn:
    rng = random.Random(f"{seed}:{one.number}:{day}:plan")  # noqa: S311 - reproducible figures
    factor = Decimal(str(round(rng.gauss(1, NOISE), 4)))
    amount = one.daily("outflow_daily") * one.weekday_weight(day.weekday()) * factor
    return planning.PlanIn(
        account_id=account_id,
        currency=one.currency,
        value_date=day,
        amount=max(UNIT, (amount / UNIT).quantize(Decimal(1)) * UNIT),
        description=f"Payouts to beneficiaries, {day:%a %d %b}",
        source_ref=f"PAYOUTS-{one.number[-6:]}-{day:%Y%m%d}",
    )


def _extra_is_planned(account_id: UUID, today: date) -> bool:
    ahead = reads.plans().filter(account_id=account_id, value_date__gte=today)
    return ahead.exclude(state="CANCELLED").exists()


def _extra(one: DemoAccount, account_id: UUID, today: date) -> planning.PlanIn:
    calendar = calendars.settlement_calendar(one.currency)
    day = add_business_days(calendar, today, EXTRA_AFTER_BUSINESS_DAYS)
    return planning.PlanIn(
        account_id=account_id,
        currency=one.currency,
        value_date=day,
        amount=EXTRA_AMOUNT,
        description="Partner settlement before a holiday campaign",
        source_ref=f"CAMPAIGN-{one.number[-6:]}-{day:%Y%m%d}",
        kind="EXTRA",
    )


def _add_patterns(accounts: Sequence[DemoAccount], ids: Mapping[str, UUID], now: datetime) -> int:
    known = set(reads.patterns().values_list("account_id", "name"))
    added = 0
    for one in accounts:
        for item in _monthly(one.facts["profile"]):
            if (ids[one.number], item["name"]) in known:
                continue
            planning.add_pattern(
                pattern=planning.PatternIn(
                    account_id=ids[one.number],
                    name=str(item["name"]),
                    amount=-Decimal(str(item["amount"])),
                    rule="MONTH_DAY",
                    month_day=int(item["day"]),
                    valid_from=now.date(),
                ),
                now=now,
            )
            added += 1
    return added


def _monthly(profile: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what an account pays every month, payroll first."""
    if payroll := profile.get("payroll"):
        yield {**payroll, "name": "Payroll"}
    for item in profile.get("standing", []):
        yield {**item, "name": str(item.get("text", "Standing order"))}
