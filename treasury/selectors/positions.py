"""How much money there is: per account, by value date, with the age and source of every figure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core import clock
from treasury.engine.pool_pairs import BAI2_CODES, CODES
from treasury.engine.positions import (
    AVAILABLE_CODES,
    BOOKED_ORDER,
    HEADLINE_ORDER,
    ZERO,
    Awaited,
    Moved,
    PositionDay,
    booked_ahead,
    booked_position,
    ladder,
    pending_until,
)
from treasury.models import BankAccount, FlowSource
from treasury.selectors import accounts as account_selectors
from treasury.selectors import ledger
from treasury.selectors.accounts import Held
from treasury.selectors.ledger import Base

# Movements that are agreed, as opposed to forecast: they reserve or promise money.
FIRM_SOURCES: Final = (FlowSource.TRANSFER, FlowSource.DEAL, FlowSource.SWEEP)
ALL_SOURCES: Final = tuple(FlowSource)
LADDER_DAYS_MAX: Final = 400
# A spot deal settles within these days, weekend and holidays included.
DEAL_HOLD_DAYS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """What may be spent from an account, and which stated balance that is reckoned from.

    `amount` is the balance without an included credit line, plus what was booked since, plus firm
    inflows, minus firm outflows (`holds`), minus the floor. It may be negative.
    """

    account_id: UUID
    currency: str
    amount: Decimal
    balance: Decimal | None
    balance_code: str
    balance_as_of: datetime | None
    statement_id: UUID | None
    message_id: UUID | None
    source: str
    credit_line_included: Decimal
    booked_since: Decimal
    booked_ahead: Decimal
    holds: Decimal
    inbound: Decimal
    floor: Decimal
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPosition:
    """An account's position at the end of a day, by value date, and where it comes from."""

    account_id: UUID
    label: str
    number_hint: str
    bank: str
    entity_id: UUID
    entity: str
    currency: str
    on: date
    balance: Decimal | None
    balance_code: str
    balance_as_of: datetime | None
    age_seconds: int | None
    is_stale: bool
    source: str
    flags: tuple[str, ...]
    statement_id: UUID | None
    message_id: UUID | None
    locator: str
    booked: Decimal
    pending: Decimal
    expected_in: Decimal
    expected_out: Decimal
    projected: Decimal
    floor: Decimal
    overdraft_limit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotal:
    """One currency over all accounts; `usd` is None where no fresh rate is known."""

    currency: str
    booked: Decimal
    projected: Decimal
    usd: Decimal | None
    rate: Decimal | None
    rate_as_of: datetime | None
    accounts: int
    has_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """All currencies at one set of rates; those without a rate are named, never counted as zero."""

    on: date
    currencies: tuple[CurrencyTotal, ...]
    usd: Decimal
    without_rate: tuple[str, ...]
    has_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyFlow:
    """What came from and went to others on one value date; `outflow` is positive."""

    day: date
    inflow: Decimal
    outflow: Decimal


def available(*, account_id: UUID | str, on: date, now: datetime) -> Available:
    """Return what may be spent from one account on `on`.

    Raises:
        AccountUnknown: there is none.
    """
    account = account_selectors.account(account_id)
    return available_many([account], on=on, now=now)[account.pk]


def available_many(
    accounts: Iterable[Held],
    *,
    on: date,
    now: datetime,
    sources: Sequence[str] = FIRM_SOURCES,
) -> dict[UUID, Available]:
    """Return what may be spent from each account on `on`, in three queries.

    `sources` are the expectations that count as firm. Of what deals pay out, what is due within
    `DEAL_HOLD_DAYS` is held; what a forward pays later is not today's money.
    """
    listed = list(accounts)
    ids = [account.pk for account in listed]
    bases = ledger.bases(ids, codes=HEADLINE_ORDER, now=now)
    moved = ledger.movements(ids, bases, start=on)
    firm = ledger.awaited(
        ids, sources=sources, today=on, deals_until=on + timedelta(days=DEAL_HOLD_DAYS)
    )
    return {
        account.pk: _available(
            account, bases.get(account.pk), moved[account.pk], firm[account.pk], on=on, now=now
        )
        for account in listed
    }


def _available(
    account: Held,
    base: Base | None,
    moved: Sequence[Moved],
    firm: Sequence[Awaited],
    *,
    on: date,
    now: datetime,
) -> Available:
    stated = base.amount if base else ZERO
    line = base.credit_line_included if base else ZERO
    if base is not None and base.code in AVAILABLE_CODES:
        # What the bank calls available leaves later value dates out by itself.
        moved = [one for one in moved if not one.in_base]
    since = booked_position(ZERO, moved, on=on)
    inbound = sum((flow.inflow for flow in firm if flow.value_date <= on), ZERO)
    holds = -sum((flow.outflow for flow in firm), ZERO)
    floor = floor_of(account)
    return Available(
        account_id=account.pk,
        currency=account.currency,
        amount=stated - line + since + inbound - holds - floor,
        balance=base.amount if base else None,
        balance_code=base.code if base else "",
        balance_as_of=base.as_of if base else None,
        statement_id=base.statement_id if base else None,
        message_id=base.message_id if base else None,
        source=base.source if base else "",
        credit_line_included=line,
        booked_since=since,
        booked_ahead=booked_ahead(moved, on=on),
        holds=holds,
        inbound=inbound,
        floor=floor,
        is_stale=_is_stale(account, base, now=now),
    )


def floor_of(account: Held) -> Decimal:
    """Return what must stay on an account."""
    return account.min_balance + account.required_collateral


def _is_stale(account: Held, base: Base | None, *, now: datetime) -> bool:
    if base is None:
        return True
    return now - base.as_of > timedelta(hours=account.statement_hours_expected)


