"""Netting: under a signed agreement the legs of a day, currency and counterparty are one payment.

What is confirmed by the lead time before the rail's cut-off is part of the net; a leg that is
alone then is paid by itself. Until the net left, it can be undone, and its legs stand again.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q

from core import clock, policies
from core.errors import DomainError, Forbidden
from core.identity.models import User
from core.identity.roles import BACK_OFFICE
from core.money import Money
from fx import policies as knobs
from fx.engine import netting as engine
from fx.errors import LegAlreadySent, NotNettable
from fx.models import (
    Counterparty,
    Deal,
    DealLeg,
    DealState,
    LegState,
    NetDirection,
    NetState,
    NettingAgreement,
    SettlementNet,
)
from fx.selectors import deals as reads
from fx.selectors import settlement
from fx.services import legs
from fx.services.deals import hold_party
from treasury.selectors import accounts
from treasury.selectors.movement import window_for
from treasury.services import flows, tasks
from treasury.services.references import next_reference

logger = structlog.get_logger(__name__)
NETTERS: Final = (BACK_OFFICE,)
NOTHING_LEFT: Final = "They offset each other: nothing is left to pay."


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementIn:
    """What was signed, and from when on it holds."""

    reference: str
    signed_on: date
    starts_on: date
    ends_on: date | None = None


def sign_agreement(*, party: Counterparty, wish: AgreementIn) -> NettingAgreement:
    """Write down that a counterparty nets with us, in place of what was signed before."""
    NettingAgreement.objects.filter(counterparty=party, is_active=True).update(is_active=False)
    return NettingAgreement.objects.create(
        counterparty=party,
        reference=wish.reference,
        signed_on=wish.signed_on,
        starts_on=wish.starts_on,
        ends_on=wish.ends_on,
    )


def agreement_for(party: UUID, *, on: date) -> NettingAgreement | None:
    """Return the agreement under which payments of a day are netted; None is gross."""
    in_force = Q(ends_on=None) | Q(ends_on__gte=on)
    found = NettingAgreement.objects.filter(
        in_force, counterparty=party, is_active=True, starts_on__lte=on
    )
    return found.first()


def waits_for_its_net(leg: DealLeg, *, cutoff_at: datetime, now: datetime) -> bool:
    """Tell whether a leg is not paid by itself yet: others may still join it."""
    if agreement_for(leg.deal.counterparty_id, on=leg.value_date) is None:
        return False
    return now < cutoff_at - timedelta(minutes=policies.get(knobs.FX_NETTING_LEAD_MINUTES))


def net_due(*, now: datetime) -> list[SettlementNet]:
    """Net what is due within the lead time of its cut-off; return the new nets."""
    made: list[SettlementNet] = []
    for net in engine.nets_of(_parts(now)):
        try:
            found = _make(net, now)
        except (DomainError, IntegrityError) as refusal:  # one net stops no other one
            logger.warning("fx_not_netted", currency=net.key.currency, error=str(refusal))
            continue
        if found is not None:
            made.append(found)
    return made


def net_now(
    *, counterparty: UUID, currency: str, value_date: date, actor: User
) -> list[SettlementNet]:
    """Net what a counterparty and we pay on a day in a currency, before its lead time has come.

    Raises:
        Forbidden: this person is not of the back office.
        NotNettable: nothing was signed for that day, fewer than two legs can be netted, or they
            offset each other, which settles them without an entry, on their day alone.
    """
    if not actor.has_role(*NETTERS):
        raise Forbidden("Netting takes the role back_office.")
    hold_party(counterparty)
    if agreement_for(counterparty, on=value_date) is None:
        raise NotNettable("Nobody signed that payments of that day are netted.")
    waiting = settlement.nettable().filter(
        deal__counterparty=counterparty, currency=currency, value_date=value_date
    )
    now = clock.now()
    parts = [_part(one, now, is_early=True) for one in waiting]
    wanted = engine.nets_of(one for one in parts if one is not None)
    if any(_direction(one) == NetDirection.NOTHING for one in wanted):
        raise NotNettable(f"Of {currency} nothing is left to pay: they are netted on their day.")
    made = [net for one in wanted if (net := _make(one, now)) is not None]
    if not made:
        raise NotNettable(
            f"There are no two legs in {currency} of {value_date} that can be one payment: they"
            " are confirmed, and go between the same accounts."
        )
    return made


def _parts(now: datetime) -> list[engine.Part]:
    """Return every leg that may be netted now."""
    found = [
        _part(one, now)
        for one in settlement.nettable().filter(value_date__lte=now.date() + timedelta(days=1))
    ]
    return [one for one in found if one is not None]


def _part(leg: DealLeg, now: datetime, *, is_early: bool = False) -> engine.Part | None:
    party = leg.deal.counterparty
    payee = leg.instruction or reads.instruction_for(party, leg.currency)
    if payee is None or agreement_for(party.pk, on=leg.value_date) is None:
        return None
    rail = legs.rail_of(currency=leg.currency, bic=leg.account.bank.bic, payee=payee)
    try:
        window = window_for(rail=rail, account=leg.account, now=now)
    except DomainError:
        return None
    waits = window.value_date < leg.value_date or waits_for_its_net(
        leg, cutoff_at=window.cutoff_at, now=now
    )
    if window.value_date > leg.value_date or (waits and not is_early):
        return None
    return engine.Part(
        leg=leg.pk,
        key=engine.Key(
            counterparty=party.pk,
            currency=leg.currency,
            value_date=leg.value_date,
            payee=payee.pk,
            account=leg.account_id,
        ),
        amount=-leg.amount if leg.is_pay else leg.amount,
    )


@transaction.atomic
def _make(wanted: engine.Net, now: datetime) -> SettlementNet | None:
    """Make one net of locked legs; None when one of them moved meanwhile."""
    ids = [one.leg for one in wanted.parts]
    hold_party(wanted.key.counterparty)
    deals = DealLeg.objects.filter(pk__in=ids).values("deal")
    list(Deal.objects.select_for_update().filter(pk__in=deals).order_by("id"))
    parts = list(
        settlement.legs()
        .select_for_update(of=("self",))
        .filter(pk__in=ids, state=LegState.EXPECTED, deal__state=DealState.CONFIRMED)
    )
    key = wanted.key
    agreement = agreement_for(key.counterparty, on=key.value_date)
    if len(parts) != len(ids) or agreement is None:
        return None
    net = _created(wanted, agreement, now)
    for one in parts:
        legs.withdraw(one)
        one.net = net
        one.join()
        one.save()
    if net.direction == NetDirection.NOTHING:
        net.settle(at=now)
        net.reason = NOTHING_LEFT
        net.save()
        for one in parts:
            one.settle(at=now)
            one.save()
        return net
    expect(net)
    return net


def _created(wanted: engine.Net, agreement: NettingAgreement, now: datetime) -> SettlementNet:
    key, amount = wanted.key, wanted.amount
    account = accounts.account(key.account)
    payee = reads.instruction(key.payee)
    rail = legs.rail_of(currency=key.currency, bic=account.bank.bic, payee=payee)
    return SettlementNet.objects.create(
        reference=next_reference(kind="FXN"),
        agreement=agreement,
        counterparty_id=key.counterparty,
        currency=key.currency,
        value_date=key.value_date,
        direction=_direction(wanted),
        amount=abs(amount),
        gross=wanted.gross,
        legs_count=len(wanted.parts),
        account=account,
        instruction=payee,
        rail=rail,
        due_at=legs.due_at(account, rail=rail, day=key.value_date, is_pay=amount < 0),
        created_at=now,
    )


def _direction(wanted: engine.Net) -> str:
    if wanted.amount == 0:
        return NetDirection.NOTHING
    return NetDirection.PAY if wanted.amount < 0 else NetDirection.RECEIVE


def expect(net: SettlementNet) -> None:
    """Let the treasury expect what a net moves."""
    flows.put_expected_flow(
        flow=flows.FlowIn(
            account_id=net.account_id,
            source=legs.SOURCE,
            source_ref=net.reference,
            amount=-net.amount if net.is_pay else net.amount,
            value_date=net.value_date,
            description=f"{net.reference}: {net.legs_count} legs with {net.counterparty.name}",
            end_to_end_id=net.reference if net.is_pay else "",
        )
    )


def withdraw(net: SettlementNet) -> None:
    """Let the treasury expect it no longer."""
    flows.cancel_flow(account_id=net.account_id, source=legs.SOURCE, source_ref=net.reference)


def undo(net: SettlementNet, *, reason: str) -> None:
    """Undo a net whose money has not left: its legs are expected by themselves again.

    Raises:
        LegAlreadySent: it has left, or came, or offset everything.
    """
    if net.state not in (NetState.EXPECTED, NetState.INSTRUCTED) or legs.has_left(net):
        raise LegAlreadySent(
            f"{net.reference} of {Money(net.amount, net.currency)} has left or come already.",
            leg=net.reference,
        )
    legs.stop_payment(net.proposal, reason=reason)
    withdraw(net)
    net.void(at=clock.now(), reason=reason)
    net.save()
    tasks.answer_task(kind=legs.LATE, key=net.reference, note=reason)
    for one in settlement.legs().select_for_update(of=("self",)).filter(net=net):
        one.leave()
        one.save()
        legs.expect(one)


def hold_party_of(net_id: UUID) -> None:
    """Hold the counterparty of a net, before its deals and the net itself.

    Raises:
        SettlementNet.DoesNotExist: there is no such net.
    """
    hold_party(SettlementNet.objects.values_list("counterparty_id", flat=True).get(pk=net_id))


def held_net(net_id: UUID) -> SettlementNet:
    """Return a net, locked for the length of the transaction."""
    return (
        SettlementNet.objects.select_for_update(of=("self",))
        .select_related("counterparty", "account__bank", "instruction", "proposal__transfer")
        .get(pk=net_id)
    )
