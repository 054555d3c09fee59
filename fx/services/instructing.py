"""What a confirmed deal pays is proposed, so that it lands on its day; refused, it is done anew.

The proposal is the system's: whoever dealt or confirmed takes no part in its approval.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from core import clock
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import BACK_OFFICE
from core.money import Money
from fx.engine.pairs import USD
from fx.errors import LegAlreadySent
from fx.models import (
    Deal,
    DealKind,
    DealLeg,
    DealState,
    LegDirection,
    LegState,
    NdfFixing,
    NetDirection,
    NetState,
    SettlementNet,
)
from fx.selectors import deals as reads
from fx.selectors import settlement
from fx.services import legs, netting, payees
from fx.services.deals import locked, require_state, tell
from fx.services.failing import fall, held_legs, leave_nets, renew_failed, require_unpaid
from treasury.selectors import accounts
from treasury.selectors.movement import window_for
from treasury.services import proposals, tasks

logger = structlog.get_logger(__name__)
PURPOSE: Final = "FX_SETTLEMENT"
MAKER_LABEL: Final = "settlement of deals"
INSTRUCTORS: Final = (BACK_OFFICE,)
NOT_INSTRUCTED: Final = "fx_leg_not_instructed"
# How far ahead of its day a payment may be proposed at most; the rail's own window decides.
LOOK_AHEAD_DAYS: Final = 5
BATCH_MAX: Final = 500


def instruct_due(*, now: datetime) -> list[UUID]:
    """Propose what is due of every confirmed deal; return the deals of which it was proposed.

    One that cannot be proposed is a task for a person, and stops no other one.
    """
    due = DealLeg.objects.filter(
        direction=LegDirection.PAY,
        state=LegState.EXPECTED,
        deal__state=DealState.CONFIRMED,
        value_date__lte=now.date() + timedelta(days=LOOK_AHEAD_DAYS),
    ).order_by("value_date", "id")
    found = list(due.values_list("deal_id", flat=True)[:BATCH_MAX])
    return [deal_id for deal_id in found if instruct_now(deal_id=deal_id)]


def instruct_now(*, deal_id: UUID) -> bool:
    """Propose what a deal pays, or ask a person why it cannot be proposed; say whether it was."""
    try:
        return instruct_deal(deal_id=deal_id)
    except (DomainError, IntegrityError) as refusal:
        _ask_why(deal_id, refusal)
        return False


@transaction.atomic
def instruct_deal(*, deal_id: UUID) -> bool:
    """Propose what a confirmed deal pays, if its day can be reached now; say whether it was.

    After its cut-off the deal fails: nobody pays for another day than was agreed.

    Raises:
        DealUnknown: there is none.
        DomainError: the treasury does not take the proposal; its own words.
    """
    deal = locked(deal_id)
    leg = _payable(deal)
    if leg is None:
        return False
    if not leg.rail:
        raise Invalid(f"We have no rail for {leg.currency}.", field="rail")
    window = window_for(rail=leg.rail, account=leg.account, now=clock.now())
    if window.value_date < leg.value_date or netting.waits_for_its_net(
        leg, cutoff_at=window.cutoff_at, now=clock.now()
    ):
        return False
    if window.value_date > leg.value_date:
        words = f"The cut-off of {leg.rail} for {leg.value_date} passed before it was instructed."
        fall(deal, reason=words)
        return False
    legs.require_payee(leg)
    proposal = proposals.create_proposal(
        draft=_draft(deal, leg), maker=None, maker_label=MAKER_LABEL, reference=leg.reference
    )
    leg.proposal = proposal
    leg.instruct(at=clock.now())
    leg.save()
    proposals.submit_proposal(proposal_id=proposal.pk, actor=None, involved=_people_of(deal))
    tasks.answer_task(kind=NOT_INSTRUCTED, key=leg.reference, note="It was proposed.")
    tell(deal, before=deal.state)
    return True


def instruct_nets(*, now: datetime) -> list[UUID]:
    """Net what is due, and propose what nets pay; return the nets of which it was proposed."""
    netting.net_due(now=now)
    waiting = SettlementNet.objects.filter(state=NetState.EXPECTED, direction=NetDirection.PAY)
    done: list[UUID] = []
    for net in list(waiting.order_by("value_date", "id")[:BATCH_MAX]):
        try:
            if instruct_net(net_id=net.pk):
                done.append(net.pk)
        except (DomainError, IntegrityError) as refusal:
            _ask_why_not(net, refusal)
    return done


@transaction.atomic
def instruct_net(*, net_id: UUID) -> bool:
    """Propose what a net pays, if its day can be reached now; say whether it was.

    Whoever dealt or confirmed one of its deals does not check it.

    Raises:
        DomainError: the treasury does not take the proposal; its own words.
    """
    netting.hold_party_of(net_id)
    parts = DealLeg.objects.filter(net=net_id).values("deal")
    dealt = list(
        Deal.objects.select_for_update(of=("self",))
        .select_related("maker", "executed_by", "confirmed_by")
        .filter(pk__in=parts)
        .order_by("id")
    )
    net = netting.held_net(net_id)
    if net.state != NetState.EXPECTED or not net.is_pay or not _is_its_day(net):
        return False
    proposal = proposals.create_proposal(
        draft=proposals.ProposalIn(
            debit_account=net.account_id,
            amount=net.amount,
            beneficiary=net.instruction.beneficiary_id,
            purpose=PURPOSE,
            rail=net.rail,
            value_date=net.value_date,
            why=f"{net.reference}: what is left of {Money(net.gross, net.currency)} in"
            f" {', '.join(one.reference for one in dealt)} with {net.counterparty.name}, under"
            f" {net.agreement.reference}.",
        ),
        maker=None,
        maker_label=MAKER_LABEL,
        reference=net.reference,
    )
    net.proposal = proposal
    net.instruct(at=clock.now())
    net.save()
    people = {one.pk: one for deal in dealt for one in _people_of(deal)}
    proposals.submit_proposal(proposal_id=proposal.pk, actor=None, involved=tuple(people.values()))
    tasks.answer_task(kind=NOT_INSTRUCTED, key=net.reference, note="It was proposed.")
    return True


def _is_its_day(net: SettlementNet) -> bool:
    """Tell whether a payment made now lands on the net's day, or behind it: then it is refused."""
    if not net.rail:
        return True
    window = window_for(rail=net.rail, account=net.account, now=clock.now())
    return window.value_date >= net.value_date


