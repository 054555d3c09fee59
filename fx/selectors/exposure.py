"""Exposure of each currency now: need and money from the treasury, hedges from our deals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from calendars import selectors as calendars
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
from fx.models import Deal, DealKind, DealLeg, DealState, ExposureAlarm, LegState
from fx.selectors import rates
from treasury.selectors import accounts, flows, positions, statements

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
    """Return the exposure of every currency that is dealt, the dollar left out."""
    return [of_currency(one, now=now) for one in rates.currencies() if one != USD]


def of_currency(currency: str, *, now: datetime) -> Board:
    """Return the exposure of one currency.

    Raises:
        CalendarUnknown: the currency has no calendar.
        CalendarCoverageError: its calendar does not reach far enough.
    """
    cap = cap_of(currency, calendars.settlement_calendar(currency), now)
    held = list(accounts.accounts(currency))
    # What deals bring is counted as bought, not as money that is there.
    available = positions.available_many(held, on=cap.until, now=now, sources=MONEY).values()
    required = -sum(
        (
            flow.amount
            for account in held
            for flow in flows.expected(
                account_id=account.pk, start=cap.day, end=cap.until, sources=NEEDS
            )
            if flow.amount < 0
        ),
        ZERO,
    )
    found = exposure_of(
        required=required,
        prefunded=sum((one.amount for one in available), ZERO),
        hedged=_hedged(currency, cap),
        denominator=Denominator(policies.get(knobs.EXPOSURE_DENOMINATOR)),
    )
    limit = policies.get(knobs.MAX_OPEN_EXPOSURE_PCT)
    return Board(
        currency=currency,
        exposure=found,
        cap=cap,
        limit=limit,
        is_stale=any(one.is_stale for one in available),
        is_breached=is_breach(found, cap, limit=limit),
        is_warned=not cap.is_armed and found.share > limit,
        is_overhedged=is_overhedged(found, limit=policies.get(knobs.OVERHEDGED_PCT)),
        as_of=now,
    )


def _hedged(currency: str, cap: Cap) -> Decimal:
    """Return what was bought less what was sold on deals that settle while the cap looks.

    A deal of a day before has come as money, or has failed: the balance speaks for it, and what
    was paid out of it since is gone. On the value date the deal counts until the bank has booked
    its very amount on its account, from then on the balance does; never both. (Where the bank
    keeps a fee back from the amount, both count until that day is over.) A non-deliverable
    forward counts until it is fixed: it pays no rupees, but covers their price.
    """
    counted = Deal.objects.filter(state__in=HEDGING, value_date__lte=cap.until).filter(
        Q(kind=DealKind.DELIVERABLE, value_date__gte=cap.day)
        | Q(kind=DealKind.NDF, fixing_date__gte=cap.day)
    )
    concerned = list(counted.filter(Q(base=currency) | Q(quote=currency)))
    settled = _settled_legs(concerned, currency)
    booked: dict[UUID, Counter[Decimal]] = {}
    total = ZERO
    for deal in sorted(concerned, key=lambda one: one.pk not in settled):
        amount, account_id = _moves(deal, currency)
        if deal.kind == DealKind.DELIVERABLE:
            if account_id not in booked:
                entries = statements.counted_entries(account_id, start=cap.day, end=cap.until)
                booked[account_id] = Counter(entries.values_list("amount", flat=True))
            if deal.pk in settled or booked[account_id][amount] > 0:
                booked[account_id][amount] -= 0 if settled.get(deal.pk) else 1
                continue
        total += amount
    return total


def _settled_legs(deals: Sequence[Deal], currency: str) -> dict[UUID, bool]:
    """Return the deals whose leg in a currency is settled, and whether that was in a net.

    What a net brought stands on the account as another amount than the deal's.
    """
    found = DealLeg.objects.filter(
        deal__in=[one.pk for one in deals], currency=currency, state=LegState.SETTLED
    )
    return {deal: net is not None for deal, net in found.values_list("deal_id", "net_id")}


def _moves(deal: Deal, currency: str) -> tuple[Decimal, UUID]:
    """Return what a deal brings (positive) or takes of a currency, and on which account."""
    amount = deal.base_amount if deal.base == currency else deal.quote_amount
    if deal.bought == currency:
        return amount, deal.receive_account_id
    return -amount, deal.pay_account_id


def alarms() -> QuerySet[ExposureAlarm]:
    """Return when exposures were out of bounds, newest first."""
    return ExposureAlarm.objects.all()
