"""A wrong fixing is corrected: one person proposes, another accepts, and what was is kept.

All deals of the pair and day follow in the same transaction, or none does: what they were to pay
by the wrong rate is replaced. Once something of it has left or come the correction is refused.
"""

from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet

from core import clock
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from fx.errors import CorrectionRefused, LegAlreadySent
from fx.models import DayFixing, Deal, DealLeg, DealState, FixingState, LegState, NdfFixing
from fx.services import legs
from fx.services.failing import held_legs, leave_nets
from fx.services.fixing import (
    FIXERS,
    conclude_fixing,
    dealt_of_day,
    held_in_order,
    require_fixer,
    require_plausible,
)

REASON_CHARS_MAX: Final = 500


@transaction.atomic
def propose_correction(
    *, fixing_id: UUID, rate: Decimal, said_by: str, reason: str, actor: User
) -> DayFixing:
    """Propose another rate for a day that was fixed; nothing changes until another one accepts.

    Raises:
        Forbidden: this person is not of the back office, or dealt one of the day, fixed or not.
        NotFound: there is no such fixing.
        CorrectionRefused: it does not hold any more, or a correction waits already.
        Invalid: the same rate, no rate, or no reason.
    """
    require_fixer(actor, rate=rate, said_by=said_by)
    wrong = _locked(fixing_id)
    if wrong.state != FixingState.IN_FORCE:
        raise CorrectionRefused(f"That fixing {wrong.get_state_display()}.")
    if rate == wrong.rate:
        raise Invalid("It was fixed at that rate.", field="rate")
    words = _reason(reason)
    same_day = DayFixing.objects.filter(base=wrong.base, quote=wrong.quote, fixed_on=wrong.fixed_on)
    if same_day.filter(state=FixingState.PROPOSED).exists():
        raise CorrectionRefused("A correction of that day awaits another person already.")
    _require_none_dealt(wrong, actor)
    for deal in _deals_of(wrong):
        require_plausible(deal, rate=rate)
    last: int = same_day.aggregate(last=Max("version"))["last"]
    return DayFixing.objects.create(
        base=wrong.base,
        quote=wrong.quote,
        fixed_on=wrong.fixed_on,
        version=last + 1,
        rate=rate,
        said_by=said_by.strip(),
        reason=words,
        state=FixingState.PROPOSED,
        entered_by=actor,
        entered_at=clock.now(),
    )


@transaction.atomic
def accept_correction(*, fixing_id: UUID, actor: User) -> DayFixing:
    """Let a correction hold: every deal of its day is fixed at it, and pays by it.

    Raises:
        Forbidden: this person is not of the back office, proposed it, or dealt one of the day.
        NotFound: there is no such fixing.
        CorrectionRefused: it was decided, who proposed it has dealt since, a deal of it has failed,
            or another one was just fixed.
        LegAlreadySent: something was paid, or came, by the rate before.
    """
    made = _proposed(fixing_id, actor)
    _require_none_dealt(made, actor)
    _require_proposer_stands(made)
    deals = held_in_order(_deals_of(made))
    taken: dict[UUID, DealLeg | None] = {}
    for deal in deals:
        taken[deal.pk] = _take_back(deal, reason=f"Its fixing is corrected: {made.reason}")
    before = DayFixing.objects.select_for_update().get(
        base=made.base, quote=made.quote, fixed_on=made.fixed_on, state=FixingState.IN_FORCE
    )
    # Whoever fixes a deal holds the row in force: it is held now, so no further deal comes.
    if set(_deals_of(made).values_list("pk", flat=True)) - {one.pk for one in deals}:
        raise CorrectionRefused("Another deal of that day was fixed just now: accept it again.")
    before.state = FixingState.REPLACED
    before.save(update_fields=["state"])
    _decide(made, FixingState.IN_FORCE, actor)
    for deal in deals:
        fixing = NdfFixing.objects.get(deal=deal)
        fixing.rate, fixing.said_by, fixing.from_rate = made.rate, made.said_by, None
        fixing.entered_by, fixing.entered_at = made.entered_by, made.entered_at
        fixing.save(update_fields=["rate", "said_by", "from_rate", "entered_by", "entered_at"])
        deal.fixing = fixing
        conclude_fixing(deal, after=taken[deal.pk])
    return made