def _ask_why_not(net: SettlementNet, refusal: Exception) -> None:
    words = refusal.message if isinstance(refusal, DomainError) else "The database refuses it."
    logger.warning("fx_net_not_instructed", net=net.reference, error=str(refusal))
    tasks.open_task(
        task=tasks.TaskIn(
            kind=NOT_INSTRUCTED,
            key=net.reference,
            title=f"{net.reference} could not be proposed",
            detail=f"{words} {Money(net.amount, net.currency)} are due on {net.value_date}.",
        )
    )


def _payable(deal: Deal) -> DealLeg | None:
    if deal.state != DealState.CONFIRMED:
        return None
    found = held_legs(deal).filter(direction=LegDirection.PAY, state=LegState.EXPECTED)
    return found.first()


def _draft(deal: Deal, leg: DealLeg) -> proposals.ProposalIn:
    bought = deal.base_amount if deal.bought == deal.base else deal.quote_amount
    why = f"we receive {Money(bought, deal.bought)}"
    if deal.kind == DealKind.NDF:
        why = f"fixed at {deal.fixing.rate.normalize():f}, only the difference is paid"
    return proposals.ProposalIn(
        debit_account=leg.account_id,
        amount=leg.amount,
        beneficiary=leg.instruction.beneficiary_id if leg.instruction else None,
        purpose=PURPOSE,
        rail=leg.rail,
        value_date=leg.value_date,
        why=f"{deal.reference} with {deal.counterparty.name}, their reference"
        f" {deal.counterparty_reference}: {why}.",
    )


def _people_of(deal: Deal) -> tuple[User, ...]:
    """Return who dealt, confirmed and fixed it: none of them checks the payment."""
    fixing = NdfFixing.objects.select_related("entered_by").filter(deal=deal).first()
    fixer = fixing.entered_by if fixing else None
    return tuple(filter(None, (deal.maker, deal.executed_by, deal.confirmed_by, fixer)))


