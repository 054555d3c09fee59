"""A receipt of another amount than agreed is taken as it came: two people, and it is said as what.

What was owed, a leg or a net of several, is settled by the entry that came, or by one payment of
those that an entry books; what is missing, or too much, stays a row of its own
with its worth in dollars, and is booked as a result. Nothing is rounded away.
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
    NetDirection,
    NetState,
    ReceiptDifference,
    SettlementNet,
)
from fx.selectors import differences as reads
from fx.services import booking, netting, settling
from fx.services.deals import SUBJECT, locked
from treasury.selectors import accounts
from treasury.services import flows
from treasury.services.news import raise_alert

PROPOSERS: Final = (BACK_OFFICE,)
ACCEPTERS: Final = (BACK_OFFICE, TREASURY_CHECKER)
REASON_CHARS_MAX: Final = 500
_CENT: Final = Decimal("0.01")
Owed = DealLeg | SettlementNet


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What something owed is to be settled by, what the difference is, and why it is taken.

    `part` is which payment of the entry it is, where the bank booked several as one.
    """

    entry: UUID
    kind: str
    reason: str
    part: UUID | None = None


@transaction.atomic
def propose_difference(*, leg_id: UUID, wish: Wish, actor: User) -> ReceiptDifference:
    """Propose to take what came for a leg, or for the net it is part of, as it came.

    Nothing is settled by that alone.

    Raises:
        Forbidden: this person is not of the back office, or dealt it.
        NotFound: there is no such leg.
        DifferenceRefused: it does not wait for money, what came is not its difference, is too far
            off, or one is proposed already.
        Invalid: no reason, or it is another kind of difference.
    """
    if not actor.has_role(*PROPOSERS):
        raise Forbidden("Taking another amount takes the role back_office.")
    owed, deals = _held(leg_id)
    _require_not_dealt(deals, actor)
    words = wish.reason.strip()
    if not 0 < len(words) <= REASON_CHARS_MAX:
        raise Invalid("Say why it is taken as it came.", field="reason")
    came = reads.came_as(owed, entry=wish.entry, part=wish.part)
    if came is None:
        raise DifferenceRefused(
            f"That entry is nothing that came for {owed.reference}: it counts on its account, and"
            " proves nothing else; of one that books several payments, name which."
        )
    difference = came.amount - owed.amount
    _require_kind(wish.kind, difference)
    _require_small(owed, difference)
    if owed.differences.filter(state=DifferenceState.PROPOSED).exists():
        raise DifferenceRefused(f"A difference of {owed.reference} awaits another person already.")
    return ReceiptDifference.objects.create(
        leg=owed if isinstance(owed, DealLeg) else None,
        net=owed if isinstance(owed, SettlementNet) else None,
        entry=came.entry,
        entry_part=came.part,
        kind=wish.kind,
        came=came.amount,
        difference=difference,
        reason=words,
        maker=actor,
        created_at=clock.now(),
    )


@transaction.atomic
def accept_difference(*, difference_id: UUID, actor: User) -> ReceiptDifference:
    """Settle a leg, or a net, by what came, and book the difference as what it is.

    Raises:
        Forbidden: this person may not, proposed it, or dealt it.
        NotFound: there is none.
        DifferenceRefused: it was decided, or does not fit any more.
        RateMissing: nobody says what it is worth in dollars.
    """
    made = _proposed(difference_id, actor)
    _follow(made)  # the agreed amount may have come meanwhile
    owed = made.owed
    is_free = reads.came_as(owed, entry=made.entry_id, part=made.entry_part_id) is not None
    if owed.state != LegState.EXPECTED or not is_free:
        raise DifferenceRefused(f"{made.reference} is not settled by that entry any more.")
    worth = accounts.usd_equivalent(money=Money(made.difference, made.currency), now=clock.now())
    if worth.rate is None:
        raise RateMissing(f"Nobody says what {made.currency} are worth in dollars now.")
    made.usd_rate = worth.rate
    made.amount_usd = (made.difference * worth.rate).quantize(_CENT, rounding=ROUND_HALF_UP)
    _decide(made, DifferenceState.ACCEPTED, actor)
    is_taken = flows.fulfil(
        entry=made.entry,
        end_to_end_id=made.leg.deal.counterparty_reference if made.leg is not None else "",
        amount=owed.amount,
        source_ref=owed.reference,
    )
    _follow(made)
    settled_by = (made.owed.state, made.owed.entry_id, made.owed.entry_part_id)
    if not is_taken or settled_by != (LegState.SETTLED, made.entry_id, made.entry_part_id):
        raise DifferenceRefused(f"{made.reference} is not settled by that entry any more.")
    booking.book_difference(made, at=made.decided_at or clock.now())
    raise_alert(
        kind="fx_difference_accepted",
        severity="medium",
        subject_type=SUBJECT,
        subject_id=reads.deal_to_book(made),
        title=f"{made.reference}: {Money(made.difference, made.currency)} taken as"
        f" {made.get_kind_display()}",
        detail=f"{Money(made.came, made.currency)} came, {Money(made.agreed, made.currency)} were"
        f" agreed: {made.reason} It is worth {made.amount_usd:,.2f} USD.",
    )
    made.refresh_from_db()
    return made


