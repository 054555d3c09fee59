"""Exposure of each currency now: need and money from the treasury, hedges from our deals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from calendars import selectors as calendars
from calendars.engine.days import BusinessCalendar
from calendars.errors import CalendarUnknown
from core import policies
from fx import policies as knobs
from fx.engine.exposure import (
    ZERO,
    Cap,
    Denominator,
    Exposure,
    cap_of,
    exposure_of,
    is_breach,
    is_overhedged,
)
from fx.engine.pairs import USD
from fx.models import STANDING, DealLeg, DealState, ExposureAlarm, LegState, SettlementNet
from fx.selectors import curves, rates
from treasury.selectors import accounts, flows, positions, statements
from treasury.selectors.accounts import Holding

# What a payout or a plan takes out; transfers of ours are counted as money, not as need.
NEEDS: Final = ("PAYOUT", "PATTERN", "FORECAST", "MANUAL")
MONEY: Final = tuple(one for one in positions.FIRM_SOURCES if one != "DEAL")
HEDGING: Final = (DealState.EXECUTED, DealState.CONFIRMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A currency's exposure, its cap, and what that means; `is_stale`: a balance is too old."""

    currency: str
    exposure: Exposure
    cap: Cap
    limit: Decimal
    is_stale: bool
    is_breached: bool
    is_warned: bool
    is_overhedged: bool
    as_of: datetime


def board(*, now: datetime) -> list[Board]:
    """Return the exposure of every currency that is dealt, the dollar left out.

    Raises:
        CalendarUnknown: a currency has no calendar.
        CalendarCoverageError: a calendar does not reach far enough.
    """
    return _boards([one for one in rates.currencies() if one != USD], now=now)


def of_currency(currency: str, *, now: datetime) -> Board:
    """Return the exposure of one currency.

    Raises:
        CalendarUnknown: the currency has no calendar.
        CalendarCoverageError: its calendar does not reach far enough.
    """
    return _boards([currency], now=now)[0]


def _boards(wanted: Sequence[str], *, now: datetime) -> list[Board]:
    """Return the exposure of currencies; those whose caps cover the same days are read at once."""
    caps = {one: cap_of(one, calendar, now) for one, calendar in _calendars(wanted).items()}
    accounts_of: dict[str, list[Holding]] = {one: [] for one in wanted}
    for account in accounts.holdings(wanted):
        accounts_of[account.currency].append(account)
    days = dict.fromkeys((cap.day, cap.until) for cap in caps.values())
    found: dict[str, Board] = {}
    for day, until in days:
        alike = [one for one in wanted if (caps[one].day, caps[one].until) == (day, until)]
        held = [account for one in alike for account in accounts_of[one]]
        # What deals bring is counted as bought, not as money that is there.
        available = positions.available_many(held, on=until, now=now, sources=MONEY)
        required = flows.outflows(
            [account.pk for account in held], start=day, end=until, sources=NEEDS
        )
        hedged = _hedged(alike, day=day, until=until)
        for one in alike:
            there = [available[account.pk] for account in accounts_of[one]]
            exposed = exposure_of(
                required=required.get(one, ZERO),
                prefunded=sum((account.amount for account in there), ZERO),
                hedged=hedged[one],
                denominator=Denominator(policies.get(knobs.EXPOSURE_DENOMINATOR)),
            )
            is_stale = any(account.is_stale for account in there)
            found[one] = _board(one, exposed, caps[one], is_stale=is_stale, now=now)
    return [found[one] for one in wanted]


def _calendars(wanted: Sequence[str]) -> dict[str, BusinessCalendar]:
    if len(wanted) == 1:
        return {wanted[0]: calendars.settlement_calendar(wanted[0])}
    known = curves.calendars_by_currency()
    for one in wanted:
        if one not in known:
            raise CalendarUnknown(f"No calendar settles {one}.", currency=one)
    return {one: known[one] for one in wanted}


def _board(currency: str, found: Exposure, cap: Cap, *, is_stale: bool, now: datetime) -> Board:
    limit = policies.get(knobs.MAX_OPEN_EXPOSURE_PCT)
    return Board(
        currency=currency,
        exposure=found,
        cap=cap,
        limit=limit,
        is_stale=is_stale,
        is_breached=is_breach(found, cap, limit=limit),
        is_warned=not cap.is_armed and found.share > limit,
        is_overhedged=is_overhedged(found, limit=policies.get(knobs.OVERHEDGED_PCT)),
        as_of=now,
    )


