"""Models of the fx room, one noun per file."""

from fx.models.deals import (
    DEALT,
    Counterparty,
    Deal,
    DealConfirmation,
    DealKind,
    DealPeriod,
    DealSide,
    DealState,
    SettlementInstruction,
)
from fx.models.exposure import ExposureAlarm, ExposureAlarmKind
from fx.models.rates import AlarmKind, Rate, RateAlarm, RateDelivery, RateSource, SourceKind

__all__ = [
    "DEALT", "AlarmKind", "Counterparty", "Deal", "DealConfirmation", "DealKind", "DealPeriod",
    "DealSide", "DealState", "ExposureAlarm", "ExposureAlarmKind", "Rate", "RateAlarm",
    "RateDelivery", "RateSource", "SettlementInstruction", "SourceKind",
]  # fmt: skip
