"""Read field 25: an account in one of the many ways in which banks write it."""

import re
from typing import Final

from integrations.codecs.mt_fields import Field
from integrations.codecs.records import AccountRef
from integrations.codecs.values import Findings, iban_checksum_holds

_BIC: Final = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_WITH_CURRENCY: Final = re.compile(r"(.*[0-9])[ ]?([A-Z]{3})", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


def account_named(number: str) -> AccountRef:
    """Return an account by its number alone, which may be an IBAN."""
    compact = number.replace(" ", "").upper()
    if iban_checksum_holds(compact):
        return AccountRef(iban=compact)
    return AccountRef(number=number or None)


def read_account(part: Field, *, findings: Findings) -> AccountRef:
    """Read `BIC/account`, `bank code/account`, an IBAN, each with or without a currency."""
    cells = [cell.strip() for cell in part.value.split("/") if cell.strip()]
    bic = cells.pop(0) if len(cells) > 1 and _BIC.fullmatch(cells[0]) else None
    currency = cells.pop() if len(cells) > 1 and _CURRENCY.fullmatch(cells[-1]) else None
    number = "/".join(cells)
    if not number:
        findings.add("account_unknown", "The statement names no account.", part.locator)
        return AccountRef(bic=bic, currency=currency)
    compact = number.replace(" ", "").upper()
    if iban_checksum_holds(compact):
        return AccountRef(iban=compact, bic=bic, currency=currency)
    suffixed = _WITH_CURRENCY.fullmatch(number)
    if suffixed is not None and currency is None:
        number, currency = suffixed.group(1), suffixed.group(2)
        compact = number.replace(" ", "").upper()
    if not _IBAN.fullmatch(compact):
        return AccountRef(number=number, bic=bic, currency=currency)
    if not iban_checksum_holds(compact):
        words = f"The check digits of {compact} are wrong."
        findings.add("iban_checksum", words, part.locator)
    return AccountRef(iban=compact, bic=bic, currency=currency)
