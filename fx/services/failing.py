"""A deal that does not settle: what it expected is withdrawn, until a person takes it up again."""

from datetime import date
from uuid import UUID

from django.db.models import QuerySet

from calendars.engine.days import Roll, adjust
from core import clock
from core.errors import DomainError
from fx.engine.pairs import Pair
from fx.errors import LegAlreadySent
from fx.models import Deal, DealLeg, LegState
from fx.selectors import deals as reads
from fx.selectors import settlement
from fx.services import legs, netting
from fx.services.deals import SUBJECT, tell
from treasury.selectors.movement import window_for
from treasury.services.news import raise_alert


def held_legs(deal: Deal) -> QuerySet[DealLeg]:
    """Return the legs that stand of a locked deal, locked."""
    return settlement.legs_of(deal.pk).select_for_update(of=("self",))


def fall(deal: Deal, *, reason: str) -> None:
    """Fail a locked deal: what neither left nor came is withdrawn, in the same transaction.

    What a bank has, or has booked, stays as it is: that is the risk that stands open.
    """
    before = deal.state
    leave_nets(deal, reason=reason, if_it_left=False)
    for leg in held_legs(deal):
        if leg.state in (LegState.EXPECTED, LegState.INSTRUCTED):
            legs.fail(leg, reason=reason)
    deal.fail(at=clock.now(), reason=reason)
    deal.save()
    tell(deal, before=before, reason=reason)
    raise_alert(
        kind="fx_settlement_failed",
        severity="high",
        subject_type=SUBJECT,
        subject_id=deal.pk,
        title=f"{deal.reference} with {deal.counterparty.name} does not settle",
        detail=reason,
    )


def leave_nets(deal: Deal, *, reason: str, if_it_left: bool) -> None:
    """Undo the nets that a locked deal is part of.

    Raises:
        LegAlreadySent: one has left, and `if_it_left` asks to say so; otherwise it stays.
    """
    found = {one.net_id for one in held_legs(deal) if one.state == LegState.NETTED}
    for net_id in sorted(one for one in found if one is not None):
        try:
            netting.undo(netting.held_net(net_id), reason=reason)
        except LegAlreadySent:
            if if_it_left:
                raise


def require_unpaid(deal: Deal) -> None:
    """Refuse what may have been paid: by a version that was replaced, a net, or a word undone.

    Raises:
        LegAlreadySent: it names the leg, and what is known of its payment.
    """
    before = legs.paid_before(deal)
    if before is not None:
        raise LegAlreadySent(
            f"{legs.why_paid(before)} Nothing is paid again.", leg=before.reference
        )
    for leg in held_legs(deal):
        if leg.state == LegState.FAILED:
            legs.require_undisputed(leg)


def renew_failed(deal: Deal, *, reason: str) -> list[DealLeg]:
    """Replace the failed legs of a locked deal, for the first day that can still be reached."""
    failed = [one for one in held_legs(deal) if one.state == LegState.FAILED]
    if not failed:
        return []
    terms = legs.Terms(
        value_date=_good_for_both(deal, max(_first_day(one, deal.value_date) for one in failed)),
        pay_account=_account(failed, deal.pay_account_id, is_pay=True),
        receive_account=_account(failed, deal.receive_account_id, is_pay=False),
        instruction=reads.instruction_for(deal.counterparty, legs.payee_currency(deal)),
    )
    return [legs.renewed(one, terms=terms, reason=reason) for one in failed]


def _good_for_both(deal: Deal, day: date) -> date:
    """Return the first day from `day` on that is good in both centres, and in New York."""
    centres = reads.centres_of(Pair(deal.base, deal.quote))
    return adjust(centres.settlement, day, Roll.FOLLOWING)


def _first_day(leg: DealLeg, agreed: date) -> date:
    """Return the first day on which a leg can still be done, not before the one agreed."""
    today = clock.today(leg.account.timezone)
    try:
        window = window_for(rail=leg.rail, account=leg.account, now=clock.now())
    except DomainError:  # no such rail: what cannot be reached is told when it is instructed
        return max(agreed, today)
    return max(agreed, window.value_date)


def _account(failed: list[DealLeg], agreed: UUID, *, is_pay: bool) -> UUID:
    return next((one.account_id for one in failed if one.is_pay is is_pay), agreed)
