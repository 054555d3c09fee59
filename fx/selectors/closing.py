"""Reads of how deals end otherwise: what checkers approve of a cancellation, and fixings."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, QuerySet, Sum

from core.errors import NotFound
from fx.engine.pairs import Pair
from fx.models import DayFixing, Deal, DealCancellation, DealKind, DealState, FixingState
from fx.selectors import rates

# A deal in one of these closes nothing out.
GIVEN_UP: Final = (
    DealState.DRAFT,
    DealState.REJECTED,
    DealState.EXPIRED,
    DealState.CANCELLED,
)


def content_of(cancellation_id: UUID) -> dict[str, Any]:
    """Return exactly what checkers approve, as the database builds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT fx_cancellation_content(c)::text FROM fx_dealcancellation c WHERE c.id = %s",
            [cancellation_id],
        )
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise NotFound("There is no such cancellation.", field="cancellation")
    content: dict[str, Any] = json.loads(row[0])
    return content


def cancellation(cancellation_id: UUID) -> DealCancellation:
    """Return one cancellation with its deal.

    Raises:
        NotFound: there is none.
    """
    rows = DealCancellation.objects.select_related("deal__counterparty", "maker")
    found = rows.filter(pk=cancellation_id).first()
    if found is None:
        raise NotFound("There is no such cancellation.", field="cancellation")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfixed:
    """Deals of one pair that wait for the fixing of a day; `amount` is in the base currency."""

    base: str
    quote: str
    day: date
    count: int
    amount: Decimal

    @property
    def pair(self) -> str:
        """Return the pair as the market writes it."""
        return f"{self.base}/{self.quote}"


def unfixed() -> list[Unfixed]:
    """Return what waits for a fixing, the first day first."""
    rows = (
        Deal.objects.filter(kind=DealKind.NDF, state=DealState.CONFIRMED, fixing=None)
        .values("base", "quote", "fixing_date")
        .annotate(count=Count("id"), amount=Sum("base_amount"))
        .order_by("fixing_date", "base", "quote")
    )
    return [
        Unfixed(
            base=row["base"],
            quote=row["quote"],
            day=row["fixing_date"],
            count=row["count"],
            amount=row["amount"],
        )
        for row in rows
        if row["fixing_date"] is not None  # the database asks one of every such deal
    ]


def fixings() -> QuerySet[DayFixing]:
    """Return every fixing of a day and its corrections, the newest day first."""
    rows = DayFixing.objects.select_related("entered_by", "checker", "from_rate")
    return rows.order_by("-fixed_on", "base", "quote", "-version")


@dataclass(frozen=True, slots=True, kw_only=True)
class FixingDay:
    """What a pair was fixed at on a day, and our last middle rate; None where there is none."""

    day: date
    fixing: Decimal | None
    mid: Decimal | None

    @property
    def apart_pct(self) -> Decimal | None:
        """Return by how many percent of our rate the fixing lies above it."""
        if self.fixing is None or not self.mid:
            return None
        return (self.fixing - self.mid) * 100 / self.mid


def pair_fixed_last() -> Pair | None:
    """Return the pair that was fixed last; None before the first fixing."""
    last = DayFixing.objects.filter(state=FixingState.IN_FORCE).order_by("-fixed_on").first()
    return None if last is None else Pair(last.base, last.quote)


def fixings_beside_market(pair: Pair, *, now: datetime, days: int) -> list[FixingDay]:
    """Return the fixings that hold beside our own rates, day by day, the oldest first."""
    since = now.date() - timedelta(days=days)
    held = DayFixing.objects.filter(
        base=pair.base, quote=pair.quote, fixed_on__gte=since, state=FixingState.IN_FORCE
    )
    fixed = dict(held.order_by().values_list("fixed_on", "rate"))
    mids = {at.date(): mid for at, mid in rates.daily(pair, now=now, days=days)}
    return [
        FixingDay(day=day, fixing=fixed.get(day), mid=mids.get(day))
        for day in sorted({*fixed, *mids})
    ]


def proposed_fixings() -> QuerySet[DayFixing]:
    """Return the corrections that await another person."""
    return fixings().filter(state=FixingState.PROPOSED)