def position_ladder(*, account_id: UUID | str, start: date, days: int) -> list[PositionDay]:
    """Return the position of one account day by day, by value date.

    Raises:
        AccountUnknown: there is none.
    """
    account = account_selectors.account(account_id)
    ids = [account.pk]
    bases = ledger.bases(ids, codes=BOOKED_ORDER, now=clock.now())
    base = bases.get(account.pk)
    return ladder(
        base=base.amount if base else ZERO,
        moved=ledger.movements(ids, bases, start=start)[account.pk],
        awaited=ledger.awaited(ids, sources=ALL_SOURCES, today=start)[account.pk],
        start=start,
        days=min(days, LADDER_DAYS_MAX),
    )


def positions(*, on: date, accounts: Iterable[BankAccount] | None = None) -> list[AccountPosition]:
    """Return the position of every account (or of those given) at the end of `on`."""
    now = clock.now()
    listed = list(account_selectors.accounts() if accounts is None else accounts)
    ids = [account.pk for account in listed]
    bases = ledger.bases(ids, codes=BOOKED_ORDER, now=now)
    moved = ledger.movements(ids, bases, start=on)
    flows = ledger.awaited(ids, sources=ALL_SOURCES, today=on)
    return [
        _position(
            account, bases.get(account.pk), moved[account.pk], flows[account.pk], on=on, now=now
        )
        for account in listed
    ]


def _position(
    account: BankAccount,
    base: Base | None,
    moved: Sequence[Moved],
    flows: Sequence[Awaited],
    *,
    on: date,
    now: datetime,
) -> AccountPosition:
    booked = booked_position(base.amount if base else ZERO, moved, on=on)
    pending = pending_until(moved, on=on)
    expected_in = sum((flow.inflow for flow in flows if flow.value_date <= on), ZERO)
    expected_out = sum((flow.outflow for flow in flows if flow.value_date <= on), ZERO)
    return AccountPosition(
        account_id=account.pk,
        label=account.label,
        number_hint=account.number_hint,
        bank=account.bank.name,
        entity_id=account.entity_id,
        entity=account.entity.name,
        currency=account.currency,
        on=on,
        balance=base.amount if base else None,
        balance_code=base.code if base else "",
        balance_as_of=base.as_of if base else None,
        age_seconds=int((now - base.as_of).total_seconds()) if base else None,
        is_stale=_is_stale(account, base, now=now),
        source=base.source if base else "",
        flags=base.flags if base else (),
        statement_id=base.statement_id if base else None,
        message_id=base.message_id if base else None,
        locator=base.locator if base else "",
        booked=booked,
        pending=pending,
        expected_in=expected_in,
        expected_out=expected_out,
        projected=booked + pending + expected_in + expected_out,
        floor=floor_of(account),
        overdraft_limit=account.overdraft_limit,
    )


def totals(*, on: date, of: Sequence[AccountPosition] | None = None) -> Totals:
    """Return the position per currency and in dollars, at one set of rates."""
    found = positions(on=on) if of is None else of
    rates = account_selectors.usd_rates(now=clock.now())
    by_currency: dict[str, list[AccountPosition]] = defaultdict(list)
    for one in found:
        by_currency[one.currency].append(one)
    rows = []
    for currency, ours in sorted(by_currency.items()):
        projected = sum((one.projected for one in ours), ZERO)
        rate = rates.get(currency)
        rows.append(
            CurrencyTotal(
                currency=currency,
                booked=sum((one.booked for one in ours), ZERO),
                projected=projected,
                usd=account_selectors.in_usd(projected, rate) if rate else None,
                rate=rate.usd_per_unit if rate else None,
                rate_as_of=rate.as_of if rate else None,
                accounts=len(ours),
                has_stale=any(one.is_stale for one in ours),
            )
        )
    return Totals(
        on=on,
        currencies=tuple(rows),
        usd=sum((row.usd for row in rows if row.usd is not None), ZERO),
        without_rate=tuple(row.currency for row in rows if row.usd is None),
        has_stale=any(row.has_stale for row in rows),
    )


_DAILY: Final = """
SELECT e.value_date, coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0),
       coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0)
  FROM treasury_bankentry e
 WHERE e.account_id = %(account)s AND e.state = 'COUNTED' AND e.status = 'BOOK'
   AND e.value_date BETWEEN %(since)s AND %(until)s
   AND NOT EXISTS (SELECT 1 FROM treasury_transfer t
                    WHERE t.debit_entry_id = e.id OR t.credit_entry_id = e.id
                       OR t.end_to_end_id = nullif(e.end_to_end_id, ''))
   AND NOT EXISTS (SELECT 1 FROM treasury_sweeporder o
                    WHERE o.account_id = e.account_id
                      AND o.order_id = nullif(e.end_to_end_id, ''))
   AND NOT (e.transaction_code = ANY(%(codes)s))
   AND NOT (e.best_source LIKE 'BAI2%%' AND e.transaction_code = ANY(%(bai2)s))
   AND upper(e.counterparty) NOT IN (SELECT upper(name) FROM treasury_legalentity)
 GROUP BY e.value_date ORDER BY e.value_date
"""


def daily_flows(*, account_id: UUID | str, since: date, until: date) -> list[DailyFlow]:
    """Return what came from and went to others per value date; own transfers are left out.

    A transfer is our own when it is one of ours, or when the counterparty is one of our companies;
    sweeps and their returns are our own money too, and so is what a bank moves to balance accounts.
    """
    facts: dict[str, Any] = {
        "account": account_id,
        "since": since,
        "until": until,
        "codes": list(CODES),
        "bai2": list(BAI2_CODES),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DAILY, facts)
        return [DailyFlow(day=row[0], inflow=row[1], outflow=row[2]) for row in cursor.fetchall()]
