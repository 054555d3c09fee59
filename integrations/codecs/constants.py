"""Limits of the wire formats, units last. A file beyond a limit is refused with a reason."""

from typing import Final

MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
# Room for as many entries as are taken, each with several lines of text.
MT_BYTES_MAX: Final = 48 * 1024 * 1024
BAI2_BYTES_MAX: Final = 16 * 1024 * 1024
CHUNK_BYTES: Final = 64 * 1024
# Root and message element must show up within this prefix (a business header may precede).
IDENTIFY_BYTES_MAX: Final = 1024 * 1024
# More content than this between two entries is not a bank statement, but a way to fill memory.
SILENCE_BYTES_MAX: Final = 2 * 1024 * 1024
# Elements that no version of a message has, tolerated up to here (bank extensions).
UNKNOWN_ELEMENTS_MAX: Final = 20_000
CHILDREN_MAX: Final = 5_000
STATEMENTS_MAX: Final = 20_000
# Per statement: booked, available, and the forward ladder of some weeks.
BALANCES_MAX: Final = 500
ENTRIES_MAX: Final = 100_000
DETAILS_MAX: Final = 200_000
FINDINGS_MAX: Final = 500
LINE_CHARS_MAX: Final = 10_000
FIELD_LINES_MAX: Final = 1_000
AMOUNT_INTEGER_DIGITS_MAX: Final = 16
AMOUNT_DECIMALS_MAX: Final = 4
YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2199
# Two-digit years: 80-99 belong to the last century.
CENTURY_PIVOT_YEAR: Final = 80
INSTRUCTIONS_MAX: Final = 50_000
