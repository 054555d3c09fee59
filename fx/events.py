"""What the fx room tells the house."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar
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
    """A deal changed its state: operations prepare, the desk shows it anew."""

    topic: ClassVar[str] = "fx.deal.instruction"
    deal_id: UUID
    reference: str
    from_state: str
    state: str
    pair: str
    side: str
    buy_currency: str
    buy_amount: Decimal
    sell_currency: str
    sell_amount: Decimal
    rate: Decimal
    value_date: date
    counterparty: str
    reason: str
    at: datetime

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
