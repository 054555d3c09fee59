"""Check digits and shapes of the identifiers that a bank looks at first."""

import re

IBAN_LENGTHS = {
    "AE": 23, "AT": 20, "BE": 16, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18,
    "EE": 20, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HU": 28, "IE": 22,
    "IT": 27, "LT": 20, "LU": 20, "LV": 21, "MT": 31, "NL": 18, "NO": 15, "PL": 28,
    "PT": 25, "QA": 29, "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "TR": 26,
}  # fmt: skip
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC = re.compile(r"[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)
_UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII
)


def iban_is_valid(iban: str) -> bool:
    """Tell whether shape, length of the country and the mod-97 check digits are right."""
    if not _IBAN.fullmatch(iban) or len(iban) != IBAN_LENGTHS.get(iban[:2], len(iban)):
        return False
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 == 1


def bic_is_valid(bic: str) -> bool:
    return bool(_BIC.fullmatch(bic))


def same_bank(one: str, other: str) -> bool:
    """Compare two BICs by institution; the branch does not matter for a book transfer."""
    return bool(one) and one[:8] == other[:8]


def aba_is_valid(number: str) -> bool:
    """Check a US routing number: weights 3-7-1."""
    if not re.fullmatch(r"[0-9]{9}", number, re.ASCII):
        return False
    weights = (3, 7, 1, 3, 7, 1, 3, 7, 1)
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True)) % 10 == 0


def clearing_code_is_valid(system: str, code: str) -> bool:
    """Check a clearing member code of the systems this bank knows; others pass."""
    if system == "USABA":
        return aba_is_valid(code)
    if system == "INFSC":
        return bool(_IFSC.fullmatch(code))
    if system == "GBDSC":
        return bool(re.fullmatch(r"[0-9]{6}", code, re.ASCII))
    return bool(code)


def uuid4_is_valid(text: str) -> bool:
    return bool(_UUID4.fullmatch(text))
