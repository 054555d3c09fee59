"""Deals that end otherwise: closed out by an offsetting one, or cancelled by both sides.

What was dealt stands. It is closed out by a deal the other way round, with its own approval; where
the counterparty nets, only the difference moves. Or both sides agree that it is none: with
evidence, by two approvals, and only while nothing of it has left or come.
"""

from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from approvals import selectors as approval_reads
from approvals import services as approval_services
from core import clock
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import BACK_OFFICE, DEALER
from core.money import Money
from fx.engine.pairs import USD, Pair
from fx.engine.quotes import Side
from fx.errors import LegAlreadySent
from fx.models import CancellationState, Deal, DealCancellation, DealState, LegState
from fx.selectors import closing as reads
from fx.services import legs
from fx.services.deals import DealIn, capture_deal, locked, require_dealer, require_state, tell
from fx.services.failing import held_legs, leave_nets

SUBJECT: Final = "fx.cancellation"
ACTION: Final = "fx_deal_cancel"
ASKERS: Final = (DEALER, BACK_OFFICE)
APPROVALS_MIN: Final = 2
EVIDENCE_CHARS_MAX: Final = 2_000


@transaction.atomic
def close_out(
    *, deal_id: UUID, amount: Decimal | None, limit_rate: Decimal, why: str, actor: User
) -> Deal:
    """Draft the deal that closes another one out, in whole or in part; it is submitted like any.

    Raises:
        Forbidden: this person may not deal.
        DealStateRefused: it was not dealt, or is over.
        Invalid: more than is open, nothing is, or it closes out another one itself.
    """
    require_dealer(actor)
    deal = locked(deal_id)
    require_state(deal, DealState.EXECUTED, DealState.CONFIRMED)
    if deal.closes_id is not None:
        raise Invalid("It closes out another deal itself.", field="deal")
    left = open_amount(deal)
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        raise Invalid(f"{Money(left, deal.base)} of {deal.reference} are open.", field="amount")
    return capture_deal(
        draft=DealIn(
            counterparty=deal.counterparty_id,
            pair=Pair(deal.base, deal.quote),
            side=Side.SELL if deal.side == Side.BUY else Side.BUY,
            dealt=Money(amount, deal.base),
            limit_rate=limit_rate,
            pay_account=deal.receive_account_id,
            receive_account=deal.pay_account_id,
            why=why,
            value_date=deal.value_date,
            kind=deal.kind,
            closes=deal.pk,
        ),
        maker=actor,
    )


def open_amount(deal: Deal) -> Decimal:
    """Return how much of a deal, in its base currency, no other one closes out."""
    taken = deal.close_outs.exclude(state__in=reads.GIVEN_UP).aggregate(total=Sum("base_amount"))
    left: Decimal = deal.base_amount - (taken["total"] or Decimal(0))
    return left


@transaction.atomic
def ask_to_cancel(*, deal_id: UUID, evidence: str, actor: User) -> DealCancellation:
    """Ask two people to approve that a deal that was dealt is none; both sides agreed on it.

    Raises:
        Forbidden: this takes a dealer or the back office.
        Invalid: no evidence, somebody asked already, or another deal closes it out.
        DealStateRefused: it was not dealt, or is over.
        LegAlreadySent: something of it has left or come.
        NobodyEligible: too few other people may approve it (from the approvals room).
    """
    if not actor.has_role(*ASKERS):
        raise Forbidden("Cancelling what was dealt takes a dealer or the back office.")
    words = evidence.strip()
    if not 0 < len(words) <= EVIDENCE_CHARS_MAX:
        raise Invalid("Write what the counterparty said, and where it is kept.", field="evidence")
    deal = locked(deal_id)
    require_state(deal, DealState.EXECUTED, DealState.CONFIRMED, DealState.FAILED)
    if deal.cancellations.filter(state=CancellationState.PENDING).exists():
        raise Invalid("Two people are asked about that already.", field="deal")
    _require_unmoved(deal)
    made = DealCancellation.objects.create(
        deal=deal, evidence=words, maker=actor, created_at=clock.now()
    )
    base = Money(deal.base_amount, deal.base)
    approval_services.submit(
        submission=approval_services.Submission(
            action=ACTION,
            subject_type=SUBJECT,
            subject_id=made.pk,
            subject_version=1,
            title=f"Cancel {deal.reference}: {base} with {deal.counterparty.name}",
            content=reads.content_of(made.pk),
            maker=actor,
            maker_label=actor.display_name,
            amount=Money(deal.usd_equivalent or Decimal(0), USD),
            involved=tuple(filter(None, (deal.maker, deal.executed_by))),
            entity=deal.pay_account.entity_id,
            at_least=approval_reads.Requirement.of(APPROVALS_MIN),
        )
    )
    return made


@transaction.atomic
def cancel_dealt(*, cancellation_id: UUID) -> Deal:
    """Cancel a deal on which both sides agreed, once two people approved.

    Raises:
        LegAlreadySent: something of it has left or come meanwhile.
    """
    made = DealCancellation.objects.get(pk=cancellation_id)
    deal = locked(made.deal_id)
    before, reason = deal.state, f"Cancelled by both sides: {made.evidence}"
    leave_nets(deal, reason=reason, if_it_left=True)
    for leg in held_legs(deal):
        legs.void(leg, reason=reason)
    deal.cancel_dealt(at=clock.now(), reason=reason)
    deal.save()
    _close(made, CancellationState.DONE)
    tell(deal, before=before, reason=reason)
    return deal


@transaction.atomic
def refuse_cancellation(*, cancellation_id: UUID) -> None:
    """Let a deal stand: somebody said no, or nobody decided."""
    made = DealCancellation.objects.select_for_update().get(pk=cancellation_id)
    if made.state == CancellationState.PENDING:
        _close(made, CancellationState.REFUSED)


def _close(made: DealCancellation, state: str) -> None:
    made.state, made.closed_at = state, clock.now()
    made.save(update_fields=["state", "closed_at"])


def _require_unmoved(deal: Deal) -> None:
    other = deal.close_outs.exclude(state__in=reads.GIVEN_UP).first()
    if other is not None:
        raise Invalid(
            f"{other.reference} closes it out and would be left alone: cancel that one first.",
            field="deal",
        )
    for leg in held_legs(deal):
        if leg.state in (LegState.SENT, LegState.SETTLED) or legs.has_left(leg):
            raise LegAlreadySent(
                f"{leg.reference} has left or come already: the deal is closed out instead.",
                leg=leg.reference,
            )
        if leg.state == LegState.FAILED:
            legs.require_undisputed(leg)
