"""Deals held against every rule: while they are typed, when submitted, and when dealt."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from core import clock
from core.errors import DomainError
from fx.constants import RATE_PLACES
from fx.engine import dates, limits, quotes
from fx.engine.limits import Breach, Market, Rule, Terms
from fx.engine.pairs import USD
from fx.errors import DealRefused
from fx.models import Counterparty, Deal, DealKind, SettlementInstruction
from fx.selectors import curves, exposure
from fx.selectors import deals as reads
from fx.services.terms import DealIn, fields_of
from treasury.constants import BeneficiaryState


def require_allowed(deal: Deal, *, rate: Decimal, now: datetime) -> Market:
    """Hold a deal against every rule at a rate; write down its worth and the market it was held to.

    The counterparty's row is locked: two deals of one limit are counted one after the other.

    Raises:
        DealRefused: it breaks rules; each is named.
    """
    party = Counterparty.objects.select_for_update(no_key=True).get(pk=deal.counterparty_id)
    terms = reads.terms_of(deal, rate=rate, spot_trade=now)
    market = _market_for(terms, now=now)
    refuse(_broken(deal, party, terms, market))
    deal.usd_equivalent = limits.worth_in_usd(terms.base, terms.quote, market.usd_per_base)
    if market.quote is not None:
        deal.mid_rate = market.quote.mid.quantize(RATE_PLACES)
        deal.mid_at, deal.mid_source = market.quote.at, "/".join(market.quote.sources)[:40]
    return market


def _market_for(terms: Terms, *, now: datetime) -> Market:
    """Return what the market says; for a forward its outright, where a fresh curve has one."""
    market = reads.market_for(terms.pair, now=now)
    if terms.value <= terms.spot or market.quote is None:
        return market
    found = curves.fresh_outright(terms.pair, terms.value, at=now)
    return market if found is None else replace(market, quote=found, is_outright=True)


def _broken(deal: Deal, party: Counterparty, terms: Terms, market: Market) -> list[Breach]:
    return [
        *_party(deal, party),
        *_value_date(terms),
        *_unhedging(deal),
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
    deal = Deal(**fields_of(draft))
    terms = reads.terms_of(deal, rate=draft.limit_rate, spot_trade=clock.now())
    market = _market_for(terms, now=clock.now())
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


def _unhedging(deal: Deal) -> list[Breach]:
    """Refuse to sell what is needed and not bought, once the cap of its day is armed."""
    if deal.sold == USD:
        return []
    found = exposure.of_currency(deal.sold, now=clock.now())
    if not found.is_breached:
        return []
    words = (
        f"{deal.sold} is open above its cap ({found.exposure.share * quotes.PERCENT:.2f} % of the"
        " need): none of it is sold now."
    )
    return [Breach(rule=Rule.UNHEDGING, words=words)]


def save_weighed(deal: Deal) -> None:
    """Save a step at which the database weighs the deal once more, with the treasury's rates.

    Raises:
        DealRefused: it finds another worth, or amounts and rate that do not belong together.
    """
    try:
        with transaction.atomic():
            deal.save()
    except IntegrityError as error:
        words = str(error).partition("\n")[0]
        raise DealRefused(
            f"The database refuses it: {words}. The treasury's rates follow the market within"
            " minutes; try again then."
        ) from error
