"""Models of the fx room, one noun per file."""

from fx.models.closing import CancellationState, DealCancellation, NdfFixing
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
from fx.models.netting import NetDirection, NetState, NettingAgreement, SettlementNet
from fx.models.rates import AlarmKind, Rate, RateAlarm, RateDelivery, RateSource, SourceKind
from fx.models.settlement import (
    STANDING,
    UNSETTLED,
    DealLeg,
    LegDirection,
    LegState,
    SettlementAlarm,
    SettlementAlarmKind,
)

__all__ = [
    "DEALT", "STANDING", "UNSETTLED", "AlarmKind", "CancellationState", "Counterparty", "Deal",
    "DealCancellation", "DealConfirmation",
    "DealKind", "DealLeg", "DealPeriod", "DealSide", "DealState", "ExposureAlarm",
    "ExposureAlarmKind", "LegDirection", "LegState", "NdfFixing", "NetDirection", "NetState",
    "NettingAgreement", "Rate", "RateAlarm", "RateDelivery",
    "RateSource", "SettlementAlarm", "SettlementAlarmKind", "SettlementInstruction",
    "SettlementNet", "SourceKind",
]  # fmt: skip
