"""Limits and fixed choices of the fx room, with units in the names."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

ROWS_MAX: Final = 20_000  # of one file or push
FILE_BYTES_MAX: Final = 2 * 1024 * 1024
RATE_BOUND: Final = Decimal(10_000_000)
RATE_PLACES: Final = Decimal("0.0000000001")
CLOCK_SKEW: Final = timedelta(seconds=60)
# After so long without a rate, a large move is no surprise any more.
MOVE_WINDOW: Final = timedelta(days=3)
# How often the treasury's dollar rates are refreshed from live prices at most.
HAND_DOWN_EVERY: Final = timedelta(minutes=5)
HISTORY_DAYS_MAX: Final = 400
# A market older than this, counted in hours in which it was open, is called stale, and still used.
MARK_AGE_MAX: Final = timedelta(minutes=15)
# How far back a rate, points or interest are looked for; what is older is missing.
MARK_DAYS_MAX: Final = 7
POINTS_PLACES: Final = Decimal("0.0001")
INTEREST_PLACES: Final = Decimal("0.00000001")
# The source whose rates are fixings of non-deliverable forwards, one a day.
FIXING_SOURCE: Final = "FIXING"
