"""Collect what the accounts' figures are made of: flows, business days, balances, policies."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from calendars import selectors as calendars
from calendars.engine.days import CalendarData
from calendars.errors import CalendarCoverageError
from core import policies
from risk.constants import BACKTEST_DAYS, CALENDAR_DAYS_PER_FIVE
from risk.engine.series import ONE_DAY, Observation, business_days
from risk.engine.tails import Quantile
from risk.models import Missing
from risk.policies import (
    VAR_BASE,
    VAR_CONFIDENCE,
    VAR_QUANTILE,
    VAR_WINDOW_DAYS,
)
from treasury.policies import VAR_LIMIT_BPS, VAR_OBSERVATIONS_MIN
from treasury.selectors import netflows, positions

if TYPE_CHECKING:
    from treasury.models import BankAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What is measured: which quantile of how many days, as a share of what, and the limit."""

    quantile: Quantile
    confidence: Decimal
    window_days: int
    observations_min: int
    base_kind: str
    limit_bps: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """One account's inputs for one day; `observations` are earlier than `day`, oldest first.

    There are more of them than the window holds: the days before it are for the backtest.
    """

    account: "BankAccount"
    day: date
    is_today: bool
    observations: tuple[Observation, ...]
    base: Decimal | None
    problem: Missing | None
    digest: str

    def window(self, definition: Definition) -> tuple[Observation, ...]:
        """Return the observations that the figure rests on."""
        return self.observations[-definition.window_days :]


def definition() -> Definition:
    """Return what the tenant's policies say now."""
    window = policies.get(VAR_WINDOW_DAYS)
    return Definition(
        quantile=Quantile(policies.get(VAR_QUANTILE)),
        confidence=policies.get(VAR_CONFIDENCE),
        window_days=window,
        observations_min=min(policies.get(VAR_OBSERVATIONS_MIN), window),
        base_kind=policies.get(VAR_BASE),
        limit_bps=policies.get(VAR_LIMIT_BPS),
    )


def gather(
    accounts: Sequence["BankAccount"], *, wanted: Definition, now: datetime, day: date | None
) -> list[Gathered]:
    """Return the inputs of each account for `day`, or for today in its own zone.

    A day ahead of an account is taken as its today. Flows, days and balances of all accounts are
    read together.
    """
    days = {one.pk: _day_of(one, now=now, day=day) for one in accounts}
    if not days:
        return []
    # The forecast of the first tested day needs a window of its own.
    back = (wanted.window_days + BACKTEST_DAYS) * CALENDAR_DAYS_PER_FIVE // 5
    since = min(days.values()) - timedelta(days=back)
    flows = netflows.net_flows(list(days), since=since, until=max(days.values()) - ONE_DAY)
    by_currency = {one.currency: one for one in calendars.settlement_calendars().values()}
    bases = _bases(accounts, days, wanted=wanted, now=now)
    return [
        _gathered(
            account,
            flows[account.pk],
            by_currency.get(account.currency),
            base=bases[account.pk],
            at=(days[account.pk], now),
            wanted=wanted,
        )
        for account in accounts
    ]


def _day_of(account: "BankAccount", *, now: datetime, day: date | None) -> date:
    today = _today(account, now)
    return today if day is None else min(day, today)


def _today(account: "BankAccount", now: datetime) -> date:
    return now.astimezone(ZoneInfo(account.timezone)).date()


def _bases(
    accounts: Sequence["BankAccount"],
    days: Mapping[UUID, date],
    *,
    wanted: Definition,
    now: datetime,
) -> dict[UUID, Decimal | None]:
    """Return each balance as it stood: now, or when a day that is over began."""
    moments: dict[tuple[date, datetime], list[BankAccount]] = defaultdict(list)
    for account in accounts:
        day = days[account.pk]
        began = datetime.combine(day, time.min, ZoneInfo(account.timezone))
        moments[day, now if day == _today(account, now) else began].append(account)
    found: dict[UUID, Decimal | None] = {}
    for (day, at), listed in moments.items():
        for pk, funds in positions.available_many(listed, on=day, now=at).items():
            spendable = None if funds.balance is None else funds.amount + funds.floor
            found[pk] = spendable if wanted.base_kind == "available_balance" else funds.balance
    return found


def _gathered(
    account: "BankAccount",
    flows: netflows.NetFlows,
    calendar: CalendarData | None,
    *,
    base: Decimal | None,
    at: tuple[date, datetime],
    wanted: Definition,
) -> Gathered:
    day, now = at
    observations, problem = _observed(flows, calendar, day=day, wanted=wanted)
    return Gathered(
        account=account,
        day=day,
        is_today=day == _today(account, now),
        observations=observations,
        base=base,
        problem=problem,
        digest=_digest(observations, base=base, day=day, wanted=wanted),
    )


def _observed(
    flows: netflows.NetFlows, calendar: CalendarData | None, *, day: date, wanted: Definition
) -> tuple[tuple[Observation, ...], Missing | None]:
    """Return the business days before `day` as far as they are known, or why there are none."""
    if calendar is None:
        return (), Missing.NO_CALENDAR
    if flows.first is None or flows.last is None:
        return (), Missing.TOO_FEW
    first = max(flows.first, calendar.coverage_start)
    last = min(flows.last, day - ONE_DAY)
    try:
        found = business_days(flows.by_day, calendar=calendar, first=first, last=last)
    except CalendarCoverageError:
        return (), Missing.NO_CALENDAR
    kept = tuple(found[-(wanted.window_days + BACKTEST_DAYS) :])
    return kept, Missing.TOO_FEW if len(kept) < wanted.observations_min else None


def _digest(
    observations: Sequence[Observation], *, base: Decimal | None, day: date, wanted: Definition
) -> str:
    parts = [
        day,
        wanted.quantile.value,
        f"{wanted.confidence:f}",
        wanted.window_days,
        wanted.observations_min,
        wanted.base_kind,
        f"{wanted.limit_bps.normalize():f}",
        None if base is None else f"{base:f}",
        [(f"{one.day}", f"{one.amount:f}") for one in observations],
    ]
    return sha256(repr(parts).encode()).hexdigest()