def _hedged(wanted: Sequence[str], *, day: date, until: date) -> dict[str, Decimal]:
    """Return what was bought less what was sold on deals that settle while the caps look.

    A deal of a day before has come as money, or has failed: the balance speaks for it, and what
    was paid out of it since is gone. On the value date the deal counts until the bank has booked
    its very amount on its account, from then on the balance does; never both. (Where the bank
    keeps a fee back from the amount, both count until that day is over.) A non-deliverable
    forward counts until it is fixed: it pays no rupees, but covers their price. Where a leg was
    replaced, its own day and account count.
    """
    moved = _moved(wanted, day=day)
    moves = _moves(wanted, day=day, until=until, moved=[deal_id for deal_id, _ in moved])
    settled = _settled_legs([move.deal_id for move in moves], wanted) if moves else set()
    booked: dict[UUID, Counter[Decimal]] = {}
    total = dict.fromkeys(wanted, ZERO)
    for move in moves:
        if move.is_paid:
            amount = move.amount
            on, account_id = moved.get(
                (move.deal_id, move.currency), (move.value_date, move.account_id)
            )
            if not day <= on <= until:
                continue
            if account_id not in booked:
                booked[account_id] = _booked_otherwise(account_id, day=day, until=until)
            if (move.deal_id, move.currency) in settled:
                continue
            if booked[account_id][amount] > 0:
                booked[account_id][amount] -= 1
                continue
        total[move.currency] += move.amount
    return total


# A standing leg that replaces another one.
_MOVED: Final = """
SELECT l.deal_id, l.currency, l.value_date, l.account_id
  FROM fx_dealleg l JOIN fx_deal d ON d.id = l.deal_id
 WHERE l.version > 1 AND l.state = ANY(%(standing)s) AND l.currency = ANY(%(wanted)s)
   AND l.value_date >= %(day)s AND d.kind = 'DELIVERABLE' AND d.state = ANY(%(hedging)s)
"""


def _moved(wanted: Sequence[str], *, day: date) -> dict[tuple[UUID, str], tuple[date, UUID]]:
    """Return the day and account of what settles otherwise than agreed, from a day on."""
    facts: dict[str, Any] = {
        "standing": list(STANDING),
        "hedging": list(HEDGING),
        "wanted": list(wanted),
        "day": day,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, facts)
        return {
            (deal_id, currency): (on, account_id)
            for deal_id, currency, on, account_id in cursor.fetchall()
        }


def _booked_otherwise(account_id: UUID, *, day: date, until: date) -> Counter[Decimal]:
    """Count the amounts that a bank booked and that are no leg's or net's yet."""
    proven = DealLeg.objects.filter(account=account_id).exclude(entry=None).values("entry")
    netted = SettlementNet.objects.filter(account=account_id).exclude(entry=None).values("entry")
    entries = statements.counted_entries(account_id, start=day, end=until)
    free = entries.exclude(pk__in=proven).exclude(pk__in=netted)
    return Counter(free.values_list("amount", flat=True))


def _settled_legs(deal_ids: Sequence[UUID], wanted: Sequence[str]) -> set[tuple[UUID, str]]:
    """Return the deals and currencies whose legs are settled: what they bring is money."""
    found = DealLeg.objects.filter(
        deal__in=deal_ids, currency__in=wanted, state=LegState.SETTLED
    ).values_list("deal_id", "currency")
    return set(found)


class _Move(NamedTuple):
    """What a deal brings (positive) or takes of a currency, and on which account."""

    deal_id: UUID
    is_paid: bool
    currency: str
    amount: Decimal
    account_id: UUID
    value_date: date


# Both sides of the deals that count: paid ones of these days, forwards that are not fixed yet, and
# what was moved into these days. Buying brings the base and takes the quote.
_MOVES: Final = """
SELECT d.id, d.kind = 'DELIVERABLE', side.*, d.value_date
  FROM fx_deal d CROSS JOIN LATERAL (VALUES
       (d.base, CASE d.side WHEN 'BUY' THEN d.base_amount ELSE -d.base_amount END,
        CASE d.side WHEN 'BUY' THEN d.receive_account_id ELSE d.pay_account_id END),
       (d.quote, CASE d.side WHEN 'BUY' THEN -d.quote_amount ELSE d.quote_amount END,
        CASE d.side WHEN 'BUY' THEN d.pay_account_id ELSE d.receive_account_id END)
       ) side (currency, amount, account_id)
 WHERE d.state = ANY(%(hedging)s) AND d.value_date <= %(until)s
   AND (d.kind = 'DELIVERABLE' AND d.value_date >= %(day)s
        OR d.kind = 'NDF' AND d.fixing_date >= %(day)s OR d.id = ANY(%(moved)s))
   AND side.currency = ANY(%(wanted)s)
 ORDER BY d.id DESC, side.currency = d.quote
"""


def _moves(wanted: Sequence[str], *, day: date, until: date, moved: Sequence[UUID]) -> list[_Move]:
    """Return both sides of deals as far as their currencies are asked for, newest deal first."""
    facts: dict[str, Any] = {
        "hedging": list(HEDGING),
        "wanted": list(wanted),
        "day": day,
        "until": until,
        "moved": list(moved),
    }
    with connection.cursor() as cursor:
        cursor.execute(_MOVES, facts)
        return [_Move(*row) for row in cursor.fetchall()]


def alarms() -> QuerySet[ExposureAlarm]:
    """Return when exposures were out of bounds, newest first."""
    return ExposureAlarm.objects.all()
