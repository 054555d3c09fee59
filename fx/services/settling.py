"""Settlement: legs follow their banks' entries, and deals follow their legs.

A leg is never settled by a word of ours. What we pay is settled by the debit that its transfer
was proven with, what we receive by the entry that fulfilled what was expected. A payment that is
refused, expires or comes back fails its deal in the same transaction.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet

from core import clock
from core.errors import DomainError
from core.money import Money
from fx.engine.settlement import MAY_HAVE_LEFT, Standing, paid
from fx.models import (
    Deal,
    DealLeg,
    DealState,
    DifferenceState,
    LegDirection,
    LegState,
    NetState,
    ReceiptDifference,
    SettlementAlarm,
    SettlementAlarmKind,
    SettlementNet,
)
from fx.selectors import differences, settlement
from fx.services import booking, chasing, legs, netting, payees
from fx.services.chasing import MISSING
from fx.services.deals import SUBJECT, locked, tell
from fx.services.failing import fall, held_legs, renew_failed
from fx.services.rejoining import ask_about_twice, take_back
from treasury.selectors import flows as flow_reads
from treasury.selectors import statements
from treasury.services import flows as flow_writes
from treasury.services import tasks
from treasury.services.news import raise_alert

logger = structlog.get_logger(__name__)
DIFFERS: Final = "fx_receipt_differs"
BATCH_MAX: Final = 500
_MATCHED: Final = "MATCHED"
_FOLLOWED: Final = (DealState.EXECUTED, DealState.CONFIRMED, DealState.FAILED)
_OUT: Final = (LegState.INSTRUCTED, LegState.SENT, LegState.FAILED)


def follow_open() -> list[UUID]:
    """Bring every deal of which a bank said something new to where that puts it; return them."""
    moved = []
    for net_id in list(_open_nets().values_list("pk", flat=True)[:BATCH_MAX]):
        try:
            follow_net(net_id=net_id)
        except (DomainError, DatabaseError) as refusal:
            logger.warning("fx_net_not_followed", net=str(net_id), error=str(refusal))
    for deal_id in _moving(DealLeg.objects.all()):
        try:
            if follow_deal(deal_id=deal_id):
                moved.append(deal_id)
        except (DomainError, DatabaseError) as refusal:  # one deal stops no other one
            logger.warning("fx_deal_not_followed", deal=str(deal_id), error=str(refusal))
    return moved


def _moving(among: QuerySet[DealLeg]) -> list[UUID]:
    """Return the deals whose legs may move: a payment is out, an entry came, or one is gone.

    What is only expected is looked at once its flow is fulfilled: a book of forwards costs nothing.
    """
    undone = Q(proposal__state="RETURNED") | ~Q(entry__state="COUNTED")
    acted = among.filter(
        Q(state__in=_OUT, proposal__isnull=False)
        | Q(
            legs.may_be_paid(),
            state=LegState.VOID,
            deal__state__in=(DealState.EXECUTED, DealState.CONFIRMED),
        )
        | Q(undone, state=LegState.SETTLED, net=None)
        | Q(state=LegState.SETTLED, deal__state=DealState.CONFIRMED),
        deal__state__in=(*_FOLLOWED, DealState.SETTLED),
    )
    waiting = among.select_related("deal").filter(
        direction=LegDirection.RECEIVE, state=LegState.EXPECTED, deal__state__in=_FOLLOWED
    )
    names = {one.reference: one.deal_id for one in waiting}
    came = flow_reads.matched_refs(source=legs.SOURCE, refs=names)
    return sorted({*acted.values_list("deal_id", flat=True), *(names[one] for one in came)})


def _open_nets() -> QuerySet[SettlementNet]:
    undone = Q(proposal__state="RETURNED") | ~Q(entry__state="COUNTED")
    return SettlementNet.objects.filter(
        Q(state__in=(NetState.EXPECTED, NetState.INSTRUCTED, NetState.SENT, NetState.FAILED))
        | Q(undone, state=NetState.SETTLED, entry__isnull=False)
    ).order_by("id")


@transaction.atomic
def follow_net(*, net_id: UUID) -> None:
    """Bring a net to where its bank puts it; its legs and their deals go with it."""
    netting.hold_party_of(net_id)
    parts = DealLeg.objects.filter(net=net_id).values("deal")
    deals = list(Deal.objects.filter(pk__in=parts).order_by("id").values_list("pk", flat=True))
    held = [locked(one) for one in deals]
    net = netting.held_net(net_id)
    before = net.state
    if net.is_pay:
        _follow_net_payment(net)
    else:
        _follow_net_receipt(net)
    if net.state == before:
        return
    for deal in held:
        if net.state in (NetState.SENT, NetState.SETTLED):
            take_back(deal, net=net)
        reason = _follow_its_net(deal, net)
        if reason and deal.state != DealState.FAILED:
            fall(deal, reason=reason)
        elif not reason and deal.state == DealState.FAILED:
            _resume(deal, fell_by=net.reference)
        _conclude(deal)
        _watch_gap(deal, list(held_legs(deal)))
        tell(deal, before=deal.state)


def _follow_net_payment(net: SettlementNet) -> None:
    payment, proposal = settlement.payment_of(net), net.proposal
    standing = paid(payment)
    if proposal is None or net.state in (standing, NetState.VOID):
        return
    if standing is Standing.FAILED and net.state != NetState.FAILED:
        netting.withdraw(net)
        words = proposal.closing_reason or f"Its payment is {proposal.get_state_display()}."
        net.fail(at=clock.now(), reason=words)
        net.save()
        tasks.answer_task(kind=legs.LATE, key=net.reference, note=words)
        return
    if standing not in (Standing.SENT, Standing.SETTLED):
        return
    if net.state != NetState.SENT:
        is_late = net.state == NetState.FAILED
        net.send(at=clock.now())
        net.save()
        tasks.answer_task(kind=legs.LATE, key=net.reference, note="Its bank has it.")
        if is_late:
            netting.expect(net)
    debit = _debit_of(proposal.transfer) if standing is Standing.SETTLED else None
    if debit is not None:
        net.entry, net.entry_part = debit, proposal.transfer.debit_part
        flow_writes.fulfil(entry=debit, end_to_end_id=net.reference, amount=-net.amount)
        net.settle(at=clock.now())
        net.save()


def _debit_of(held: Any) -> Any:
    """Return the debit that proves a transfer, while it counts by itself."""
    debit = held.debit_entry
    return debit if debit is not None and debit.state == settlement.COUNTED else None


def _follow_net_receipt(net: SettlementNet) -> None:
    flow = flow_reads.flows_named(source=legs.SOURCE, refs=[net.reference]).get(net.reference)
    entry = flow.matched_entry if flow is not None and flow.state == _MATCHED else None
    accepted = differences.accepted_for(net) if entry is not None or net.entry_id else None
    was_settled = net.state == NetState.SETTLED and net.entry_id is not None
    if was_settled and (entry is None or entry.pk != net.entry_id):
        # What had settled it is gone; another entry may have taken its place in one statement.
        net.expect_again()
        net.save()
        _take_back_difference(accepted)
        accepted = None
    is_taken = _is_taken(accepted, entry)
    part = accepted.entry_part if accepted is not None and is_taken else _part_of(entry, net)
    is_whole = entry is not None and _booked(entry, part) == net.amount
    if net.state == NetState.EXPECTED and entry is not None and (is_whole or is_taken):
        net.entry, net.entry_part = entry, part
        net.settle(at=clock.now())
        net.save()
        tasks.answer_task(kind=MISSING, key=net.reference, note="It was booked.")


def _is_taken(accepted: ReceiptDifference | None, entry: Any) -> bool:
    """Tell whether two people accepted that an entry settles what it fulfils."""
    return accepted is not None and entry is not None and accepted.entry_id == entry.pk


def _take_back_difference(accepted: ReceiptDifference | None) -> None:
    """Note that a difference holds no more, as its entry is gone, and book the opposite."""
    if accepted is None:
        return
    now = clock.now()
    accepted.state, accepted.reversed_at = DifferenceState.REVERSED, now
    accepted.save(update_fields=["state", "reversed_at"])
    booking.take_back(accepted, at=now)


def _follow_its_net(deal: Deal, net: SettlementNet) -> str:
    """Bring the legs of a deal that are in a net to where it stands; return why they failed."""
    for leg in held_legs(deal):
        if leg.net_id != net.pk:
            continue
        if net.state == NetState.SETTLED and leg.state == LegState.NETTED:
            leg.settle(at=clock.now())
        elif net.state == NetState.FAILED and leg.state != LegState.FAILED:
            leg.fail(at=clock.now(), reason=net.reason)
        elif leg.state == LegState.SETTLED and net.state in (NetState.EXPECTED, NetState.SENT):
            leg.wait_again()
        elif leg.state == LegState.FAILED and net.state in (NetState.SENT, NetState.SETTLED):
            leg.rejoin()
            if net.state == NetState.SETTLED:
                leg.save()
                leg.settle(at=clock.now())
        leg.save()
    return f"{net.reference}: {net.reason}" if net.state == NetState.FAILED else ""


def follow_proposal(*, proposal_id: UUID) -> None:
    """Follow the deal that a payment belongs to, if it is the payment of one."""
    leg = DealLeg.objects.select_related("deal", "proposal").filter(proposal=proposal_id).first()
    if leg is not None:
        follow_deal(deal_id=leg.deal_id)
        payment = settlement.payment_of(leg)
        if leg.state == LegState.VOID and payment and payment.state in MAY_HAVE_LEFT:
            ask_about_twice(leg.reference, amount=Money(leg.amount, leg.currency))
        return
    net = SettlementNet.objects.filter(proposal=proposal_id).values_list("pk", flat=True).first()
    if net is not None:
        follow_net(net_id=net)
        parts = DealLeg.objects.filter(net=net, state=LegState.VOID).values_list("deal", flat=True)
        for deal_id in sorted(set(parts)):
            follow_deal(deal_id=deal_id)


def follow_accounts(*, accounts: Iterable[UUID]) -> None:
    """Follow the deals and nets that have got entries on these accounts."""
    listed = tuple(accounts)
    for deal_id in _moving(DealLeg.objects.filter(account__in=listed)):
        follow_deal(deal_id=deal_id)
    for net in _open_nets().filter(account__in=listed):
        follow_net(net_id=net.pk)


@transaction.atomic
def follow_deal(*, deal_id: UUID) -> bool:
    """Bring the legs of a deal, and the deal, to where its banks put them; say whether it moved.

    Raises:
        DealUnknown: there is none.
    """
    deal = locked(deal_id)
    standing = list(held_legs(deal))
    if not standing:
        return False
    before = (deal.state, [one.state for one in standing])
    alone = [one for one in standing if one.net_id is None]
    reasons = [_follow_pay(one) if one.is_pay else _follow_receipt(one) for one in alone]
    failed = next((one for one in reasons if one), "") or _paid_by_another(deal)
    if failed and deal.state != DealState.FAILED:
        fall(deal, reason=failed)
    elif deal.state == DealState.FAILED:
        _take_up(deal, standing)
    _conclude(deal)
    after = list(held_legs(deal))
    _watch_gap(deal, after)
    moved = (deal.state, [one.state for one in after]) != before
    if moved and deal.state == before[0]:
        tell(deal, before=deal.state)
    return moved


def _follow_pay(leg: DealLeg) -> str:
    """Bring what we pay to where its payment stands; return why it failed just now."""
    payment = settlement.payment_of(leg)
    standing = paid(payment)
    proposal = leg.proposal
    if proposal is None or standing == leg.state:
        return ""
    if standing is Standing.FAILED and leg.state in (
        LegState.INSTRUCTED, LegState.SENT, LegState.SETTLED,
    ):  # fmt: skip
        reason = proposal.closing_reason or f"Its payment is {proposal.get_state_display()}."
        legs.fail(leg, reason=reason)
        return f"{leg.reference}: {reason}"
    if standing in (Standing.SENT, Standing.SETTLED):
        _sent(leg)
    debit = _debit_of(proposal.transfer) if standing is Standing.SETTLED else None
    if debit is not None and leg.state == LegState.SENT:
        leg.entry, leg.entry_part = debit, proposal.transfer.debit_part
        # Booked while nothing was expected any more: what is expected again is fulfilled by it.
        flow_writes.fulfil(entry=debit, end_to_end_id=leg.reference, amount=-leg.amount)
        leg.settle(at=clock.now())
        leg.save()
    return ""


def _paid_by_another(deal: Deal) -> str:
    """Ask a person about a replaced leg that may have been paid; return why its deal stops.

    What would pay it again is withdrawn as the deal falls, unless its bank may have it already.
    """
    before = legs.paid_before(deal)
    if before is None or deal.state not in (DealState.EXECUTED, DealState.CONFIRMED):
        return ""
    ask_about_twice(before.reference, amount=Money(before.amount, before.currency))
    return legs.why_paid(before)


def _sent(leg: DealLeg) -> None:
    """Note that the bank may have it; one that had failed is owed, and expected, again."""
    if leg.state not in (LegState.INSTRUCTED, LegState.FAILED, LegState.SETTLED):
        return
    is_late = leg.state == LegState.FAILED
    leg.send(at=clock.now())
    leg.save()
    for kind in (legs.LATE, legs.ACCOUNT_DROPPED):
        tasks.answer_task(kind=kind, key=leg.reference, note="Its bank has it.")
    if is_late:
        legs.expect(leg)


def _follow_receipt(leg: DealLeg) -> str:
    """Bring what we receive to where the expected flow stands; it fails by a person's word only."""
    flow = flow_reads.flows_named(source=legs.SOURCE, refs=[leg.reference]).get(leg.reference)
    entry = flow.matched_entry if flow is not None and flow.state == _MATCHED else None
    accepted = differences.accepted_for(leg) if entry is not None or leg.entry_id else None
    if leg.state == LegState.SETTLED and (entry is None or entry.pk != leg.entry_id):
        # What had settled it is gone; another entry may have taken its place in one statement.
        leg.expect_again()
        leg.save()
        _take_back_difference(accepted)
        accepted = None
    is_taken = _is_taken(accepted, entry)
    part = accepted.entry_part if accepted is not None and is_taken else _part_of(entry, leg)
    if entry is not None and _booked(entry, part) != leg.amount and not is_taken:
        _ask_about(leg, Money(entry.amount, leg.currency))
        # The right amount may still come; what else the entry fulfils stays as it is.
        flow_writes.release_flow(entry=entry, source=legs.SOURCE, source_ref=leg.reference)
        entry = None
    if entry is not None and leg.state == LegState.EXPECTED:
        leg.entry, leg.entry_part = entry, part
        leg.settle(at=clock.now())
        leg.save()
        for kind in (MISSING, DIFFERS, legs.ACCOUNT_DROPPED):
            tasks.answer_task(kind=kind, key=leg.reference, note="It was booked.")
    return ""


