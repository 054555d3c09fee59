"""Reads of legs: what a deal settles by, what stands open, and where one leg only is done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Case, Count, F, Q, QuerySet, Sum, When

from core import clock
from fx.engine.netting import LEGS_MIN
from fx.engine.settlement import Done, Payment
from fx.models import (
    STANDING,
    UNSETTLED,
    DealLeg,
    DealState,
    LegDirection,
    LegState,
    NettingAgreement,
    SettlementAlarm,
    SettlementNet,
)

ZERO: Final = Decimal(0)
DAYS_SHOWN: Final = 14
NETTABLE_SHOWN: Final = 50
COUNTED: Final = "COUNTED"

_OF_LEG = (
    "deal__counterparty", "account__bank", "instruction__beneficiary", "proposal__transfer",
    "entry", "net",
)  # fmt: skip


def legs() -> QuerySet[DealLeg]:
    """Return all legs with what their pages show, by day."""
    return DealLeg.objects.select_related(*_OF_LEG).order_by("value_date", "deal", "leg_no")


def legs_of(deal_id: UUID, *, standing: bool = True) -> QuerySet[DealLeg]:
    """Return the legs of a deal: those that stand, or every version there was."""
    found = DealLeg.objects.select_related(*_OF_LEG).filter(deal_id=deal_id)
    found = found.order_by("leg_no", "version")
    return found.filter(state__in=STANDING) if standing else found


def moved_legs() -> QuerySet[DealLeg]:
    """Return standing legs that replace others: only their day or account is not the deal's."""
    return DealLeg.objects.filter(state__in=STANDING, version__gt=1)


def nettable() -> QuerySet[DealLeg]:
    """Return what may be part of a net: expected, confirmed, and of who signed an agreement."""
    netted = NettingAgreement.objects.filter(is_active=True).values("counterparty")
    return legs().filter(
        state=LegState.EXPECTED,
        deal__state=DealState.CONFIRMED,
        deal__counterparty__in=netted,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nettable:
    """Legs of one counterparty, currency and day that may be one payment; `left` is signed."""

    counterparty: UUID
    name: str
    currency: str
    value_date: date
    legs_count: int
    gross: Decimal
    left: Decimal


def to_be_netted() -> list[Nettable]:
    """Return what may be netted now: two legs or more of a counterparty, currency and day."""
    signed = Case(When(direction=LegDirection.PAY, then=-F("amount")), default=F("amount"))
    rows = (
        nettable()
        .filter(value_date__gte=clock.now().date())
        .values("deal__counterparty", "deal__counterparty__name", "currency", "value_date")
        .annotate(legs=Count("id"), gross=Sum("amount"), left=Sum(signed))
        .filter(legs__gte=LEGS_MIN)
        .order_by("value_date", "deal__counterparty__name", "currency")
    )
    return [
        Nettable(
            counterparty=row["deal__counterparty"],
            name=row["deal__counterparty__name"],
            currency=row["currency"],
            value_date=row["value_date"],
            legs_count=row["legs"],
            gross=row["gross"],
            left=row["left"],
        )
        for row in rows[:NETTABLE_SHOWN]
    ]


def nets() -> QuerySet[SettlementNet]:
    """Return all nets, newest first."""
    found = SettlementNet.objects.select_related(
        "counterparty", "account", "agreement", "proposal", "entry"
    )
    return found.order_by("-id")


def payment_of(leg: DealLeg | SettlementNet) -> Payment | None:
    """Return what is known of the payment of a leg or net; None while nothing was proposed."""
    proposal = leg.proposal
    if proposal is None:
        return None
    held = getattr(proposal, "transfer", None)
    return Payment(state=proposal.state, is_booked=held is not None and counts(held.debit_entry))


def counts(entry: Any) -> bool:
    """Tell whether an entry, or the one that it was found to be, counts."""
    while entry is not None and entry.merged_into is not None:
        entry = entry.merged_into
    return entry is not None and entry.state == COUNTED


def done(found: Iterable[DealLeg]) -> Done:
    """Return how much of a deal is done by the legs that stand."""
    listed = list(found)
    settled = [one for one in listed if one.state == LegState.SETTLED]
    return Done(legs=len(listed), settled=len(settled), is_paid=any(one.is_pay for one in settled))


def open_alarms() -> QuerySet[SettlementAlarm]:
    """Return the alarms that stand: one leg is done and the other one is not."""
    found = SettlementAlarm.objects.filter(closed_at=None)
    return found.select_related("deal__counterparty").order_by("opened_at")


def on_the_wire(found: Iterable[DealLeg]) -> list[dict[str, Any]]:
    """Return legs as the event names them; amounts and ids as text."""
    return [
        {
            "leg_no": one.leg_no,
            "version": one.version,
            "direction": one.direction,
            "ccy": one.currency,
            "amount": one.amount,
            "account_id": one.account_id,
            "ssi_id": one.instruction_id,
            "rail": one.rail,
            "value_date": one.value_date,
            "state": one.state,
        }
        for one in found
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What one currency has to pay and to receive on a day, and how much of that is settled.

    Shares are percent of the larger of both sides, for the picture.
    """

    day: date
    currency: str
    pay: Decimal
    receive: Decimal
    settled: Decimal
    pay_share: int
    receive_share: int


def days_ahead(*, days: int = DAYS_SHOWN) -> list[Day]:
    """Return what stands to settle per day and currency, from today on and what is late."""
    until = clock.now().date() + timedelta(days=days)
    late_or_due = Q(value_date__gte=clock.now().date()) | Q(state__in=UNSETTLED)
    rows = (
        DealLeg.objects.filter(late_or_due, state__in=STANDING, value_date__lte=until)
        .values("value_date", "currency")
        .annotate(
            pay=Sum("amount", filter=Q(direction=LegDirection.PAY)),
            receive=Sum("amount", filter=Q(direction=LegDirection.RECEIVE)),
            settled=Sum("amount", filter=Q(state=LegState.SETTLED)),
        )
        .order_by("value_date", "currency")
    )
    return [_day(row) for row in rows]


def _day(row: Mapping[str, Any]) -> Day:
    pay, receive = row["pay"] or ZERO, row["receive"] or ZERO
    most = max(pay, receive)
    return Day(
        day=row["value_date"],
        currency=row["currency"],
        pay=pay,
        receive=receive,
        settled=row["settled"] or ZERO,
        pay_share=round(pay * 100 / most),
        receive_share=round(receive * 100 / most),
    )
