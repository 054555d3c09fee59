"""Legs of a deal: made when it is dealt, replaced while nothing left, withdrawn when it fails."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Max, Q

from calendars import selectors as calendars
from core import clock, policies
from core.errors import DomainError, Invalid
from core.money import Money
from fx import policies as knobs
from fx.engine.pairs import USD
from fx.engine.settlement import ASKED, MAY_HAVE_LEFT, ndf_difference
from fx.errors import LegAlreadySent
from fx.models import (
    Deal,
    DealKind,
    DealLeg,
    DealSide,
    LegDirection,
    LegState,
    SettlementInstruction,
    SettlementNet,
)
from fx.selectors import deals as reads
from treasury.engine.rails import BOOK, rail_for, rail_to
from treasury.selectors import accounts
from treasury.services import flows, proposals, tasks, transfers

SOURCE: Final = "DEAL"
PAY_NO: Final = 1
RECEIVE_NO: Final = 2
LATE: Final = "fx_payment_late"
PAYEE_GONE: Final = "fx_payee_gone"
ACCOUNT_DROPPED: Final = "fx_account_dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a leg is made of, where it differs from its deal: accounts, payee and day."""

    value_date: date
    pay_account: UUID
    receive_account: UUID
    instruction: SettlementInstruction | None


def make_legs(deal: Deal) -> list[DealLeg]:
    """Make both legs of a deal that was just dealt, in the caller's transaction.

    A non-deliverable forward has none: its difference is known once it is fixed.
    """
    if deal.kind != DealKind.DELIVERABLE:
        return []
    terms = Terms(
        value_date=deal.value_date,
        pay_account=deal.pay_account_id,
        receive_account=deal.receive_account_id,
        instruction=deal.instruction,
    )
    return [_made(deal, number, terms) for number in (PAY_NO, RECEIVE_NO)]


def make_difference(deal: Deal, *, after: DealLeg | None = None) -> list[DealLeg]:
    """Make the one leg of a fixed deal, in the caller's transaction; none where nothing is left.

    The account that was chosen for the leg before, and a later day, stay: what was corrected is the
    rate. Where it turned a payment into a receipt, or the reverse, the account stays as far as it
    fits (`_why_not_kept`); a person is told in words where it does not.
    """
    left = difference(deal)
    if not left.amount:
        return []
    agreed = deal.receive_account_id if deal.side == DealSide.BUY else deal.pay_account_id
    is_ours = (left.amount > 0) is (deal.side == DealSide.BUY)
    number = RECEIVE_NO if is_ours else PAY_NO
    ours, value_date, dropped = agreed, deal.value_date, ""
    newest = after or _newest(deal)
    if newest is not None:
        value_date = max(value_date, newest.value_date)
        dropped = _why_not_kept(newest, number=number, agreed=agreed)
        ours = agreed if dropped else newest.account_id
    terms = Terms(
        value_date=value_date,
        pay_account=ours,
        receive_account=ours,
        instruction=reads.instruction_for(deal.counterparty, USD),
    )
    made = _made(deal, number, terms)
    if newest is not None and dropped:
        _tell_dropped(made, instead_of=newest, why=dropped)
    return [made]


def _newest(deal: Deal) -> DealLeg | None:
    """Return the leg that a fixing made last; None before the first one that left something."""
    found = DealLeg.objects.select_related("deal").filter(deal=deal)
    return found.order_by("-created_at", "-version", "-id").first()


def _why_not_kept(before: DealLeg, *, number: int, agreed: UUID) -> str:
    """Return why the account that a leg had is not that of the next one; empty where it stays.

    An account is taken on the other way round where it belongs to the same company as the one that
    was agreed: who chose an account to be paid on did not choose whose money is paid out.
    """
    if before.account_id == agreed:
        return ""
    chosen, ours = accounts.account(before.account_id), accounts.account(agreed)
    if not chosen.is_active:
        return f"{chosen.label} is closed"
    if chosen.currency != ours.currency:
        return f"{chosen.label} holds {chosen.currency}"
    if before.leg_no != number and chosen.entity_id != ours.entity_id:
        return f"{chosen.label} belongs to {chosen.entity.name}, not to {ours.entity.name}"
    return ""


def _tell_dropped(leg: DealLeg, *, instead_of: DealLeg, why: str) -> None:
    """Ask a person about an account that was chosen and is not kept."""
    how = "paid from" if leg.is_pay else "received on"
    tasks.open_task(
        task=tasks.TaskIn(
            kind=ACCOUNT_DROPPED,
            key=leg.reference,
            title=f"{leg.reference}: the account that was chosen is not kept",
            detail=f"{why}: it was chosen for {instead_of.reference}. By its corrected fixing"
            f" {Money(leg.amount, leg.currency)} are {how} {leg.account.label}, as was agreed."
            " Replace the legs if another account is meant.",
            severity="medium",
        )
    )


