"""A receipt of another amount than agreed is taken as it came: two people, and it is said as what.

The leg is settled by the entry that came; what is missing, or too much, stays a row of its own
with its worth in dollars, and counts as part of what the deal brought. Nothing is rounded away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from core import clock, policies
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from core.identity.roles import BACK_OFFICE, TREASURY_CHECKER
from core.money import Money
from fx import policies as knobs
from fx.errors import DifferenceRefused, RateMissing
from fx.models import (
    Deal,
    DealLeg,
    DealState,
    DifferenceKind,
    DifferenceState,
    LegState,
    ReceiptDifference,
)
from fx.selectors import differences as reads
from fx.services import settling
from fx.services.deals import SUBJECT, locked
from treasury.selectors import accounts, statements
from treasury.services import flows
from treasury.services.news import raise_alert

PROPOSERS: Final = (BACK_OFFICE,)
ACCEPTERS: Final = (BACK_OFFICE, TREASURY_CHECKER)
REASON_CHARS_MAX: Final = 500
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which entry a leg is to be settled by, what the difference is, and why it is taken."""

    entry: UUID
    kind: str
    reason: str


@transaction.atomic
def propose_difference(*, leg_id: UUID, wish: Wish, actor: User) -> ReceiptDifference:
    """Propose to take what came for a leg as it came; nothing is settled by that alone.

    Raises:
        Forbidden: this person is not of the back office, or dealt it.
        NotFound: there is no such leg, or entry.
        DifferenceRefused: the leg does not wait for money, the entry is not its difference, is
            too far off, or one is proposed already.
        Invalid: no reason, or it is another kind of difference.
    """
    if not actor.has_role(*PROPOSERS):
        raise Forbidden("Taking another amount takes the role back_office.")
    leg = _held(leg_id)
    _require_not_dealt(leg.deal, actor)
    words = wish.reason.strip()
    if not 0 < len(words) <= REASON_CHARS_MAX:
        raise Invalid("Say why it is taken as it came.", field="reason")
    entry = statements.entry(wish.entry)
    if entry not in reads.came_instead(leg):
        raise DifferenceRefused(
            f"That entry is nothing that came for {leg.reference}: it counts on its account, and"
            " proves nothing else."
        )
    difference = entry.amount - leg.amount
    _require_kind(wish.kind, difference)
    _require_small(leg, difference)
    if leg.differences.filter(state=DifferenceState.PROPOSED).exists():
        raise DifferenceRefused(f"A difference of {leg.reference} awaits another person already.")
    return ReceiptDifference.objects.create(
        leg=leg,
        entry=entry,
        kind=wish.kind,
        came=entry.amount,
        difference=difference,
        reason=words,
        maker=actor,
        created_at=clock.now(),
    )


@transaction.atomic
def accept_difference(*, difference_id: UUID, actor: User) -> ReceiptDifference:
    """Settle a leg by what came, and book the difference as what it is.

    Raises:
        Forbidden: this person may not, proposed it, or dealt it.
        NotFound: there is none.
        DifferenceRefused: it was decided, or does not fit any more.
        RateMissing: nobody says what it is worth in dollars.
    """
    made = _proposed(difference_id, actor)
    settling.follow_deal(deal_id=made.leg.deal_id)  # the agreed amount may have come meanwhile
    leg = DealLeg.objects.get(pk=made.leg_id)
    if leg.state != LegState.EXPECTED or made.entry not in reads.came_instead(leg):
        raise DifferenceRefused(f"{leg.reference} is not settled by that entry any more.")
    worth = accounts.usd_equivalent(money=Money(made.difference, leg.currency), now=clock.now())
    if worth.rate is None:
        raise RateMissing(f"Nobody says what {leg.currency} are worth in dollars now.")
    made.usd_rate = worth.rate
    made.amount_usd = (made.difference * worth.rate).quantize(_CENT, rounding=ROUND_HALF_UP)
    _decide(made, DifferenceState.ACCEPTED, actor)
    is_taken = flows.fulfil(
        entry=made.entry,
        end_to_end_id=leg.deal.counterparty_reference,
        amount=leg.amount,
        source_ref=leg.reference,
    )
    settling.follow_deal(deal_id=leg.deal_id)
    leg.refresh_from_db()
    settled_by = (leg.state, leg.entry_id, leg.entry_part_id)
    if not is_taken or settled_by != (LegState.SETTLED, made.entry_id, None):
        raise DifferenceRefused(f"{leg.reference} is not settled by that entry any more.")
    raise_alert(
        kind="fx_difference_accepted",
        severity="medium",
        subject_type=SUBJECT,
        subject_id=leg.deal_id,
        title=f"{leg.reference}: {Money(made.difference, leg.currency)} taken as"
        f" {made.get_kind_display()}",
        detail=f"{Money(made.came, leg.currency)} came, {Money(leg.amount, leg.currency)} were"
        f" agreed: {made.reason} It is worth {made.amount_usd:,.2f} USD.",
    )
    made.refresh_from_db()
    return made


