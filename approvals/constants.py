"""Limits of the approvals room, with their units."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

DUAL_THRESHOLD_USD: Final = Decimal(10_000_000)
UNMATCHED_REQUIRED_COUNT: Final = 2
REQUIRED_COUNT_MAX: Final = 9
STEP_MAX: Final = 5
REQUIRED_COUNT_SUM_MAX: Final = REQUIRED_COUNT_MAX * STEP_MAX
DELEGATION_DAYS_MAX: Final = 14
FLAGS_MAX: Final = 20
BREAK_GLASS_USD_MAX: Final = Decimal(25_000_000)
BREAK_GLASS_PER_DAY_MAX: Final = 3
BREAK_GLASS_DAY_USD_MAX: Final = Decimal(50_000_000)
ESCALATION_AFTER_MINUTES: Final = 30
ESCALATION_LEVEL_MAX: Final = 3
MANAGERS_FROM_LEVEL: Final = 1
LISTED_MAX: Final = 20
AT_ONCE_MAX: Final = 50
RATE_AGE_HOURS_MAX: Final = 24
RATE_CLOCK_SKEW: Final = timedelta(minutes=5)
SWEEP_BATCH_MAX: Final = 500
REASON_LENGTH_MAX: Final = 2_000
TITLE_LENGTH_MAX: Final = 200
STATIC_DATA: Final = "static_data"
CONTROL: Final = "control"
DELEGATION: Final = "approvals.delegation"
AUTHORITY_LIMIT: Final = "approvals.authority_limit"
SYSTEM_LABEL: Final = "system"

# How much a stated equivalent may fall below amount x rate: rates carry ten decimals.
USD_TOLERANCE_RELATIVE: Final = Decimal("0.000001")
USD_TOLERANCE_ABSOLUTE: Final = Decimal("0.01")
