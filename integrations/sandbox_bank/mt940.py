"""Writing MT940 and MT942, for customers who still read them."""

import textwrap

from integrations.sandbox_bank.currencies import to_text
from integrations.sandbox_bank.records import Entry, Statement

LINES_86_MAX = 6
LINE_86_CHARACTERS_MAX = 65
_TYPES = {"CHRG": "NCHG", "INTR": "NINT", "SALA": "NSAL", "RRTN": "NRTI", "SPOT": "NFEX"}
_LETTERS = str.maketrans(
    {"&": "+", "_": " ", "{": "(", "}": ")", "@": " ", "#": " ", "*": " ", ";": ","}
)


def write_mt940(statement: Statement) -> bytes:
    """Return the day's statement as one MT940 message text."""
    account = statement.account
    lines = [
        ":20:" + statement.message_id.replace("-", "")[-16:],
        ":25:" + (account.iban or f"{account.bank_bic}/{account.number}"),
        f":28C:{statement.sequence:05d}/00001",
        ":60F:" + _balance(statement, statement.opening),
    ]
    for entry in statement.entries:
        lines += _entry(entry, account.currency)
    lines.append(":62F:" + _balance(statement, statement.closing))
    lines.append(":64:" + _balance(statement, statement.available))
    block_1 = f"{{1:F01{account.bank_bic[:8]}AXXX0000000000}}"
    block_2 = f"{{2:I940{account.bank_bic[:8]}XXXXN}}"
    text = "\r\n".join([f"{block_1}{block_2}{{4:", *lines, "-}"])
    return (text + "\r\n").encode("ascii", "replace")


def write_mt942(statement: Statement) -> bytes:
    """Return what was booked since the day opened as one MT942 message text."""
    account = statement.account
    currency = account.currency
    lines = [
        ":20:" + statement.message_id.replace("-", "")[-16:],
        ":25:" + (account.iban or f"{account.bank_bic}/{account.number}"),
        f":28C:{statement.sequence:05d}/00001",
        f":34F:{currency}0,",
        f":13D:{statement.created_at:%y%m%d%H%M}+0000",
    ]
    for entry in statement.entries:
        lines += _entry(entry, currency)
    for mark, amounts in (
        ("D", [-entry.amount for entry in statement.entries if entry.amount < 0]),
        ("C", [entry.amount for entry in statement.entries if entry.amount > 0]),
    ):
        lines.append(f":90{mark}:{len(amounts)}{currency}{_comma(sum(amounts), currency)}")
    block_1 = f"{{1:F01{account.bank_bic[:8]}AXXX0000000000}}"
    block_2 = f"{{2:I942{account.bank_bic[:8]}XXXXN}}"
    text = "\r\n".join([f"{block_1}{block_2}{{4:", *lines, "-}"])
    return (text + "\r\n").encode("ascii", "replace")


def _balance(statement: Statement, amount: int) -> str:
    sign = "D" if amount < 0 else "C"
    currency = statement.account.currency
    return f"{sign}{statement.bank_date:%y%m%d}{currency}{_comma(amount, currency)}"


def _comma(amount: int, currency: str) -> str:
    text = to_text(abs(amount), currency).replace(".", ",")
    return text if "," in text else text + ","


def _entry(entry: Entry, currency: str) -> list[str]:
    # A reversal names the side it undoes: RD puts money back, RC takes it away.
    side = "D" if entry.amount < 0 else "C"
    if entry.is_reversal:
        side = "RC" if entry.amount < 0 else "RD"
    kind = _TYPES.get(entry.code[2], _TYPES.get(entry.code[1], "NTRF"))
    reference = (entry.end_to_end_id or "NONREF").translate(_LETTERS)[:16]
    dates = f"{entry.value_date:%y%m%d}{entry.booking_date:%m%d}"
    line = f":61:{dates}{side}{_comma(entry.amount, currency)}"
    line += f"{kind}{reference}//{entry.reference[-16:]}"
    return [line, ":86:" + "\r\n".join(_narrative(entry))]


def _narrative(entry: Entry) -> list[str]:
    parts = []
    if entry.end_to_end_id:
        parts.append(f"/EREF/{entry.end_to_end_id}")
    if entry.return_code:
        parts.append(f"/RTRN/{entry.return_code}")
    if entry.counterparty_name:
        parts.append(f"/{'BENM' if entry.amount < 0 else 'ORDP'}//NAME/{entry.counterparty_name}")
    parts.append(f"/REMI/{entry.remittance or 'BOOKING'}")
    text = "".join(parts).translate(_LETTERS).encode("ascii", "replace").decode("ascii")
    return textwrap.wrap(text, LINE_86_CHARACTERS_MAX, break_on_hyphens=False)[:LINES_86_MAX]
