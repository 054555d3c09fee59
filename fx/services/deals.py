"""Deals from draft to approval: captured, held against every rule, put before checkers."""

from typing import Final
from uuid import UUID

from django.db import transaction

from approvals import selectors as approvals
from approvals import services as approval_services
from core import clock, policies
from core.errors import Forbidden, Invalid
from core.events import publish
from core.identity.models import User
from core.identity.roles import DEALER
from core.money import Money
from fx import policies as knobs
from fx.engine import limits
from fx.engine.limits import Market
from fx.engine.pairs import USD
from fx.engine.quotes import Side
from fx.errors import DealExpired, DealStateRefused, DealUnknown, NotTheDealer
from fx.events import DealInstruction
from fx.models import Counterparty, Deal, DealState
from fx.selectors import deals as reads
from fx.selectors import settlement
from fx.services.rules import look_at, require_allowed, save_weighed
from fx.services.terms import DealIn, fields_of
from treasury.services.news import raise_alert
from treasury.services.references import next_reference

__all__ = [
    "ACTION", "MAKERS", "SUBJECT", "DealIn", "cancel_deal", "capture_deal", "change_draft",
    "look_at", "recall_deal", "submit_deal",
]  # fmt: skip

SUBJECT: Final = "fx.deal"
ACTION: Final = "fx_deal"
# Never who brings rates in: deals are held against those.
MAKERS: Final = (DEALER,)


@transaction.atomic
def capture_deal(*, draft: DealIn, maker: User) -> Deal:
    """Create a draft; nothing is asked of anybody yet.

    Raises:
        Forbidden: this person may not deal.
        CounterpartyUnknown, AccountUnknown: no such row of ours.
        Invalid: pair, amount, rate, accounts or value date do not fit; names the field.
    """
    require_dealer(maker)
    return Deal.objects.create(
        reference=next_reference(kind="FXD"),
        maker=maker,
        created_at=clock.now(),
        **fields_of(draft),
    )


@transaction.atomic
def change_draft(*, deal_id: UUID, draft: DealIn, actor: User) -> Deal:
    """Change a draft, also one that was recalled.

    Raises:
        NotTheDealer: somebody else's deal.
        DealStateRefused: it was submitted.
        Invalid: the new terms do not fit; names the field.
    """
    deal = locked(deal_id)
    require_own(deal, actor=actor)
    require_state(deal, DealState.DRAFT)
    for name, value in fields_of(draft).items():
        setattr(deal, name, value)
    deal.save()
    return deal


@transaction.atomic
def submit_deal(*, deal_id: UUID, actor: User) -> Deal:
    """Put a draft before its checkers, if it breaks no rule.

    Raises:
        NotTheDealer: somebody else's deal.
        DealStateRefused: it is no draft.
        DealExpired: its trading day is over; change the draft.
        DealRefused: it breaks rules; each is named.
        NobodyEligible: too few other people may check it (from the approvals room).
    """
    deal = locked(deal_id)
    require_own(deal, actor=actor)
    require_state(deal, DealState.DRAFT)
    require_time(deal)
    before, now = deal.state, clock.now()
    market = require_allowed(deal, rate=deal.limit_rate, now=now)
    deal.submit(at=now)
    save_weighed(deal)
    _ask_for_approval(deal, market)
    tell(deal, before=before)
    return deal


@transaction.atomic
def recall_deal(*, deal_id: UUID, actor: User) -> Deal:
    """Take a submitted deal back to change it: a new version; its approvals do not count any more.

    Raises:
        NotTheDealer: somebody else's deal.
        DealStateRefused: nobody is asked about it.
    """
    deal = locked(deal_id)
    require_own(deal, actor=actor)
    require_state(deal, DealState.SUBMITTED)
    request = approvals.request_of(
        subject_type=SUBJECT, subject_id=deal.pk, subject_version=deal.version
    )
    back_to_draft(deal, reason="recalled")
    if request is not None:
        approval_services.withdraw(request_id=request.pk, actor=actor, reason="Recalled.")
    return deal