def difference(deal: Deal) -> Money:
    """Return what the buyer of dollars receives of a fixed deal; negative is what it pays."""
    agreed = deal.rate or deal.limit_rate
    notional = Money(deal.base_amount, deal.base)
    return ndf_difference(notional, agreed=agreed, fixing=deal.fixing.rate)


def payee_currency(deal: Deal) -> str:
    """Return the currency that a counterparty may be paid in for a deal."""
    return USD if deal.kind == DealKind.NDF else deal.sold


def has_payee(deal: Deal) -> bool:
    """Tell whether what failed of a deal can be paid again: its payee's account is known."""
    failed = DealLeg.objects.filter(deal=deal, state=LegState.FAILED, direction=LegDirection.PAY)
    if not failed.exists():
        return True
    return reads.instruction_for(deal.counterparty, payee_currency(deal)) is not None


def require_payee(leg: DealLeg) -> None:
    """Refuse to pay to an account that the counterparty gave up.

    Raises:
        Invalid: its settlement instruction was replaced, or taken out.
    """
    if leg.instruction is not None and not leg.instruction.is_active:
        raise Invalid(
            f"{leg.deal.counterparty.name} is not paid {leg.currency} at"
            f" …{leg.instruction.beneficiary.number_hint} any more: replace the legs.",
            field="instruction",
        )


def _moves(deal: Deal, number: int) -> Money:
    if deal.kind == DealKind.NDF:
        return Money(abs(difference(deal).amount), USD)
    currency = deal.sold if number == PAY_NO else deal.bought
    return Money(deal.base_amount if currency == deal.base else deal.quote_amount, currency)


def _made(deal: Deal, number: int, terms: Terms) -> DealLeg:
    is_pay, moves = number == PAY_NO, _moves(deal, number)
    currency = moves.currency
    account = accounts.account(terms.pay_account if is_pay else terms.receive_account)
    instruction = terms.instruction if is_pay else None
    if is_pay and instruction is None:
        raise Invalid(
            f"Nobody wrote down where {deal.counterparty.name} receives {currency}: enter it with"
            " its settlement instructions first.",
            field="instruction",
        )
    rail = rail_of(currency=currency, bic=account.bank.bic, payee=instruction)
    before = DealLeg.objects.filter(deal=deal, leg_no=number).aggregate(last=Max("version"))
    leg = DealLeg.objects.create(
        deal=deal,
        leg_no=number,
        version=(before["last"] or 0) + 1,
        direction=LegDirection.PAY if is_pay else LegDirection.RECEIVE,
        currency=currency,
        amount=moves.amount,
        account=account,
        instruction=instruction,
        rail=rail,
        value_date=terms.value_date,
        due_at=due_at(account, rail=rail, day=terms.value_date, is_pay=is_pay),
        created_at=clock.now(),
    )
    expect(leg)
    return leg


def rail_of(*, currency: str, bic: str, payee: SettlementInstruction | None) -> str:
    """Return the rail; empty where we have none: what was dealt is kept all the same."""
    try:
        if payee is None:
            return rail_for(currency=currency, same_bank=False)
        return rail_to(currency=currency, debit_bic=bic, credit_bic=payee.beneficiary.bank_bic)
    except (DomainError, KeyError):
        return ""


def due_at(account: Any, *, rail: str, day: date, is_pay: bool) -> datetime:
    """Return when a leg should be done: by its rail's cut-off, what we receive a while later."""
    zone, bic = ZoneInfo(account.timezone), account.bank.bic
    cutoff: datetime | None = None
    if rail not in ("", BOOK):
        try:
            cutoff = calendars.cutoff_for(rail=rail, day=day, bank=bic, currency=account.currency)
        except DomainError:  # a rail that is not installed: the end of the day is asked
            cutoff = None
    due = cutoff or datetime.combine(day + timedelta(days=1), time(), zone)
    patience = timedelta(minutes=policies.get(knobs.FX_RECEIPT_SLA_MINUTES))
    return due if is_pay else due + patience


def expect(leg: DealLeg) -> None:
    """Let the treasury expect what a leg moves."""
    verb = "to" if leg.is_pay else "from"
    flows.put_expected_flow(
        flow=flows.FlowIn(
            account_id=leg.account_id,
            source=SOURCE,
            source_ref=leg.reference,
            amount=-leg.amount if leg.is_pay else leg.amount,
            value_date=leg.value_date,
            description=f"{leg.deal.reference} {verb} {leg.deal.counterparty.name}",
            end_to_end_id=leg.reference if leg.is_pay else leg.deal.counterparty_reference,
        )
    )


