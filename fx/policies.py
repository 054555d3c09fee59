"""The knobs of foreign exchange."""

from decimal import Decimal
from typing import Final

from core import policies
from core.errors import Invalid
from core.money import minor_units
from fx.constants import FIXING_SOURCE
from fx.engine.pairs import USD, parse_pair
from fx.engine.suggesting import parse_cutoffs


def _currencies(text: str) -> None:
    codes = text.split(",")
    for code in codes:
        minor_units(code)
    if USD not in codes or len(set(codes)) < len(codes):
        raise Invalid("Name each currency once, the dollar among them.", field="value")


FX_CURRENCIES: Final = policies.define(
    "FX_CURRENCIES",
    "USD,EUR,GBP,AED,INR",
    check=_currencies,
    help="The currencies that rates are kept for, and that may be dealt in.",
)
FX_MOVE_PCT_MAX: Final = policies.define(
    "FX_MOVE_PCT_MAX",
    Decimal("0.05"),
    minimum=Decimal("0.001"),
    maximum=Decimal(1),
    help="A rate that lies further than this share from the last one of its source is refused.",
)
FX_RECEIPT_DIFFERENCE_PCT_MAX: Final = policies.define(
    "FX_RECEIPT_DIFFERENCE_PCT_MAX",
    Decimal("0.01"),
    minimum=Decimal(0),
    maximum=Decimal("0.25"),
    help="What a deal brings may be taken as it came if it differs by no more than this share.",
)
FX_DISAGREEMENT_PCT: Final = policies.define(
    "FX_DISAGREEMENT_PCT",
    Decimal("0.01"),
    minimum=Decimal("0.0001"),
    maximum=Decimal(1),
    help="Fresh sources whose middle rates lie further apart than this share raise an alarm.",
)


def dealt_currencies(value: str) -> tuple[str, ...]:
    """Return the currencies that a value of FX_CURRENCIES names."""
    return tuple(value.split(","))


def _pairs(text: str) -> None:
    for one in text.split(","):
        if one:
            parse_pair(one)


MAX_SINGLE_DEAL_USD: Final = policies.define(
    "MAX_SINGLE_DEAL_USD",
    Decimal(5_000_000),
    minimum=Decimal(1),
    maximum=Decimal(1_000_000_000),
    help="The largest single deal in dollars; exactly this much may be dealt.",
)
FX_STRUCTURING_PCT: Final = policies.define(
    "FX_STRUCTURING_PCT",
    Decimal("0.05"),
    minimum=Decimal(0),
    maximum=Decimal(1),
    help="Two deals of a day that lie this share below the largest one, alike in pair, side and"
    " counterparty, are shown to the checker as one that may have been split.",
)
FX_OFF_MARKET_PCT: Final = policies.define(
    "FX_OFF_MARKET_PCT",
    Decimal("0.01"),
    minimum=Decimal("0.0001"),
    maximum=Decimal(1),
    help="How far the rate of a deal may lie from the middle of the market, as a share.",
)
FX_FORWARD_PCT_A_YEAR: Final = policies.define(
    "FX_FORWARD_PCT_A_YEAR",
    Decimal("0.05"),
    minimum=Decimal(0),
    maximum=Decimal(1),
    help="Added to that for each year beyond spot: what interest may move a forward by.",
)
FX_SLIPPAGE_PCT: Final = policies.define(
    "FX_SLIPPAGE_PCT",
    Decimal("0.001"),
    minimum=Decimal(0),
    maximum=Decimal("0.1"),
    help="How much worse than the approved rate a deal may be executed, as a share.",
)
FX_NDF_PAIRS: Final = policies.define(
    "FX_NDF_PAIRS",
    "USD/INR",
    check=_pairs,
    help="Pairs that may be dealt as non-deliverable forwards.",
)
MAX_OPEN_EXPOSURE_PCT: Final = policies.define(
    "MAX_OPEN_EXPOSURE_PCT",
    Decimal("0.30"),
    minimum=Decimal(0),
    maximum=Decimal(1),
    help="After 14:00 in a currency's own centre no larger share of its need may be open; exactly"
    " this much may.",
)
OVERHEDGED_PCT: Final = policies.define(
    "OVERHEDGED_PCT",
    Decimal("0.10"),
    minimum=Decimal(0),
    maximum=Decimal(10),
    help="More than needed was bought, by more than this share of the need: an alarm.",
)
EXPOSURE_DENOMINATOR: Final = policies.define(
    "EXPOSURE_DENOMINATOR",
    "net_required",
    choices=("net_required", "gross_required"),
    help="What the open amount is a share of: the need less what is there, or the whole need.",
)
FX_RECEIPT_SLA_MINUTES: Final = policies.define(
    "FX_RECEIPT_SLA_MINUTES",
    60,
    minimum=0,
    maximum=2_880,
    help="How long after its rail's cut-off what a counterparty owes may stay unseen before a"
    " person is asked to chase it.",
)