@transaction.atomic
def refuse_difference(*, difference_id: UUID, reason: str, actor: User) -> ReceiptDifference:
    """Leave a leg, or a net, open: the whole amount is still owed.

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


def _held(leg_id: UUID) -> tuple[Owed, list[Deal]]:
    """Return what is owed with a leg, and its deals, locked: the leg, or the net it is part of."""
    row = DealLeg.objects.filter(pk=leg_id).values_list("deal_id", "net_id", "state").first()
    if row is None:
        raise NotFound("There is no such leg.", field="leg")
    deal_id, net_id, state = row
    if state == LegState.NETTED:
        deals = _deals_of_net(net_id)
        net = netting.held_net(net_id)
        if net.direction != NetDirection.RECEIVE or net.state != NetState.EXPECTED:
            raise DifferenceRefused(f"{net.reference} does not wait for money.")
        _require_dealt(deals, net.reference)
        return net, deals
    deal = locked(deal_id)
    leg = DealLeg.objects.select_for_update(of=("self",)).select_related("account").get(pk=leg_id)
    leg.deal = deal
    if leg.is_pay or leg.state != LegState.EXPECTED:
        raise DifferenceRefused(f"{leg.reference} does not wait for money.")
    _require_dealt([deal], leg.reference)
    return leg, [deal]


def _deals_of_net(net_id: UUID) -> list[Deal]:
    """Return the deals of a net, locked after their counterparty."""
    netting.hold_party_of(net_id)
    parts = DealLeg.objects.filter(net=net_id).values("deal")
    ids = Deal.objects.filter(pk__in=parts).order_by("id").values_list("pk", flat=True)
    return [locked(one) for one in list(ids)]


def _require_dealt(deals: Sequence[Deal], name: str) -> None:
    if any(one.state not in (DealState.EXECUTED, DealState.CONFIRMED) for one in deals):
        raise DifferenceRefused(f"{name} does not wait for money: its deal does not stand.")


def _proposed(difference_id: UUID, actor: User) -> ReceiptDifference:
    if not actor.has_role(*ACCEPTERS):
        raise Forbidden("Accepting another amount takes the back office or a treasury checker.")
    rows = ReceiptDifference.objects.select_related("maker", "leg__deal", "net")
    found = rows.filter(pk=difference_id).first()
    if found is None:
        raise NotFound("There is no such difference.", field="difference")
    deals = [locked(found.leg.deal_id)] if found.leg is not None else _deals_of_net(found.owed.pk)
    made = (
        rows.select_related("leg__account", "entry", "entry_part")
        .select_for_update(of=("self",))
        .get(pk=difference_id)
    )
    if made.state != DifferenceState.PROPOSED:
        raise DifferenceRefused(f"It was decided: {made.get_state_display()}.")
    if made.maker.person_number == actor.person_number:
        raise Forbidden("Another person decides about it.")
    _require_not_dealt(deals, actor)
    return made


def _follow(made: ReceiptDifference) -> None:
    """Bring what a difference is for to where its bank puts it, and read it again."""
    if made.leg is not None:
        settling.follow_deal(deal_id=made.leg.deal_id)
        made.leg = DealLeg.objects.select_related("deal").get(pk=made.owed.pk)
    else:
        settling.follow_net(net_id=made.owed.pk)
        made.net = SettlementNet.objects.get(pk=made.owed.pk)


def _require_not_dealt(deals: Sequence[Deal], actor: User) -> None:
    dealt = {
        one.person_number
        for deal in deals
        for one in (deal.maker, deal.executed_by)
        if one is not None
    }
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


def _require_small(owed: Owed, difference: Decimal) -> None:
    share = policies.get(knobs.FX_RECEIPT_DIFFERENCE_PCT_MAX)
    if abs(difference) > owed.amount * share:
        raise DifferenceRefused(
            f"{Money(difference, owed.currency)} are more than {share:.2%} of what was agreed:"
            " claim it, or close the deal out."
        )


def _decide(made: ReceiptDifference, state: str, actor: User) -> None:
    made.state, made.checker, made.decided_at = state, actor, clock.now()
    made.save(update_fields=["state", "checker", "decided_at", "note", "amount_usd", "usd_rate"])
