"""Fixing of non-deliverable deals: one rate for all, and one difference in dollars.

The rate is that of the fixing date, in words of who published it: entered by somebody who did not
deal, or taken from the source that the policy names.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from core import clock, policies
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import BACK_OFFICE
from fx import policies as knobs
from fx.constants import RATE_BOUND
from fx.engine import quotes
from fx.engine.exposure import ZONE_DEFAULT, ZONES
from fx.engine.pairs import USD, Pair
from fx.models import DayFixing, Deal, DealKind, DealLeg, DealState, FixingState, NdfFixing, Rate
from fx.services.deals import hold_party, locked, require_state, tell
from fx.services.legs import make_difference
from treasury.services import tasks

logger = structlog.get_logger(__name__)
FIXERS: Final = (BACK_OFFICE,)
SAID_BY_CHARS_MAX: Final = 80
NOT_FIXED: Final = "fx_deal_not_fixed"


@transaction.atomic
def fix_deal(*, deal_id: UUID, rate: Decimal, said_by: str, actor: User) -> NdfFixing:
    """Enter the published rate of a deal's fixing date; its difference becomes one leg.

    Raises:
        Forbidden: this person is not of the back office, or dealt it, or fixes the day first and
            dealt another deal of it.
        DealStateRefused: it is not confirmed.
        Invalid: not a non-deliverable deal, before its fixing date, fixed before, or no rate.
    """
    require_fixer(actor, rate=rate, said_by=said_by)
    deal = locked(deal_id)
    require_not_dealt(deal, actor=actor)
    return _fixed(deal, rate=rate, said_by=said_by.strip(), actor=actor, row=None)


@transaction.atomic
def record_fixing(
    *, pair: Pair, day: date, rate: Decimal, said_by: str, actor: User
) -> list[NdfFixing]:
    """Enter the published rate of a pair and day: all of its confirmed deals are fixed, or none.

    Raises:
        Forbidden: this person is not of the back office, or dealt one of them.
        Invalid: none waits for it, before its day, another one holds already, or no rate.
    """
    require_fixer(actor, rate=rate, said_by=said_by)
    waiting = Deal.objects.filter(
        kind=DealKind.NDF,
        state=DealState.CONFIRMED,
        fixing=None,
        base=pair.base,
        quote=pair.quote,
        fixing_date=day,
    )
    held = held_in_order(waiting)
    for deal in held:
        require_not_dealt(deal, actor=actor)
    if not held:
        raise Invalid(f"No deal of {pair} waits for the fixing of {day}.", field="day")
    return [
        _fixed(deal, rate=rate, said_by=said_by.strip(), actor=actor, row=None) for deal in held
    ]


def held_in_order(found: QuerySet[Deal]) -> list[Deal]:
    """Hold deals of several counterparties: those first by their ids, then the deals by theirs."""
    for party in sorted(set(found.values_list("counterparty_id", flat=True))):
        hold_party(party)
    return [locked(pk) for pk in sorted(found.values_list("pk", flat=True))]


def require_fixer(actor: User, *, rate: Decimal, said_by: str) -> None:
    """Refuse who may not say a fixing, and what is none.

    Raises:
        Forbidden: this person is not of the back office.
        Invalid: no rate, or nobody published it.
    """
    if not actor.has_role(*FIXERS):
        raise Forbidden("Fixing takes the role back_office.")
    if not 0 < len(said_by.strip()) <= SAID_BY_CHARS_MAX:
        raise Invalid("Say who published the rate.", field="said_by")
    if not rate.is_finite() or not 0 < rate < RATE_BOUND:
        raise Invalid("A rate is a positive number.", field="rate")


def require_not_dealt(deal: Deal, *, actor: User) -> None:
    """Refuse who dealt it.

    Raises:
        Forbidden: this person did.
    """
    dealt = {one.person_number for one in (deal.maker, deal.executed_by) if one is not None}
    if actor.person_number in dealt:
        raise Forbidden(f"Somebody who did not deal {deal.reference} enters the fixing.")


def fix_from_sources(*, now: datetime) -> list[UUID]:
    """Fix what is due with the newest rate of its fixing date of the source that is named."""
    code = policies.get(knobs.FX_FIXING_SOURCE)
    if not code:
        return []
    due = Deal.objects.filter(
        kind=DealKind.NDF,
        state=DealState.CONFIRMED,
        fixing=None,
        fixing_date__lte=now.astimezone(ZoneInfo(ZONE_DEFAULT)).date(),
    )
    fixed: list[UUID] = []
    for deal in list(due.order_by("id")):
        row = _published(deal, code)
        if row is None:
            continue
        rate = quotes.rounded_rate((row.bid + row.ask) / 2, Pair(deal.base, deal.quote))
        try:
            with transaction.atomic():
                _fixed(locked(deal.pk), rate=rate, said_by=code, actor=None, row=row)
            fixed.append(deal.pk)
        except (DomainError, IntegrityError) as refusal:  # one deal stops no other one
            logger.warning("fx_not_fixed", deal=str(deal.pk), error=str(refusal))
            _ask_why_not(deal, refusal)
    return fixed


def _ask_why_not(deal: Deal, refusal: Exception) -> None:
    words = refusal.message if isinstance(refusal, DomainError) else "The database refuses it."
    tasks.open_task(
        task=tasks.TaskIn(
            kind=NOT_FIXED,
            key=deal.reference,
            title=f"{deal.reference} could not be fixed",
            detail=f"{words} Its fixing date is {deal.fixing_date}.",
        )
    )


def _published(deal: Deal, code: str) -> Rate | None:
    """Return the last rate of a source on the fixing date, by the clock of the rupee's market."""
    if deal.fixing_date is None:
        return None
    zone = ZoneInfo(ZONES.get(deal.quote, ZONE_DEFAULT))
    start = datetime.combine(deal.fixing_date, time(), zone)
    return (
        Rate.objects.filter(
            source__code=code,
            base=deal.base,
            quote=deal.quote,
            as_of__gte=start,
            as_of__lt=start + timedelta(days=1),
        )
        .order_by("-as_of")
        .first()
    )


