"""What the fx room tells the house."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

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
