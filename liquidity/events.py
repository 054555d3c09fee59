"""What the liquidity room tells the others. Payload keys are a contract (domain 12.3)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyForecastReady(Event):
    """The days ahead of all accounts were forecast anew.

    `lines` has one entry per currency and day: {currency, date, inflow, outflow, p10, p90}; the
    bounds are of the net flow, summed over accounts as if all missed together (never too narrow),
    and None where no account has a past to learn from.
    """

    topic: ClassVar[str] = "forecast.daily.ready"
    forecast_id: UUID
    as_of: datetime
    horizon_days: int
    lines: list[dict[str, Any]]

    def aggregate(self) -> str:
        """Keep the forecasts of a tenant in order."""
        return "forecast"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortfallForecast(Event):
    """An account will need more than it has; `date` is the last day its money must last."""

    topic: ClassVar[str] = "forecast.rda.shortfall"
    forecast_id: UUID
    currency: str
    date: date
    required: Decimal
    available: Decimal
    shortfall: Decimal
    account_id: UUID

    def aggregate(self) -> str:
        """Keep the shortfalls of a currency in order: the largest comes first."""
        return f"shortfall:{self.currency}"