def back_to_draft(deal: Deal, *, reason: str) -> None:
    """Give a submitted deal back to its maker as a new version."""
    before = deal.state
    deal.recall()
    deal.save()
    tell(deal, before=before, reason=reason)


@transaction.atomic
def cancel_deal(*, deal_id: UUID, actor: User, reason: str) -> Deal:
    """Give a deal up before it was dealt.

    Raises:
        NotTheDealer: somebody else's deal.
        Invalid: no reason.
        DealStateRefused: it was dealt; only an offsetting deal closes it out.
    """
    if not reason.strip():
        raise Invalid("Say why it is cancelled.", field="reason")
    deal = locked(deal_id)
    require_own(deal, actor=actor)
    require_state(deal, DealState.DRAFT, DealState.SUBMITTED, DealState.APPROVED)
    if deal.state == DealState.DRAFT:
        return close_deal(deal_id=deal_id, outcome="cancel", reason=reason)
    request = approvals.request_of(
        subject_type=SUBJECT, subject_id=deal.pk, subject_version=deal.version
    )
    if request is None:
        raise DealStateRefused("Nobody was asked about it.", state=deal.state)
    approval_services.cancel(request_id=request.pk, actor=actor, reason=reason)
    return locked(deal_id)


@transaction.atomic
def close_deal(*, deal_id: UUID, outcome: str, reason: str) -> Deal:
    """Close a deal that will not be dealt: `reject`, `cancel` or `expire`."""
    deal = locked(deal_id)
    before, at = deal.state, clock.now()
    match outcome:
        case "reject":
            deal.reject(at=at, reason=reason)
        case "expire":
            deal.expire(at=at)
        case _:
            deal.cancel(at=at, reason=reason)
    deal.save()
    tell(deal, before=before, reason=reason)
    return deal


@transaction.atomic
def approve_deal(*, deal_id: UUID) -> Deal:
    """Let a deal be dealt: enough checkers agreed."""
    deal = locked(deal_id)
    before = deal.state
    deal.approve()
    deal.save()
    tell(deal, before=before)
    return deal


def _ask_for_approval(deal: Deal, market: Market) -> None:
    worth, rate = deal.usd_equivalent, market.usd_per_base
    base, quote = Money(deal.base_amount, deal.base), Money(deal.quote_amount, deal.quote)
    dollar_leg = next((one for one in (base, quote) if one.currency == USD), None)
    approval_services.submit(
        submission=approval_services.Submission(
            action=ACTION,
            subject_type=SUBJECT,
            subject_id=deal.pk,
            subject_version=deal.version,
            title=headline(deal),
            content=reads.content_of(deal.pk),
            maker=deal.maker,
            maker_label=deal.maker.display_name,
            amount=dollar_leg or base,
            usd_equivalent=None if dollar_leg else worth,
            usd_rate=None if dollar_leg else rate,
            usd_rate_at=None if dollar_leg else deal.mid_at,
            cutoff_at=deal.expires_at,
            entity=deal.pay_account.entity_id,
            flags=_flags(deal),
        )
    )
    deal.refresh_from_db(fields=["content_hash"])


def headline(deal: Deal) -> str:
    """Return a deal in one line."""
    return (
        f"{deal.reference}: {deal.side.lower()} {Money(deal.base_amount, deal.base)} against"
        f" {deal.quote} at {deal.rate or deal.limit_rate:f}"
    )


def _flags(deal: Deal) -> tuple[approval_services.Flag, ...]:
    limit = policies.get(knobs.MAX_SINGLE_DEAL_USD)
    others, worth = reads.alike(deal), deal.usd_equivalent
    within = policies.get(knobs.FX_STRUCTURING_PCT)
    if worth is None or not limits.looks_split(worth, others, limit=limit, within=within):
        return ()
    words = (
        f"{len(others) + 1} deals of today, alike in pair, side and counterparty, together worth"
        f" {sum(others, worth):,.2f} USD: one deal may be at most {limit:,.2f} USD."
    )
    raise_alert(
        kind="fx_structuring",
        severity="medium",
        subject_type=SUBJECT,
        subject_id=deal.pk,
        title=f"{deal.reference} may be part of a larger deal",
        detail=words,
    )
    return (approval_services.Flag(code="structuring", words=words, severity="ack"),)


