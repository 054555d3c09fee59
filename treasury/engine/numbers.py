"""Account numbers: how they are compared, and whether they can be right."""

import re
from typing import Final

_ABA_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1)
_ABA: Final = re.compile(r"[0-9]{9}", re.ASCII)
_IFSC: Final = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)
_IBAN_SHAPE: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_LEI: Final = re.compile(r"[A-Z0-9]{18}[0-9]{2}", re.ASCII)
US_NUMBER: Final = re.compile(r"[0-9]{4,17}", re.ASCII)
IN_NUMBER: Final = re.compile(r"[0-9]{9,18}", re.ASCII)
LOCAL_NUMBER: Final = re.compile(r"[A-Z0-9]{1,34}", re.ASCII)
# Of ISO, of the UAE, or of the Reserve Bank of India.
PAYMENT_PURPOSE: Final = re.compile(r"[A-Z]{3,4}|[PS][0-9]{4}", re.ASCII)


def compact(number: str) -> str:
    """Return the letters and digits of an account number, in capitals."""
    return "".join(part for part in number if part.isascii() and part.isalnum()).upper()


def comparable(number: str) -> str:
    """Return the form by which accounts are found: banks differ in separators and leading zeros."""
    return compact(number).lstrip("0") or "0"


def spellings(number: str) -> list[str]:
    """Return the comparable forms of a bank's writing: whole, and without a bank code before it."""
    whole = comparable(number)
    _, slash, last = number.rpartition("/")
    return [whole, comparable(last)] if slash and compact(last) else [whole]


def looks_like_iban(number: str) -> bool:
    """Say whether the number has the shape of an IBAN."""
    return _IBAN_SHAPE.fullmatch(number) is not None


def aba_holds(code: str) -> bool:
    """Say whether a routing number of nine digits has the right check digit."""
    if not _ABA.fullmatch(code):
        return False
    return (
        sum(int(digit) * weight for digit, weight in zip(code, _ABA_WEIGHTS, strict=True)) % 10 == 0
    )


def ifsc_holds(code: str) -> bool:
    """Say whether the code has the form of an Indian branch code."""
    return _IFSC.fullmatch(code) is not None


def lei_holds(code: str) -> bool:
    """Say whether a legal entity identifier is complete and right (ISO 17442, mod 97-10)."""
    if not _LEI.fullmatch(code):
        return False
    return int("".join(str(int(character, 36)) for character in code)) % 97 == 1
