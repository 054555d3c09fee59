"""What the fx room tells the house."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesUpdated(Event):
    """Rates came in: whoever shows them reads them again."""

    topic: ClassVar[str] = "fx.rates.updated"
    source: str
    pairs: list[str]
    at: datetime

    def aggregate(self) -> str:
        """Order deliveries per source."""
        return f"rates:{self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DealInstruction(Event):
    """A deal changed its state: operations prepare, the desk shows it anew.

    `legs` are empty until it is dealt: number, direction, currency, amount, account, payee, rail.
    """

    topic: ClassVar[str] = "fx.deal.instruction"
    deal_id: UUID
    reference: str
    deal_version: int
    from_state: str
    state: str
    pair: str
    side: str
    buy_currency: str
    buy_amount: Decimal
    sell_currency: str
    sell_amount: Decimal
    dealt_ccy: str
    dealt_amount: Decimal
    contra_amount: Decimal
    rate: Decimal
    trade_date: date
    value_date: date
    counterparty: str
    legs: list[dict[str, Any]]
    reason: str
    at: datetime

    def payload(self) -> dict[str, Any]:
        """Return the fields; the deal's version goes by the name that the contract gives it."""
        facts = Event.payload(self)
        return {**facts, "version": facts.pop("deal_version")}

    def aggregate(self) -> str:
        """Order news per deal."""
        return f"fx.deal:{self.deal_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureBreached(Event):
    """Too much of a currency is open after its cap was armed."""

    topic: ClassVar[str] = "fx.exposure.breach"
    currency: str
    day: date
    required: Decimal
    prefunded: Decimal
    hedged: Decimal
    open: Decimal
    pct: Decimal
    limit_pct: Decimal
    cap_time_utc: datetime
    at: datetime

    def aggregate(self) -> str:
        """Order news per currency."""
        return f"exposure:{self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionsChanged(Event):
    """What is suggested for a currency changed: reckoned, taken, dismissed, or over."""

    topic: ClassVar[str] = "fx.suggestion.changed"
    currency: str
    day: date
    what: str
    open_count: int
    at: datetime

    def aggregate(self) -> str:
        """Order news per currency."""
        return f"suggestions:{self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReforecastTriggered(Event):
    """A currency is to be forecast anew; `old` and `new` are what changed, in words."""

    topic: ClassVar[str] = "fx.reforecast.trigger"
    currency: str
    reason: str
    old: str
    new: str
    as_of: datetime

    def aggregate(self) -> str:
        """Order triggers per currency."""
        return f"reforecast:{self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DealsRevalued(Event):
    """All open deals were valued for a day; a later version restates it."""

    topic: ClassVar[str] = "fx.deals.revalued"
    day: date
    day_version: int
    deals: int
    missing: int
    unrealised_usd: Decimal
    at: datetime

    def aggregate(self) -> str:
        """Order news of valuations one after the other."""
        return "fx.valuation"
