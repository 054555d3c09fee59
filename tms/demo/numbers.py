"""Account numbers for further demo tenants: like the first one's, shifted, check digits right."""

from typing import Final

_IBAN_MODULUS: Final = 97
_STEP: Final = 1_000


def shifted_number(number: str, *, tenant_number: int) -> str:
    """Return a local account number of the same length that no other demo tenant has."""
    if not number or tenant_number == 1:
        return number
    room: int = 10 ** len(number)
    return str((int(number) + _STEP * (tenant_number - 1)) % room).zfill(len(number))


def shifted_iban(iban: str, *, tenant_number: int) -> str:
    """Return an IBAN at the same bank whose account part is shifted the same way."""
    if not iban or tenant_number == 1:
        return iban
    # The account part of the demo's German, British and Emirati IBANs is their last 8 digits.
    country, head, tail = iban[:2], iban[4:-8], iban[-8:]
    bban = head + shifted_number(tail, tenant_number=tenant_number)
    return f"{country}{_iban_check(country, bban)}{bban}"


def _iban_check(country: str, bban: str) -> str:
    rest = _as_number(f"{bban}{country}00") % _IBAN_MODULUS
    return f"{_IBAN_MODULUS + 1 - rest:02d}"


def lei_with_check(prefix: str) -> str:
    """Return an LEI: 18 characters and the two check digits of ISO 17442 (mod 97-10)."""
    rest = _as_number(f"{prefix}00") % _IBAN_MODULUS
    return f"{prefix}{_IBAN_MODULUS + 1 - rest:02d}"


def _as_number(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text))
