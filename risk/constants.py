"""Limits and defaults of the risk room, with units in the names."""

from typing import Final

OBSERVATIONS_MAX: Final = 2_000
BACKTEST_DAYS: Final = 250
# How far back flows are read: the forecasts of the first tested day need a window of their own.
HISTORY_DAYS_MAX: Final = 1_200
CHART_DAYS: Final = 250
BASIS_POINTS: Final = 10_000
REASON_CHARS_MAX: Final = 200
ACCOUNTS_PER_RUN_MAX: Final = 5_000
