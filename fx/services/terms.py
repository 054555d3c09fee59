"""The terms of a deal: who buys or sells how much of what, at which rate, for which value date."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from calendars import selectors as calendars
from core import clock, policies
from core.errors import Invalid
from core.money import Money
from fx import policies as knobs
from fx.constants import RATE_BOUND
from fx.engine import dates, quotes
from fx.engine.pairs import USD, Pair
from fx.engine.quotes import Side
from fx.models import Counterparty, DealKind, SettlementInstruction
from fx.selectors import deals as reads
from treasury.selectors import accounts

_DAY_ENDS: Final = time(17)
_NEW_YORK: Final = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class DealIn:
    """What a dealer wants: buy or sell `pair.base`, with one amount given exactly.

    Without a value date the tenor says when it settles: CASH, TOM, SPOT, 1W, 3M, ... `closes` is
    the deal that it closes out.
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
    closes: UUID | None = None


def fields_of(draft: DealIn) -> dict[str, Any]:
    """Check what a dealer wants and return the fields of a deal.

    Raises:
        CounterpartyUnknown: no such counterparty.
        Invalid: pair, amount, rate, accounts or value date do not fit; names the field.
    """
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
        "closes_id": draft.closes,
        # What it was held against before does not hold for new terms.
        "usd_equivalent": None,
        "mid_rate": None,
        "mid_at": None,
        "mid_source": "",
        "expires_at": day_end(trade),
    }


def day_end(trade: date) -> datetime:
    """Return when a trading day ends: at 17:00 in New York."""
    return datetime.combine(trade, _DAY_ENDS, _NEW_YORK)


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