@transaction.atomic
def refuse_difference(*, difference_id: UUID, reason: str, actor: User) -> ReceiptDifference:
    """Leave a leg open: the whole amount is still owed.

    Raises:
        Forbidden: this person may not, proposed it, or dealt it.
        NotFound: there is none.
        DifferenceRefused: it was decided.
        Invalid: no reason.
    """
    made = _proposed(difference_id, actor)
    made.note = reason.strip()
    if not 0 < len(made.note) <= REASON_CHARS_MAX:
        raise Invalid("Say why not.", field="reason")
    _decide(made, DifferenceState.REFUSED, actor)
    return made


def _held(leg_id: UUID) -> DealLeg:
    found = DealLeg.objects.filter(pk=leg_id).values_list("deal_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such leg.", field="leg")
    deal = locked(found)
    leg = DealLeg.objects.select_for_update(of=("self",)).select_related("account").get(pk=leg_id)
    leg.deal = deal
    is_open = leg.state == LegState.EXPECTED and not leg.is_pay
    if not is_open or deal.state not in (DealState.EXECUTED, DealState.CONFIRMED):
        raise DifferenceRefused(f"{leg.reference} does not wait for money by itself.")
    return leg


def _proposed(difference_id: UUID, actor: User) -> ReceiptDifference:
    if not actor.has_role(*ACCEPTERS):
        raise Forbidden("Accepting another amount takes the back office or a treasury checker.")
    rows = ReceiptDifference.objects.select_related("maker", "leg__deal")
    found = rows.filter(pk=difference_id).first()
    if found is None:
        raise NotFound("There is no such difference.", field="difference")
    locked(found.leg.deal_id)
    made = (
        rows.select_related("leg__account", "entry")
        .select_for_update(of=("self",))
        .get(pk=difference_id)
    )
    if made.state != DifferenceState.PROPOSED:
        raise DifferenceRefused(f"It was decided: {made.get_state_display()}.")
    if made.maker.person_number == actor.person_number:
        raise Forbidden("Another person decides about it.")
    _require_not_dealt(made.leg.deal, actor)
    return made


def _require_not_dealt(deal: Deal, actor: User) -> None:
    dealt = {one.person_number for one in (deal.maker, deal.executed_by) if one is not None}
    if actor.person_number in dealt:
        raise Forbidden("Somebody who did not deal it says what came of it.")


def _require_kind(kind: str, difference: Decimal) -> None:
    fitting: Sequence[Any] = (
        (DifferenceKind.OVER,) if difference > 0 else (DifferenceKind.FEE, DifferenceKind.SHORT)
    )
    if kind not in fitting:
        raise Invalid(
            f"Choose one of: {', '.join(str(one.label) for one in fitting)}.", field="kind"
        )


def _require_small(leg: DealLeg, difference: Decimal) -> None:
    share = policies.get(knobs.FX_RECEIPT_DIFFERENCE_PCT_MAX)
    if abs(difference) > leg.amount * share:
        raise DifferenceRefused(
            f"{Money(difference, leg.currency)} are more than {share:.2%} of what was agreed:"
            " claim it, or close the deal out."
        )


def _decide(made: ReceiptDifference, state: str, actor: User) -> None:
    made.state, made.checker, made.decided_at = state, actor, clock.now()
    made.save(update_fields=["state", "checker", "decided_at", "note", "amount_usd", "usd_rate"])
