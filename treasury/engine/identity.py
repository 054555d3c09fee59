"""What tells one bank entry from another: the identity ladder.

Two sightings are compared at the strongest mark that both carry: the bank's own reference with the
booking date, then the UETR, then the end-to-end id with the value date, then a fingerprint of the
content. That mark decides; weaker ones are not asked. Account, currency and signed amount must
agree at every rung.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum
from hashlib import sha256
from typing import Final

# \w is what `str.isalnum` says, and the underscore.
_NO_LETTER_OR_DIGIT: Final = re.compile(r"[\W_]+")
# Words that banks write where they have no reference.
FILLERS: Final = frozenset({"", "NONREF", "NOTPROVIDED", "NOT PROVIDED", "NOTAVAILABLE", "NONE"})
_FILLER_CHARS_MAX: Final = max(map(len, FILLERS))
# A pending entry may be booked under a later date; beyond this it is another movement.
PENDING_DAYS_MAX: Final = 5


class Rung(IntEnum):
    """The marks an entry is known by, strongest first."""

    REFERENCE = 1
    UETR = 2
    END_TO_END = 3
    FINGERPRINT = 4


Key = tuple[str, date | None, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What one sighting, or one known entry, can be recognised by; empty text means absent."""

    amount: Decimal
    booking_date: date
    value_date: date
    is_pending: bool = False
    bank_reference: str = ""
    uetr: str = ""
    end_to_end_id: str = ""
    transaction_code: str = ""
    content: str = ""

    def key(self, rung: Rung) -> Key | None:
        """Return this rung's key, or None where the bank did not give it."""
        match rung:
            case Rung.REFERENCE:
                found: tuple[str, date | None] = (self.bank_reference, self.booking_date)
            case Rung.UETR:
                found = (self.uetr, None)
            case Rung.END_TO_END:
                found = (self.end_to_end_id, self.value_date)
            case _:
                return (self.content, self.value_date, self.amount)
        return (*found, self.amount) if found[0] else None

    def strongest(self) -> Rung:
        """Return the strongest rung this one has."""
        if self.bank_reference:
            return Rung.REFERENCE
        if self.uetr:
            return Rung.UETR
        return Rung.END_TO_END if self.end_to_end_id else Rung.FINGERPRINT

    def mask(self) -> int:
        """Return which strong marks are present, as bits (1 reference, 2 UETR, 4 end-to-end)."""
        return (
            (1 if self.bank_reference else 0)
            | (2 if self.uetr else 0)
            | (4 if self.end_to_end_id else 0)
        )

    def identity(self) -> str:
        """Return the digest of the strongest key, as it is stored."""
        amount = self.amount.normalize()
        if self.bank_reference:
            words = f"REFERENCE|{self.bank_reference}|{self.booking_date}|{amount:f}"
        elif self.uetr:
            words = f"UETR|{self.uetr}|None|{amount:f}"
        elif self.end_to_end_id:
            words = f"END_TO_END|{self.end_to_end_id}|{self.value_date}|{amount:f}"
        else:
            words = f"FINGERPRINT|{self.content}|{self.value_date}|{amount:f}"
        return sha256(words.encode()).hexdigest()


def clean_reference(text: str | None) -> str:
    """Return a bank's reference, empty where it wrote a filler such as NOTPROVIDED."""
    stripped = text.strip() if text else ""
    if len(stripped) <= _FILLER_CHARS_MAX and stripped.upper() in FILLERS:
        return ""
    return stripped


def normal_content(*texts: str) -> str:
    """Return letters and digits only, in capitals: line breaks and spacing differ by format."""
    return _NO_LETTER_OR_DIGIT.sub("", "".join(texts)).upper()


def shared_rung(one: Marks, other: Marks) -> Rung:
    """Return the strongest rung that both have; every entry has a fingerprint."""
    common = one.mask() & other.mask()
    if common & 1:
        return Rung.REFERENCE
    if common & 2:
        return Rung.UETR
    return Rung.END_TO_END if common & 4 else Rung.FINGERPRINT


def codes_agree(one: str, other: str) -> bool:
    """Say whether two transaction codes may belong together; bank-own codes cannot be compared."""
    if not one or not other or one.startswith("PRTRY") or other.startswith("PRTRY"):
        return True
    return one == other


def same(one: Marks, other: Marks) -> bool:
    """Say whether two sightings are of one entry, by the strongest mark that both carry."""
    rung = shared_rung(one, other)
    if one.key(rung) != other.key(rung):
        return False
    return rung is not Rung.FINGERPRINT or codes_agree(one.transaction_code, other.transaction_code)


def same_once_booked(pending: Marks, booked: Marks) -> bool:
    """Say whether a pending entry is the one that was booked a few days later under its mark."""
    if not pending.is_pending or booked.is_pending or pending.amount != booked.amount:
        return False
    days = (booked.value_date - pending.value_date).days
    if not 0 <= days <= PENDING_DAYS_MAX:
        return False
    match shared_rung(pending, booked):
        case Rung.REFERENCE:
            return pending.bank_reference == booked.bank_reference
        case Rung.END_TO_END:
            return pending.end_to_end_id == booked.end_to_end_id
        case _:
            return False
