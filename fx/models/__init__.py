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
from fx.models.valuation import (
    DealValuation,
    ForwardPoint,
    InterestRate,
    PnlEntry,
    PnlKind,
    RevaluationRun,
)

__all__ = [
    "DEALT", "AlarmKind", "Counterparty", "Deal", "DealConfirmation", "DealKind", "DealPeriod",
    "DealSide", "DealState", "DealValuation", "ExposureAlarm", "ExposureAlarmKind", "ForwardPoint",
    "InterestRate", "PnlEntry", "PnlKind", "Rate", "RateAlarm", "RateDelivery", "RateSource",
    "RevaluationRun", "SettlementInstruction", "SourceKind",
]  # fmt: skip
