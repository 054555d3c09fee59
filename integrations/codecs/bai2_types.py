"""What BAI2's type codes mean: which are balances, and which side the others are on.

The ranges are the standard's: to 099 status of the account, 100-399 credits, 400-699 debits,
900-959 and 960-999 the banks' own credits and debits. Loans (700-799) are single cases.
"""

from collections.abc import Mapping
from typing import Final

from integrations.dialects.reading import Side

BALANCES: Final = {
    "010": "OPBD",
    "015": "CLBD",
    "030": "ITBD",
    "040": "OPAV",
    "045": "CLAV",
    "060": "ITAV",
}
TOTAL_CREDITS: Final = "100"
TOTAL_DEBITS: Final = "400"
# Text about the account, without money.
NOT_MONETARY: Final = "890"
# Items that came back: deposited items, checks, ACH entries and wires.
RETURNS: Final = frozenset({"255", "257", "266", "555", "557"})
_LOAN_CREDITS: Final = frozenset({"720", "721", "722", "723", "724", "725", "726", "727", "728"})
_LOAN_DEBITS: Final = frozenset({"760"})


def side_of(code: str, *, own: Mapping[str, Side]) -> Side | None:
    """Return on which side a transaction of this type is; None where nobody knows."""
    if code in own:
        return own[code]
    if code in _LOAN_CREDITS or "100" <= code <= "399" or "900" <= code <= "959":
        return Side.CREDIT
    if code in _LOAN_DEBITS or "400" <= code <= "699" or "960" <= code <= "999":
        return Side.DEBIT
    return Side.NEITHER if code == NOT_MONETARY else None
