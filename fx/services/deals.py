"""Deals from draft to approval: captured, held against every rule, put before checkers."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from approvals import selectors as approvals
from approvals import services as approval_services
from calendars import selectors as calendars
from core import clock, policies
from core.errors import DomainError, Forbidden, Invalid
from core.events import publish
from core.identity.models import User
from core.identity.roles import DEALER, INTEGRATION
from core.money import Money
from fx import policies as knobs
from fx.constants import RATE_BOUND, RATE_PLACES
from fx.engine import dates, limits, quotes
from fx.engine.limits import Breach, Market, Rule, Terms
from fx.engine.pairs import USD, Pair
from fx.engine.quotes import Side
from fx.errors import DealExpired, DealRefused, DealStateRefused, DealUnknown, NotTheDealer
from fx.events import DealInstruction
from fx.models import Counterparty, Deal, DealKind, DealState, SettlementInstruction
from fx.selectors import deals as reads
from treasury.constants import BeneficiaryState
from treasury.selectors import accounts
from treasury.services.news import raise_alert
from treasury.services.references import next_reference

SUBJECT: Final = "fx.deal"
ACTION: Final = "fx_deal"
MAKERS: Final = (DEALER, INTEGRATION)
_DAY_ENDS: Final = time(17)
_NEW_YORK: Final = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class DealIn:
    """What a dealer wants: buy or sell `pair.base`, with one amount given exactly.

    Without a value date the tenor says when it settles: CASH, TOM, SPOT, 1W, 3M, ...
    """

    counterparty: UUID
    pair: Pair
    side: Side
    dealt: Money
    limit_rate: Decimal
    pay_account: UUID
    receive_account: UUID
    why: str
    tenor: str = dates.Short.SPOT
    value_date: date | None = None
    kind: str = DealKind.DELIVERABLE


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
        **_fields(draft),
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
    require_own(deal, actor)
    require_state(deal, DealState.DRAFT)
    for name, value in _fields(draft).items():
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
    require_own(deal, actor)
    require_state(deal, DealState.DRAFT)
    require_time(deal)
    before, now = deal.state, clock.now()
    market = require_allowed(deal, rate=deal.limit_rate, now=now)
    deal.submit(at=now)
    deal.save()
    _ask_for_approval(deal, market)
    tell(deal, before)
    return deal


@transaction.atomic
def recall_deal(*, deal_id: UUID, actor: User) -> Deal:
    """Take a submitted deal back to change it: a new version; its approvals do not count any more.

    Raises:
        NotTheDealer: somebody else's deal.
        DealStateRefused: nobody is asked about it.
    """
    deal = locked(deal_id)
    require_own(deal, actor)
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
    tell(deal, before, reason=reason)


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
    require_own(deal, actor)
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
    tell(deal, before, reason=reason)
    return deal


@transaction.atomic
def approve_deal(*, deal_id: UUID) -> Deal:
    """Let a deal be dealt: enough checkers agreed."""
    deal = locked(deal_id)
    before = deal.state
    deal.approve()
    deal.save()
    tell(deal, before)
    return deal


def require_allowed(deal: Deal, *, rate: Decimal, now: datetime) -> Market:
    """Hold a deal against every rule at a rate; write down its worth and the market it was held to.

    The counterparty's row is locked: two deals of one limit are counted one after the other.

    Raises:
        DealRefused: it breaks rules; each is named.
    """
    party = Counterparty.objects.select_for_update().get(pk=deal.counterparty_id)
    terms = reads.terms_of(deal, rate=rate, spot_trade=now)
    market = reads.market_for(terms.pair, now=now)
    refuse(_broken(deal, party, terms, market))
    deal.usd_equivalent = limits.worth_in_usd(terms.base, terms.quote, market.usd_per_base)
    if market.quote is not None:
        deal.mid_rate = market.quote.mid.quantize(RATE_PLACES)
        deal.mid_at, deal.mid_source = market.quote.at, "/".join(market.quote.sources)[:40]
    return market


def _broken(deal: Deal, party: Counterparty, terms: Terms, market: Market) -> list[Breach]:
    return [
        *_party(deal, party),
        *_value_date(terms),
        *limits.breaches(
            terms,
            market,
            reads.standing_with(party, terms, besides=deal.pk),
            reads.allowed_for(party),
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a deal would be, what it would leave of the limits, and which rules it would break."""

    deal: Deal
    market: Market
    headroom: reads.Headroom
    breaches: tuple[Breach, ...]


def look_at(*, draft: DealIn) -> Look:
    """Return what would become of a draft; nothing is stored.

    Raises:
        CounterpartyUnknown: no such counterparty.
        Invalid: pair, amount, rate, accounts or value date do not fit; names the field.
    """
    deal = Deal(**_fields(draft))
    terms = reads.terms_of(deal, rate=draft.limit_rate, spot_trade=clock.now())
    market = reads.market_for(terms.pair, now=clock.now())
    party = deal.counterparty
    return Look(
        deal=deal,
        market=market,
        headroom=reads.headroom(party, terms, market),
        breaches=tuple(_broken(deal, party, terms, market)),
    )


def refuse(found: list[Breach]) -> None:
    """Raise if any rule is broken.

    Raises:
        DealRefused: at least one is; each is named.
    """
    if found:
        raise DealRefused(
            " ".join(one.words for one in found),
            field="deal",
            findings=[{"rule": one.rule, "message": one.words} for one in found],
        )


def _party(deal: Deal, party: Counterparty) -> list[Breach]:
    found = []
    if not party.is_active:
        words = f"{party.name} is not dealt with any more."
        found.append(Breach(rule=Rule.COUNTERPARTY, words=words))
    if deal.kind == DealKind.DELIVERABLE:
        found += _ssi(deal.instruction, party, deal.sold)
    return found


