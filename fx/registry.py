"""What rooms above hand down to foreign exchange: how a currency would be forecast now."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a forecast made now would say of a currency, over all of its accounts.

    `outflow` is what still goes out today, `required` the need until money can be moved again,
    `days` the outflow of each day ahead as (day, amount), oldest first. Nothing was stored.
    """

    outflow: Decimal
    required: Decimal
    days: tuple[tuple[str, Decimal], ...]


class Forecaster(Protocol):
    """Who says what a forecast made now would be."""

    def __call__(self, *, currency: str, now: datetime) -> Preview:
        """Return it; nothing is stored."""


_forecasters: list[Forecaster] = []


def register_forecaster(forecaster: Forecaster) -> None:
    """Name the one who forecasts; the last one named counts."""
    _forecasters[:] = [forecaster]


def preview_of(currency: str, now: datetime) -> Preview | None:
    """Return what a forecast made now would say; None where nobody forecasts."""
    return _forecasters[0](currency=currency, now=now) if _forecasters else None
