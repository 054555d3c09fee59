"""What the readers of uploaded files hand out."""

from dataclasses import dataclass
from typing import Final

COLUMNS: Final = ("from_account", "to_account", "amount", "currency", "why", "value_date")
REQUIRED: Final = ("from_account", "to_account", "amount", "currency", "why")
ROWS_MAX: Final = 2_000
CELL_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One payment as the file writes it: who pays whom by account number, how much, why."""

    number: int
    from_account: str = ""
    to_account: str = ""
    amount: str = ""
    currency: str = ""
    why: str = ""
    value_date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFinding:
    """What is wrong, or worth knowing, about a row; row 0 is the file itself."""

    row: int
    field: str
    message: str
    is_error: bool = True