def _part_of(entry: Any, thing: DealLeg | SettlementNet) -> Any:
    """Return the part that a leg or net is of an entry which books several payments, else None."""
    if entry is None or entry.amount == thing.amount:
        return None
    if thing.entry_part is not None and thing.entry_id == entry.pk:
        return thing.entry_part
    free = statements.parts_of(entry.pk).filter(deal_leg=None, settlement_net=None)
    return free.filter(amount=thing.amount).first()


def _booked(entry: Any, part: Any) -> Decimal:
    amount: Decimal = entry.amount if part is None else part.amount
    return amount


def _ask_about(leg: DealLeg, came: Money) -> None:
    """Ask a person about money that came for a leg and is not what was agreed."""
    tasks.open_task(
        task=tasks.TaskIn(
            kind=DIFFERS,
            key=leg.reference,
            title=f"{leg.deal.counterparty.name} paid {came} for {leg.reference}",
            detail=f"{Money(leg.amount, leg.currency)} were agreed. Claim the rest, have the"
            " payment corrected, or propose on the deal's page to take it as it came: until then"
            " the leg stays open.",
        )
    )


def _take_up(deal: Deal, standing: Sequence[DealLeg]) -> None:
    """Take a deal up again that fell by its payment, once that was made after all."""
    paid_after_all = any(
        one.is_pay
        and one.state in (LegState.SENT, LegState.SETTLED)
        and deal.closing_reason.startswith(one.reference)
        for one in standing
    )
    if paid_after_all:
        _resume(deal, fell_by="")