def _ask_why(deal_id: UUID, refusal: Exception) -> None:
    leg = settlement.legs_of(deal_id).filter(direction=LegDirection.PAY).first()
    if leg is None:
        raise refusal
    words = refusal.message if isinstance(refusal, DomainError) else "The database refuses it."
    logger.warning("fx_leg_not_instructed", leg=leg.reference, error=str(refusal))
    tasks.open_task(
        task=tasks.TaskIn(
            kind=NOT_INSTRUCTED,
            key=leg.reference,
            title=f"{leg.reference} could not be proposed",
            detail=f"{words} {Money(leg.amount, leg.currency)} are due on {leg.value_date}.",
        )
    )


@transaction.atomic
def reinstruct_deal(*, deal_id: UUID, actor: User, reason: str) -> Deal:
    """Take a failed deal up again: its failed legs are replaced, for a day that can be reached.

    Raises:
        Forbidden: this person is not of the back office, or dealt it.
        DealStateRefused: it has not failed.
        Invalid: no reason, or nobody confirmed it.
        LegAlreadySent: its bank contradicts itself: it may have been paid.
    """
    deal = _taken_by(actor, deal_id, reason)
    require_state(deal, DealState.FAILED)
    if deal.confirmed_by is None:
        raise Invalid("The counterparty never confirmed it: enter its confirmation.", field="deal")
    require_unpaid(deal)
    before = deal.state
    deal.resume()
    deal.save()
    renew_failed(deal, reason=reason.strip())
    for kind in (legs.PAYEE_GONE, payees.GOES_ON):
        tasks.answer_task(kind=kind, key=deal.reference, note=reason, actor=actor)
    tell(deal, before=before, reason=reason)
    return deal


@transaction.atomic
def replace_legs(
    *,
    deal_id: UUID,
    actor: User,
    reason: str,
    pay_account: UUID | None = None,
    receive_account: UUID | None = None,
) -> list[DealLeg]:
    """Settle a deal otherwise than agreed at first: other accounts of ours, their newest account.

    Both legs are replaced; a payment that was proposed is proposed anew, for new approval.

    Raises:
        Forbidden: this person is not of the back office, or dealt it.
        DealStateRefused: it is not executed or confirmed.
        Invalid: no reason, or an account of another currency.
        LegAlreadySent: a leg has left, or came.
    """
    deal = _taken_by(actor, deal_id, reason)
    require_state(deal, DealState.EXECUTED, DealState.CONFIRMED)
    leave_nets(deal, reason=reason.strip(), if_it_left=True)
    standing = list(held_legs(deal))
    done = next((one for one in standing if one.state in (LegState.SENT, LegState.SETTLED)), None)
    if done is not None:
        raise LegAlreadySent(
            f"{done.reference} has left or come already: the deal is closed out, not changed.",
            leg=done.reference,
        )
    if not standing:
        raise Invalid("It has no legs.", field="deal")
    sold, bought = (USD, USD) if deal.kind == DealKind.NDF else (deal.sold, deal.bought)
    now_at = {one.direction: one.account_id for one in standing}
    pay_to = now_at.get(LegDirection.PAY, deal.pay_account_id)
    receive_on = now_at.get(LegDirection.RECEIVE, deal.receive_account_id)
    terms = legs.Terms(
        value_date=max(one.value_date for one in standing),
        pay_account=_ours(pay_account, sold, "pay_account") or pay_to,
        receive_account=_ours(receive_account, bought, "receive_account") or receive_on,
        instruction=reads.instruction_for(deal.counterparty, legs.payee_currency(deal)),
    )
    made = [legs.renewed(one, terms=terms, reason=reason.strip()) for one in standing]
    tell(deal, before=deal.state, reason=reason)
    return made


def _taken_by(actor: User, deal_id: UUID, reason: str) -> Deal:
    if not actor.has_role(*INSTRUCTORS):
        raise Forbidden("Instructing takes the role back_office.")
    if not reason.strip():
        raise Invalid("Say why.", field="reason")
    deal = locked(deal_id)
    dealt = {one.person_number for one in (deal.maker, deal.executed_by) if one is not None}
    if actor.person_number in dealt:
        raise Forbidden("Somebody who did not deal it instructs it.")
    return deal


def _ours(account_id: UUID | None, currency: str, field: str) -> UUID | None:
    if account_id is not None and not accounts.accounts(currency).filter(pk=account_id).exists():
        raise Invalid(f"Choose an active account of ours in {currency}.", field=field)
    return account_id