def _ssi(
    instruction: SettlementInstruction | None, party: Counterparty, currency: str
) -> list[Breach]:
    if instruction is None or not instruction.is_active:
        words = f"Nobody wrote down where {party.name} receives {currency}."
        return [Breach(rule=Rule.SSI, words=words)]
    account = instruction.beneficiary
    if account.state != BeneficiaryState.ACTIVE or not account.is_verified:
        words = f"The account where {party.name} receives {currency} is not verified, or blocked."
        return [Breach(rule=Rule.SSI, words=words)]
    return []


def _value_date(terms: Terms) -> list[Breach]:
    try:
        dates.require_value_date(reads.centres_of(terms.pair), terms.trade, terms.value)
    except DomainError as refusal:
        return [Breach(rule=Rule.VALUE_DATE, words=refusal.message)]
    return []


def _fields(draft: DealIn) -> dict[str, Any]:
    pair = draft.pair
    _check(draft)
    centres = reads.centres_of(pair)
    trade = dates.trade_date(pair, clock.now())
    value = draft.value_date or dates.value_date(centres, trade, draft.tenor)
    dates.require_value_date(centres, trade, value)
    party = reads.counterparty(draft.counterparty)
    other = quotes.contra(draft.dealt, pair, draft.limit_rate)
    base, quote = (
        (draft.dealt, other) if draft.dealt.currency == pair.base else (other, draft.dealt)
    )
    if other.amount <= 0:
        raise Invalid("The other amount would be nothing.", field="amount")
    bought, sold = pair.currencies if draft.side is Side.BUY else (pair.quote, pair.base)
    is_ndf = draft.kind == DealKind.NDF
    return {
        "kind": draft.kind,
        "base": pair.base,
        "quote": pair.quote,
        "side": draft.side,
        "dealt_currency": draft.dealt.currency,
        "base_amount": base.amount,
        "quote_amount": quote.amount,
        "limit_rate": draft.limit_rate,
        "trade_date": trade,
        "value_date": value,
        "period": dates.period_name(centres, trade, value),
        "fixing_date": _fixing_date(pair, value) if is_ndf else None,
        "counterparty": party,
        "instruction": None if is_ndf else _instruction(party, sold),
        "pay_account": _account(draft.pay_account, sold, "pay_account"),
        "receive_account": _account(draft.receive_account, bought, "receive_account"),
        "why": draft.why.strip(),
        # What it was held against before does not hold for new terms.
        "usd_equivalent": None,
        "mid_rate": None,
        "mid_at": None,
        "mid_source": "",
        "expires_at": datetime.combine(trade, _DAY_ENDS, _NEW_YORK),
    }


def _check(draft: DealIn) -> None:
    pair, dealt = draft.pair, draft.dealt
    if not pair.is_conventional:
        raise Invalid(f"The market writes {pair.inverse}.", field="pair")
    if dealt.amount <= 0 or dealt != dealt.quantized():
        raise Invalid("The amount is positive and in whole minor units.", field="amount")
    if not draft.limit_rate.is_finite() or not 0 < draft.limit_rate < RATE_BOUND:
        raise Invalid("A rate is a positive number.", field="limit_rate")
    if draft.limit_rate != quotes.rounded_rate(draft.limit_rate, pair):
        raise Invalid(f"{pair} has at most {pair.digits + 1} decimals.", field="limit_rate")
    if draft.kind not in DealKind.values:
        raise Invalid("A deal is deliverable or an NDF.", field="kind")
    if draft.kind == DealKind.NDF and str(pair) not in policies.get(knobs.FX_NDF_PAIRS).split(","):
        raise Invalid(f"{pair} is dealt deliverable only.", field="kind")
    if not draft.why.strip():
        raise Invalid("Say why: it is what the checker reads first.", field="why")


def _fixing_date(pair: Pair, value: date) -> date:
    centre = next(one for one in pair.currencies if one != USD)
    return dates.fixing_date(calendars.settlement_calendar(centre), value)


def _instruction(party: Counterparty, currency: str) -> SettlementInstruction:
    found = reads.instruction_for(party, currency)
    if found is None:
        raise Invalid(
            f"Nobody wrote down where {party.name} receives {currency}; static data does.",
            field="counterparty",
        )
    return found


def _account(account_id: UUID, currency: str, field: str) -> Any:
    found = accounts.accounts(currency).filter(pk=account_id).first()
    if found is None:
        raise Invalid(f"Choose an active account of ours in {currency}.", field=field)
    return found


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


def tell(deal: Deal, before: str, *, reason: str = "") -> None:
    """Publish that a deal changed its state."""
    base, quote = deal.base_amount, deal.quote_amount
    bought, sold = (base, quote) if deal.side == Side.BUY else (quote, base)
    publish(
        DealInstruction(
            deal_id=deal.pk,
            reference=deal.reference,
            from_state=before,
            state=deal.state,
            pair=deal.pair,
            side=deal.side,
            buy_currency=deal.bought,
            buy_amount=bought,
            sell_currency=deal.sold,
            sell_amount=sold,
            rate=deal.rate or deal.limit_rate,
            value_date=deal.value_date,
            counterparty=deal.counterparty.code,
            reason=reason,
            at=clock.now(),
        )
    )


def locked(deal_id: UUID) -> Deal:
    """Return a deal, locked for the length of the transaction.

    Raises:
        DealUnknown: there is none.
    """
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


def require_own(deal: Deal, actor: User) -> None:
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