def withdraw(leg: DealLeg) -> None:
    """Let the treasury expect it no longer."""
    flows.cancel_flow(account_id=leg.account_id, source=SOURCE, source_ref=leg.reference)


def has_left(leg: DealLeg | SettlementNet) -> bool:
    """Hold the payment of a leg or net until the transaction ends; say whether it may have left."""
    if leg.proposal_id is None:
        return False
    leg.proposal = transfers.lock(leg.proposal_id)
    return leg.proposal.state in MAY_HAVE_LEFT


def _net_has_left(leg: DealLeg) -> bool:
    """Say whether the payment of the net that a leg failed with may have left after all."""
    return leg.net is not None and has_left(leg.net)


def may_be_paid() -> Q:
    """Return the condition under which what a leg, or its net, is paid by may have been paid.

    It left, or its bank contradicts itself about it.
    """
    found = Q()
    for payment in ("proposal", "net__proposal"):
        found |= Q(**{f"{payment}__state__in": MAY_HAVE_LEFT})
        found |= Q(**{f"{payment}__transfer__disputed_since__isnull": False})
    return found


def paid_before(deal: Deal) -> DealLeg | None:
    """Return a leg that was replaced and whose payment, or whose net's, may have been made."""
    replaced = DealLeg.objects.select_related("deal", "net__proposal", "proposal").filter(
        may_be_paid(), deal=deal, state=LegState.VOID
    )
    return replaced.order_by("leg_no", "version").first()


def _paid_by(leg: DealLeg) -> list[DealLeg | SettlementNet]:
    return [leg] if leg.net is None else [leg, leg.net]


def why_paid(leg: DealLeg) -> str:
    """Say of a replaced leg that may have been paid what is known of that."""
    for thing in _paid_by(leg):
        if thing.proposal is not None and thing.proposal.state in MAY_HAVE_LEFT:
            return f"{leg.reference} was replaced, and paid after all."
    return f"{leg.reference} was replaced, and its bank contradicts itself: it may have been paid."


def require_undisputed(leg: DealLeg) -> None:
    """Refuse a leg that may have been paid although it failed: by itself, or with its net.

    Raises:
        LegAlreadySent: its bank contradicts itself about the payment.
    """
    for paid_by in _paid_by(leg):
        held = getattr(paid_by.proposal, "transfer", None) if paid_by.proposal else None
        if held is not None and held.disputed_since is not None:
            raise LegAlreadySent(
                f"The bank contradicts itself about {leg.reference}: it may have been paid. It is"
                " instructed anew once that is settled.",
                leg=leg.reference,
            )


def void(leg: DealLeg, *, reason: str) -> None:
    """Take a leg out whose money has not left: its flow goes, and so does its payment's proposal.

    Raises:
        LegAlreadySent: its payment may have left, or came, or its bank contradicts itself.
    """
    is_done = leg.state in (LegState.SENT, LegState.SETTLED)
    if is_done or has_left(leg) or _net_has_left(leg):
        raise LegAlreadySent(
            f"{leg.reference} has left or come already: it is not changed any more. What it moved"
            " is closed out by another deal.",
            leg=leg.reference,
        )
    require_undisputed(leg)
    stop_payment(leg.proposal, reason=reason)
    withdraw(leg)
    leg.void(at=clock.now(), reason=reason)
    leg.save()
    _answered(leg, note=reason)


def renewed(leg: DealLeg, *, terms: Terms, reason: str) -> DealLeg:
    """Replace a leg by its next version.

    Raises:
        LegAlreadySent: its payment may have left.
    """
    void(leg, reason=reason)
    return _made(leg.deal, leg.leg_no, terms)


def fail(leg: DealLeg, *, reason: str) -> None:
    """Give up what a leg expected, and the proposal of its payment, unless that may have left."""
    if has_left(leg):
        if leg.state == LegState.INSTRUCTED:
            leg.send(at=clock.now())
            leg.save()
        return
    stop_payment(leg.proposal, reason=reason)
    withdraw(leg)
    leg.fail(at=clock.now(), reason=reason)
    leg.save()
    _answered(leg, note=reason)


def _answered(leg: DealLeg, *, note: str) -> None:
    """Close what people were asked about a leg that is not paid as it was."""
    kinds = (LATE, PAYEE_GONE, ACCOUNT_DROPPED) if leg.is_pay else (ACCOUNT_DROPPED,)
    for kind in kinds:
        tasks.answer_task(kind=kind, key=leg.reference, note=note)


def stop_payment(proposal: Any, *, reason: str) -> None:
    """Withdraw the proposal of a payment, if it still waits for people or for its bank."""
    if proposal is not None and proposal.state in ASKED:
        proposals.withdraw_proposal(proposal_id=proposal.pk, actor=None, reason=reason)