def _resume(deal: Deal, *, fell_by: str) -> None:
    """Take a deal up again that fell by this payment; what was withdrawn with it is renewed."""
    if not deal.closing_reason.startswith(fell_by) or deal.confirmed_by is None:
        return
    if not legs.has_payee(deal):
        chasing.ask_for_payee(deal)
        return
    before = deal.state
    deal.resume()
    deal.save()
    renew_failed(deal, reason="The payment was made after all.")
    for kind in (legs.PAYEE_GONE, payees.GOES_ON):
        tasks.answer_task(kind=kind, key=deal.reference, note="It goes on by itself.")
    tell(deal, before=before)


def _conclude(deal: Deal) -> None:
    """Settle a confirmed deal whose legs are both proven, or take that back."""
    is_whole = settlement.done(held_legs(deal)).is_whole
    before = deal.state
    if is_whole and deal.state == DealState.CONFIRMED:
        deal.settle(at=clock.now())
    elif not is_whole and deal.state == DealState.SETTLED:
        deal.unsettle()
    else:
        return
    deal.save()
    tell(deal, before=before)


def _watch_gap(deal: Deal, standing: Sequence[DealLeg]) -> None:
    """Ring once while one leg is done and the other one is not; it stands until that is right."""
    found = settlement.done(standing)
    kind = SettlementAlarmKind.ONE_LEG_SETTLED
    alarm = (
        SettlementAlarm.objects.select_for_update()
        .filter(deal=deal, kind=kind, closed_at=None)
        .first()
    )
    if alarm is not None and not found.is_one_sided:
        alarm.closed_at = clock.now()
        alarm.save(update_fields=["closed_at"])
    if alarm is not None or not found.is_one_sided:
        return
    words = _gap_words(deal, standing, is_paid=found.is_paid)
    alarm = SettlementAlarm.objects.create(
        deal=deal, kind=kind, words=words[:300], opened_at=clock.now()
    )
    raise_alert(
        kind="fx_one_leg_settled",
        severity="high" if found.is_paid else "medium",
        subject_type=SUBJECT,
        subject_id=deal.pk,
        title=f"{deal.reference}: one leg only is settled",
        detail=words,
    )


def _gap_words(deal: Deal, standing: Sequence[DealLeg], *, is_paid: bool) -> str:
    left = next(one for one in standing if one.state != LegState.SETTLED)
    amount = Money(left.amount, left.currency)
    if is_paid:
        return (
            f"We paid, and {deal.counterparty.name} owes us {amount}, due {left.value_date}:"
            " settlement risk is open."
        )
    return f"{deal.counterparty.name} paid, and we owe {amount}, due {left.value_date}."