def _cutoffs(text: str) -> None:
    parse_cutoffs(text)


def _currency(code: str) -> None:
    minor_units(code)


FX_FUNDING_CURRENCY: Final = policies.define(
    "FX_FUNDING_CURRENCY",
    USD,
    check=_currency,
    help="What is sold to buy a currency that is open: suggestions pair it against this one.",
)
FX_CASH_CUTOFFS: Final = policies.define(
    "FX_CASH_CUTOFFS",
    "INR=11:30,AED=11:30,GBP=12:00,EUR=12:00,*=11:00",
    check=_cutoffs,
    help="Until when a deal for value today is suggested, by the clock of the currency's own"
    " centre; * stands for the others.",
)
FX_TOM_CUTOFFS: Final = policies.define(
    "FX_TOM_CUTOFFS",
    "INR=15:00,AED=15:00,GBP=16:00,EUR=16:00,*=15:00",
    check=_cutoffs,
    help="Until when a deal for value tomorrow is suggested, by the clock of the currency's own"
    " centre; * stands for the others.",
)
FX_SUGGESTION_MIN_USD: Final = policies.define(
    "FX_SUGGESTION_MIN_USD",
    Decimal(1_000),
    minimum=Decimal(0),
    help="What is open below this many dollars is not worth a deal, and none is suggested.",
)
FX_SUGGESTION_DRIFT_PCT: Final = policies.define(
    "FX_SUGGESTION_DRIFT_PCT",
    Decimal("0.005"),
    minimum=Decimal(0),
    maximum=Decimal(1),
    help="A suggestion is reckoned anew when the rate moved by more than this share since.",
)
REFORECAST_DEVIATION_PCT: Final = policies.define(
    "REFORECAST_DEVIATION_PCT",
    Decimal("0.10"),
    minimum=Decimal("0.001"),
    maximum=Decimal(10),
    help="A day that runs otherwise than forecast by this share or more is forecast anew.",
)
REFORECAST_RATE_MOVE_PCT: Final = policies.define(
    "REFORECAST_RATE_MOVE_PCT",
    Decimal("0.01"),
    minimum=Decimal("0.0001"),
    maximum=Decimal(1),
    help="A rate that moved by this share or more from the forecast's own asks for a new one.",
)
REFORECAST_COOL_DOWN_MINUTES: Final = policies.define(
    "REFORECAST_COOL_DOWN_MINUTES",
    30,
    minimum=1,
    maximum=720,
    help="A currency is not forecast anew for this long after it was; what asks meanwhile waits.",
)
REFORECAST_LATE_HOUR: Final = policies.define(
    "REFORECAST_LATE_HOUR",
    18,
    minimum=0,
    maximum=23,
    help="From this local hour on a day that lags behind its forecast counts as well.",
)
FX_DISCOUNTING: Final = policies.define(
    "FX_DISCOUNTING",
    "interest",
    choices=("interest", "none"),
    help="How what a forward gains is brought from its value date to spot: by the interest of the"
    " quote currency, which must then be known, or not at all.",
)
FX_NETTING_LEAD_MINUTES: Final = policies.define(
    "FX_NETTING_LEAD_MINUTES",
    180,
    minimum=0,
    maximum=1_440,
    help="How long before its rail's cut-off what is owed under a netting agreement is netted; what"
    " is confirmed by then is part of the net.",
)
FX_FIXING_SOURCE: Final = policies.define(
    "FX_FIXING_SOURCE",
    FIXING_SOURCE,
    help="The source of rates whose rate of the fixing date fixes non-deliverable deals; empty:"
    " a person enters what was published at each deal.",
)