def fixing_of_day(deal: Deal) -> DayFixing | None:
    """Return the fixing that holds for a deal's pair and fixing date; None while there is none."""
    if deal.fixing_date is None:
        return None
    return DayFixing.objects.filter(
        base=deal.base, quote=deal.quote, fixed_on=deal.fixing_date, state=FixingState.IN_FORCE
    ).first()


def dealt_of_day(*, base: str, quote: str, day: date | None) -> QuerySet[Deal]:
    """Return every deal that the fixing of a day holds for, fixed already or not."""
    return Deal.objects.select_related("maker", "executed_by").filter(
        kind=DealKind.NDF,
        base=base,
        quote=quote,
        fixing_date=day,
        state__in=(DealState.EXECUTED, DealState.CONFIRMED, DealState.SETTLED, DealState.FAILED),
    )


def require_plausible(deal: Deal, *, rate: Decimal) -> None:
    """Refuse a fixing that lies far from what the market said last.

    Raises:
        Invalid: it is further off than FX_MOVE_PCT_MAX.
    """
    market = Rate.objects.filter(base=deal.base, quote=deal.quote).order_by("-as_of").first()
    if market is None:
        return
    middle = (market.bid + market.ask) / 2
    if abs(rate - middle) > middle * policies.get(knobs.FX_MOVE_PCT_MAX):
        raise Invalid(
            f"The market was at {middle.normalize():f} last; {rate.normalize():f} is too far from"
            " it.",
            field="rate",
        )


def _fixed(
    deal: Deal, *, rate: Decimal, said_by: str, actor: User | None, row: Rate | None
) -> NdfFixing:
    require_state(deal, DealState.CONFIRMED)
    if deal.kind != DealKind.NDF or deal.fixing_date is None or deal.base != USD:
        raise Invalid("Only a non-deliverable deal of dollars is fixed.", field="deal")
    if NdfFixing.objects.filter(deal=deal).exists():
        raise Invalid("It is fixed already.", field="deal")
    zone = ZoneInfo(ZONES.get(deal.quote, ZONE_DEFAULT))
    today = clock.now().astimezone(zone).date()
    if today < deal.fixing_date:
        raise Invalid(f"It is fixed on {deal.fixing_date}.", field="fixing_date")
    same = fixing_of_day(deal)
    if same is not None and same.rate != rate:
        raise Invalid(
            f"{deal.pair} of {deal.fixing_date} was fixed at {same.rate.normalize():f} before: one"
            " rate holds for all deals of a day. A wrong one is corrected by two people.",
            field="rate",
        )
    if same is None and actor is not None:
        day = deal.fixing_date
        for other in dealt_of_day(base=deal.base, quote=deal.quote, day=day):
            require_not_dealt(other, actor=actor)
    require_plausible(deal, rate=rate)
    made = NdfFixing.objects.create(
        deal=deal,
        rate=rate,
        fixed_on=deal.fixing_date,
        said_by=said_by,
        from_rate=row,
        entered_by=actor,
        entered_at=clock.now(),
    )
    conclude_fixing(deal)
    tasks.answer_task(kind=NOT_FIXED, key=deal.reference, note="It was fixed.")
    return made


def conclude_fixing(deal: Deal, *, after: DealLeg | None = None) -> None:
    """Make the leg of what a fixing leaves, in the caller's transaction; nothing left settles it.

    Raises:
        Invalid: nobody wrote down where the counterparty is paid.
    """
    before = deal.state
    if not make_difference(deal, after=after):
        deal.settle(at=clock.now())
        deal.save()
    tell(deal, before=before)
