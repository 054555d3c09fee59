"""Limits and defaults of the risk room, with units in the names."""

from typing import Final

OBSERVATIONS_MAX: Final = 2_000
BACKTEST_DAYS: Final = 250
# Days of the calendar that certainly hold five business days, in every country of ours.
CALENDAR_DAYS_PER_FIVE: Final = 8
BASIS_POINTS: Final = 10_000