def tell(deal: Deal, *, before: str, reason: str = "") -> None:
    """Publish that a deal changed its state."""
    base, quote = deal.base_amount, deal.quote_amount
    bought, sold = (base, quote) if deal.side == Side.BUY else (quote, base)
    is_base = deal.dealt_currency == deal.base
    publish(
        DealInstruction(
            deal_id=deal.pk,
            reference=deal.reference,
            deal_version=deal.version,
            from_state=before,
            state=deal.state,
            pair=deal.pair,
            side=deal.side,
            buy_currency=deal.bought,
            buy_amount=bought,
            sell_currency=deal.sold,
            sell_amount=sold,
            dealt_ccy=deal.dealt_currency,
            dealt_amount=base if is_base else quote,
            contra_amount=quote if is_base else base,
            rate=deal.rate or deal.limit_rate,
            trade_date=deal.trade_date,
            value_date=deal.value_date,
            counterparty=deal.counterparty.code,
            legs=settlement.on_the_wire(settlement.legs_of(deal.pk)) if deal.rate else [],
            reason=reason,
            at=clock.now(),
        )
    )


def hold_party(counterparty_id: UUID) -> None:
    """Hold a counterparty until the transaction ends: whoever moves its deals takes turns.

    The order of locks is: counterparty, deals, legs, nets, payments. A net ties deals together,
    and one of them may fall while another one is followed: either would wait for the other's row.
    Deals of two counterparties never share a net, a close-out or a payment.
    """
    list(Counterparty.objects.select_for_update(no_key=True).filter(pk=counterparty_id))


def locked(deal_id: UUID) -> Deal:
    """Return a deal, locked for the length of the transaction, and its counterparty before it.

    Raises:
        DealUnknown: there is none.
    """
    party = Deal.objects.filter(pk=deal_id).values_list("counterparty_id", flat=True).first()
    if party is not None:
        hold_party(party)
    found = (
        Deal.objects.select_for_update(of=("self",))
        .select_related("counterparty", "instruction__beneficiary", "pay_account", "maker")
        .filter(pk=deal_id)
        .first()
    )
    if found is None:
        raise DealUnknown("There is no such deal.", field="deal")
    return found


def require_dealer(person: User) -> None:
    """Refuse who may not deal.

    Raises:
        Forbidden: this person may not deal.
    """
    if not person.has_role(*MAKERS):
        raise Forbidden("Dealing takes the role dealer.")


def require_own(deal: Deal, *, actor: User) -> None:
    """Refuse somebody else's deal.

    Raises:
        NotTheDealer: another person made it.
    """
    if deal.maker_id != actor.pk:
        raise NotTheDealer("Only its dealer may do this.", deal=deal.reference)


def require_state(deal: Deal, *states: str) -> None:
    """Refuse a step that the deal's state does not allow.

    Raises:
        DealStateRefused: it is in another state; says what is left to do.
    """
    if deal.state in states:
        return
    words = f"{deal.reference} is {deal.get_state_display()}."
    if deal.state in (DealState.EXECUTED, DealState.CONFIRMED):
        words += " A deal that was dealt is closed out by an offsetting one."
    raise DealStateRefused(words, state=deal.state)


def require_time(deal: Deal) -> None:
    """Refuse a deal whose trading day is over.

    Raises:
        DealExpired: it is.
    """
    if clock.now() >= deal.expires_at:
        raise DealExpired(
            f"The trading day {deal.trade_date} ended at 17:00 in New York.",
            expires_at=deal.expires_at,
        )
