"""Reads of deals: the blotter, what else stands with a counterparty, what checkers approve."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet, Sum

from calendars import selectors as calendars
from core import policies
from core.errors import NotFound
from core.money import Money
from fx import policies as knobs
from fx.engine import quotes
from fx.engine.dates import Centres, spot_date, trade_date
from fx.engine.limits import Allowed, Market, Standing, Terms, worth_in_usd
from fx.engine.pairs import USD, Pair
from fx.engine.quotes import Side
from fx.errors import CounterpartyUnknown, DealUnknown, RateMissing
from fx.models import Counterparty, Deal, DealState, SettlementInstruction
from fx.selectors import rates

ZERO: Final = Decimal(0)
# What still stands, or happened, with a counterparty.
COUNTED: Final = (
    DealState.SUBMITTED,
    DealState.APPROVED,
    DealState.EXECUTED,
    DealState.CONFIRMED,
    DealState.SETTLED,
    DealState.FAILED,
)


def deals() -> QuerySet[Deal]:
    """Return all deals, newest first, with their people and accounts."""
    return Deal.objects.select_related(
        "counterparty", "instruction__beneficiary", "pay_account__bank", "receive_account__bank",
        "maker", "executed_by", "confirmed_by", "closes", "fixing",
    )  # fmt: skip


def deal(deal_id: UUID) -> Deal:
    """Return one deal.

    Raises:
        DealUnknown: there is none.
    """
    found = deals().filter(pk=deal_id).first()
    if found is None:
        raise DealUnknown("There is no such deal.", field="deal")
    return found


def content_of(deal_id: UUID) -> dict[str, Any]:
    """Return exactly what checkers approve, as the database builds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT fx_deal_content(d)::text FROM fx_deal d WHERE d.id = %s", [deal_id])
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise NotFound("There is no such deal.", field="deal")
    content: dict[str, Any] = json.loads(row[0])
    return content


def counterparties(*, active: bool = True) -> QuerySet[Counterparty]:
    """Return the banks we deal with."""
    found = Counterparty.objects.all()
    return found.filter(is_active=True) if active else found


def counterparty(counterparty_id: UUID) -> Counterparty:
    """Return an active counterparty.

    Raises:
        CounterpartyUnknown: there is none.
    """
    found = counterparties().filter(pk=counterparty_id).first()
    if found is None:
        raise CounterpartyUnknown("There is no such active counterparty.", field="counterparty")
    return found


def instruction_for(party: Counterparty, currency: str) -> SettlementInstruction | None:
    """Return where a counterparty receives a currency; None where nobody wrote it down."""
    return (
        SettlementInstruction.objects.select_related("beneficiary")
        .filter(counterparty=party, currency=currency, is_active=True)
        .first()
    )


def instruction(instruction_id: UUID) -> SettlementInstruction:
    """Return one settlement instruction with its account.

    Raises:
        NotFound: there is none.
    """
    found = SettlementInstruction.objects.select_related("beneficiary").filter(pk=instruction_id)
    if (one := found.first()) is None:
        raise NotFound("There is no such settlement instruction.", field="instruction")
    return one


def centres_of(pair: Pair) -> Centres:
    """Return a pair with the calendars that decide when it settles.

    Raises:
        CalendarUnknown: a currency has no calendar.
    """
    wanted = dict.fromkeys((*pair.currencies, USD))
    found = {one: calendars.settlement_calendar(one) for one in wanted}
    return Centres(pair=pair, calendars=found)


def market_for(pair: Pair, *, now: datetime) -> Market:
    """Return what the market says about a pair; what nobody has fresh is None, never a guess."""
    try:
        quote = rates.quote_for(pair, now=now)
    except RateMissing:
        quote = None
    if pair.base == USD:
        return Market(quote=quote, usd_per_base=quotes.ONE)
    try:
        usd = rates.quote_for(Pair(pair.base, USD), now=now).mid
    except RateMissing:
        usd = None
    return Market(quote=quote, usd_per_base=usd)


def allowed_for(party: Counterparty) -> Allowed:
    """Return the limits in force for a deal with a counterparty."""
    return Allowed(
        currencies=rates.currencies(),
        deal_usd=policies.get(knobs.MAX_SINGLE_DEAL_USD),
        day_usd=party.day_usd_max,
        settlement_usd=party.settlement_usd_max,
        tenor_days=party.tenor_days_max,
        off_market=policies.get(knobs.FX_OFF_MARKET_PCT),
        forward_a_year=policies.get(knobs.FX_FORWARD_PCT_A_YEAR),
    )


def standing_with(party: Counterparty, terms: Terms, *, besides: UUID | None) -> Standing:
    """Return what else counts against the limits of a counterparty, one deal left out."""
    others = Deal.objects.filter(counterparty=party, state__in=COUNTED)
    if besides is not None:
        others = others.exclude(pk=besides)
    today = others.filter(trade_date=terms.trade)
    settling = others.filter(value_date=terms.value)
    return Standing(day_usd=_sum(today), settlement_usd=_sum(settling))


def _sum(found: QuerySet[Deal]) -> Decimal:
    return found.aggregate(total=Sum("usd_equivalent"))["total"] or ZERO


def alike(made: Deal) -> list[Decimal]:
    """Return the worth of the other deals of its day, alike in pair, side and counterparty."""
    found = Deal.objects.filter(
        counterparty_id=made.counterparty_id,
        base=made.base,
        quote=made.quote,
        side=made.side,
        trade_date=made.trade_date,
        state__in=COUNTED,
    ).exclude(pk=made.pk)
    return [worth for worth in found.values_list("usd_equivalent", flat=True) if worth is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """How much more may be dealt, in dollars; None is no limit."""

    worth: Decimal | None
    deal_left: Decimal | None
    day_left: Decimal | None
    settlement_left: Decimal | None


def headroom(party: Counterparty, terms: Terms, market: Market) -> Headroom:
    """Return what a deal of these terms would leave of each limit; negative is too much."""
    allowed, standing = allowed_for(party), standing_with(party, terms, besides=None)
    worth = worth_in_usd(terms.base, terms.quote, market.usd_per_base)

    def left(limit: Decimal | None, used: Decimal) -> Decimal | None:
        return None if limit is None or worth is None else limit - used - worth

    return Headroom(
        worth=worth,
        deal_left=left(allowed.deal_usd, ZERO),
        day_left=left(allowed.day_usd, standing.day_usd),
        settlement_left=left(allowed.settlement_usd, standing.settlement_usd),
    )


def terms_of(made: Deal, *, rate: Decimal, spot_trade: datetime) -> Terms:
    """Return a deal as the rules see it, at a rate, on the trading day of an instant."""
    pair = Pair(made.base, made.quote)
    trade = trade_date(pair, spot_trade)
    dealt = made.base_amount if made.dealt_currency == made.base else made.quote_amount
    known = Money(dealt, made.dealt_currency)
    other = quotes.contra(known, pair, rate)
    base, quote = (known, other) if known.currency == pair.base else (other, known)
    return Terms(
        pair=pair,
        side=Side(made.side),
        base=base,
        quote=quote,
        rate=rate,
        trade=trade,
        spot=spot_date(centres_of(pair), trade),
        value=made.value_date,
    )
