"""Exposure of each currency now: need and money from the treasury, hedges from our deals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import Q, QuerySet, Sum

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
from fx.models import Deal, DealKind, DealSide, DealState, ExposureAlarm
from fx.selectors import rates
from treasury.selectors import accounts, flows, positions

# What a payout or a plan takes out; transfers of ours are counted as money, not as need.
NEEDS: Final = ("PAYOUT", "PATTERN", "FORECAST", "MANUAL")
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
    available = positions.available_many(held, on=cap.until, now=now).values()
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

    A non-deliverable forward counts until it is fixed: it pays no rupees, but covers their price.
    """
    counted = Deal.objects.filter(state__in=HEDGING, value_date__lte=cap.until).filter(
        Q(kind=DealKind.DELIVERABLE) | Q(kind=DealKind.NDF, fixing_date__gte=cap.day)
    )
    base = counted.filter(base=currency)
    quote = counted.filter(quote=currency)
    bought = _sum(base.filter(side=DealSide.BUY), "base_amount")
    bought += _sum(quote.filter(side=DealSide.SELL), "quote_amount")
    sold = _sum(base.filter(side=DealSide.SELL), "base_amount")
    sold += _sum(quote.filter(side=DealSide.BUY), "quote_amount")
    return bought - sold


def _sum(found: QuerySet[Deal], column: str) -> Decimal:
    return found.aggregate(total=Sum(column))["total"] or ZERO


def alarms() -> QuerySet[ExposureAlarm]:
    """Return when exposures were out of bounds, newest first."""
    return ExposureAlarm.objects.all()
