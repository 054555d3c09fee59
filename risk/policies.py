"""The risk room's policies: each reading of the requirements, with its default.

The limit, how old a reading may be, and how few days are too few belong to the sweeps that follow
them (treasury.policies).
"""

from decimal import Decimal
from typing import Final

from core import policies
from risk.constants import OBSERVATIONS_MAX

VAR_QUANTILE: Final = policies.define(
    "VAR_QUANTILE",
    "hf6",
    choices=("hf1", "hf5", "hf6", "hf7", "hf8", "second_worst", "third_worst"),
    help="Which sample quantile is the value at risk. hf6 is exceeded as often as it says; hf7 is"
    " that of spreadsheets and is exceeded too often; third_worst is the usual audit convention.",
)
VAR_CONFIDENCE: Final = policies.define(
    "VAR_CONFIDENCE",
    Decimal("0.99"),
    minimum=Decimal("0.90"),
    maximum=Decimal("0.999"),
    help="Share of days on which the loss stays within the value at risk.",
)
VAR_WINDOW_DAYS: Final = policies.define(
    "VAR_WINDOW_DAYS",
    250,
    minimum=100,
    maximum=OBSERVATIONS_MAX,
    help="How many past business days the value at risk is taken from.",
)
VAR_BASE: Final = policies.define(
    "VAR_BASE",
    "available_balance",
    choices=("available_balance", "stated_balance"),
    help="What the value at risk is a share of: what could be spent with the floor included, or"
    " the balance as the bank stated it last.",
)
