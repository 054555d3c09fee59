"""Limits and fixed choices of the calendars room, with units in the names."""

from datetime import date

CUTOFF_WARNING_MINUTES = 30
LOOKAHEAD_DAYS = 3
SEARCH_DAYS_MAX = 45  # known clusters of closed days stay under two weeks
HOLIDAYS_LISTED_MAX = 500
REFERENCE_START = date(2024, 1, 1)
REFERENCE_YEARS = (2024, 2025, 2026, 2027, 2028)

MONDAY_TO_FRIDAY = 0b0011111  # bit 0 is Monday, as in date.weekday()
MONDAY_TO_THURSDAY = 0b0001111
FRIDAY_ONLY = 0b0010000
EVERY_WEEKDAY = 0b1111111
SATURDAY = 5

STATIC_DATA_ROLES = frozenset({"static_data", "tenant_admin"})
HOUSE_ZONE = "Asia/Kolkata"  # where the treasury's day begins; the lookahead is dated by it
