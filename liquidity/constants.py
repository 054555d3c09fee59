"""Limits and defaults of the liquidity room, with units in the names."""

from typing import Final

HORIZON_DAYS: Final = 14
HORIZON_DAYS_MAX: Final = 92
HISTORY_DAYS_MAX: Final = 400
PUBLISH_DAYS: Final = 60
PLANS_BATCH_MAX: Final = 5_000
REFERENCE_CHARS_MAX: Final = 80
DESCRIPTION_CHARS_MAX: Final = 140
WEEKDAY_MASK_MAX: Final = 0b1111111
CHART_HISTORY_DAYS: Final = 28
FORECASTS_KEPT_ON_PAGE: Final = 30
PLAN_DAYS_AHEAD_MAX: Final = 366
# Payouts in these currencies run on every day of the year, whatever their funding does.
ROUND_THE_CLOCK: Final = frozenset({"INR"})
