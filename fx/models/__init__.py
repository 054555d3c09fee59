"""Models of the fx room, one noun per file."""

from fx.models.closing import (
    CancellationState,
    DayFixing,
    DealCancellation,
    FixingState,
    NdfFixing,
)
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
from fx.models.differences import DifferenceKind, DifferenceState, ReceiptDifference
from fx.models.exposure import ExposureAlarm, ExposureAlarmKind
from fx.models.files import DealFile, DealFileRow
from fx.models.netting import NetDirection, NetState, NettingAgreement, SettlementNet
from fx.models.rates import AlarmKind, Rate, RateAlarm, RateDelivery, RateSource, SourceKind
from fx.models.reforecast import ForecastBasis, ReforecastReason, ReforecastTrigger
from fx.models.settlement import (
    STANDING,
    UNSETTLED,
    DealLeg,
    LegDirection,
    LegState,
    SettlementAlarm,
    SettlementAlarmKind,
)
from fx.models.suggestions import DealSuggestion, HedgeNeed, NeedCause, SuggestionState
from fx.models.valuation import (
    DealValuation,
    ForwardPoint,
    InterestRate,
    PnlEntry,
    PnlKind,
    RevaluationRun,
)

__all__ = [
    "DEALT", "STANDING", "UNSETTLED", "AlarmKind", "CancellationState", "Counterparty",
    "DayFixing", "Deal", "DealCancellation", "DealConfirmation", "DealFile", "DealFileRow",
    "DealKind", "DealLeg", "DealPeriod", "DealSide", "DealState", "DealSuggestion",
    "DealValuation", "DifferenceKind", "DifferenceState", "ExposureAlarm", "ExposureAlarmKind",
    "FixingState", "ForecastBasis", "ForwardPoint", "HedgeNeed", "InterestRate", "LegDirection",
    "LegState", "NdfFixing", "NeedCause", "NetDirection", "NetState", "NettingAgreement",
    "PnlEntry", "PnlKind", "Rate", "RateAlarm", "RateDelivery", "RateSource", "ReceiptDifference",
    "ReforecastReason", "ReforecastTrigger", "RevaluationRun", "SettlementAlarm",
    "SettlementAlarmKind", "SettlementInstruction", "SettlementNet", "SourceKind",
    "SuggestionState",
]  # fmt: skip
