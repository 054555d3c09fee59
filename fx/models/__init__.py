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
from fx.models.files import DealFile, DealFileRow
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
    "DEALT", "STANDING", "UNSETTLED", "AlarmKind", "Counterparty", "Deal", "DealConfirmation",
    "DealFile", "DealFileRow", "DealKind", "DealLeg", "DealPeriod", "DealSide", "DealState",
    "DealSuggestion", "DealValuation", "ExposureAlarm", "ExposureAlarmKind", "ForecastBasis",
    "ForwardPoint", "HedgeNeed", "InterestRate", "LegDirection", "LegState", "NeedCause",
    "PnlEntry", "PnlKind", "Rate", "RateAlarm", "RateDelivery", "RateSource", "ReforecastReason",
    "ReforecastTrigger", "RevaluationRun", "SettlementAlarm", "SettlementAlarmKind",
    "SettlementInstruction", "SourceKind", "SuggestionState",
]  # fmt: skip