@transaction.atomic
def refuse_correction(*, fixing_id: UUID, reason: str, actor: User) -> DayFixing:
    """Leave a fixing as it stands.

    Raises:
        Forbidden: this person is not of the back office, proposed it, or dealt one of the day.
        NotFound: there is no such fixing.
        CorrectionRefused: it was decided.
        Invalid: no reason.
    """
    made = _proposed(fixing_id, actor)
    _require_none_dealt(made, actor)
    made.note = _reason(reason)
    _decide(made, FixingState.REFUSED, actor)
    return made


def _proposed(fixing_id: UUID, actor: User) -> DayFixing:
    if not actor.has_role(*FIXERS):
        raise Forbidden("Fixing takes the role back_office.")
    made = _locked(fixing_id)
    if made.state != FixingState.PROPOSED:
        raise CorrectionRefused(f"It was decided: the fixing {made.get_state_display()}.")
    if made.entered_by is not None and made.entered_by.person_number == actor.person_number:
        raise Forbidden("Another person decides about a correction.")
    return made


def _require_none_dealt(fixing: DayFixing, actor: User) -> None:
    """Refuse who dealt anything that the fixing of the day holds for, fixed already or not."""
    found = _dealt_by(fixing, actor)
    if found is not None:
        raise Forbidden(
            f"You dealt {found.reference}, which the fixing of {fixing.pair} on {fixing.fixed_on}"
            " holds for: two people who did not deal correct a fixing."
        )


def _require_proposer_stands(made: DayFixing) -> None:
    proposer = made.entered_by
    found = _dealt_by(made, proposer) if proposer is not None else None
    if proposer is not None and found is not None:
        raise CorrectionRefused(
            f"{proposer.display_name}, who proposed it, dealt {found.reference} of that day since:"
            " two people who did not deal correct a fixing. Refuse it, and propose it anew."
        )


def _dealt_by(fixing: DayFixing, person: User) -> Deal | None:
    deals = dealt_of_day(base=fixing.base, quote=fixing.quote, day=fixing.fixed_on)
    for deal in deals.order_by("id"):
        people = (deal.maker, deal.executed_by)
        if person.person_number in {one.person_number for one in people if one is not None}:
            return deal
    return None


def _locked(fixing_id: UUID) -> DayFixing:
    rows = DayFixing.objects.select_for_update(of=("self",)).select_related("entered_by")
    found = rows.filter(pk=fixing_id).first()
    if found is None:
        raise NotFound("There is no such fixing.", field="fixing")
    return found


def _deals_of(fixing: DayFixing) -> QuerySet[Deal]:
    return Deal.objects.filter(
        fixing__isnull=False,
        base=fixing.base,
        quote=fixing.quote,
        fixing_date=fixing.fixed_on,
    ).exclude(state=DealState.CANCELLED)


def _take_back(deal: Deal, *, reason: str) -> DealLeg | None:
    """Void what a locked deal was to pay by a fixing that does not hold any more; return it."""
    leave_nets(deal, reason=reason, if_it_left=True)
    standing = list(held_legs(deal))
    done = next((one for one in standing if one.state == LegState.SETTLED), None)
    if done is not None:
        raise LegAlreadySent(
            f"{done.reference} was paid by the fixing before: what is wrong with it is settled"
            " by another deal.",
            leg=done.reference,
        )
    if deal.state == DealState.SETTLED:
        deal.unsettle()
        deal.save()
    if deal.state != DealState.CONFIRMED:
        raise CorrectionRefused(
            f"{deal.reference} is {deal.get_state_display()}: take it up first."
        )
    for leg in standing:
        legs.void(leg, reason=reason)
    return standing[0] if standing else None


def _decide(made: DayFixing, state: str, actor: User) -> None:
    made.state, made.checker, made.decided_at = state, actor, clock.now()
    made.save(update_fields=["state", "checker", "decided_at", "note"])


def _reason(text: str) -> str:
    words = text.strip()
    if not 0 < len(words) <= REASON_CHARS_MAX:
        raise Invalid("Say why.", field="reason")
    return words
