"""Read field 86, the free text in which banks hide structure.

Three dialects: German subfields (`166?00…?20EREF+…`), slashed keywords (`/EREF/…/REMI/…`), and
plain text.
"""

import re
from dataclasses import dataclass
from typing import Final

from integrations.codecs.camt_entries import join_pieces
from integrations.codecs.values import reference
from integrations.dialects.reading import DetailsStyle

_SUBFIELDS: Final = re.compile(r"([0-9]{3})([?>@#+])(?=[0-9]{2})", re.ASCII)
_KEYWORD: Final = re.compile(
    r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|VWZ|ABWA|ABWE|COAM|OAMT|IBAN|BIC|PURP|RREF)\+ ?", re.ASCII
)
_SLASHED: Final = re.compile(
    r"/(EREF|KREF|PREF|MARF|CSID|REMI|BENM|ORDP|CNTP|NAME|IBAN|BIC|ID|ISDT|RTRN|TRTP|TRCD|PURP"
    r"|ULTC|ULTD|ULTB|ADDR|SVCL|EXCH|CHGS|OAMT|ACCW|RREF|IREF|NREF|UETR|INFO|TTDN)/",
    re.ASCII,
)
_UETR: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII
)
_ACCOUNT: Final = re.compile(r"[A-Z0-9 ./-]{4,40}", re.ASCII)
_LINE_CHARS: Final = 65
_SUBFIELD_CHARS: Final = 27
# Business codes of returned direct debits (108, 109) and credit transfers (159).
_RETURN_CODES: Final = frozenset({"108", "109", "159"})
_REFERENCES: Final = ("EREF", "KREF", "MREF")
_REFERENCE_CHARS_MAX: Final = 35
_FURTHER_PURPOSE: Final = "60"
_PURPOSE_CODES: Final = frozenset(
    {*(f"{code}" for code in range(20, 30)), *(f"{code}" for code in range(60, 64))}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrative:
    """What field 86 says about the movement before it."""

    transaction_type: str | None = None
    posting_text: str = ""
    remittance: str = ""
    counterparty_name: str = ""
    counterparty_account: str = ""
    counterparty_bank: str | None = None
    end_to_end_id: str | None = None
    customer_reference: str | None = None
    mandate_id: str | None = None
    uetr: str | None = None
    return_reason: str | None = None
    purpose: str | None = None


def read_narrative(lines: list[str], *, style: DetailsStyle = DetailsStyle.AUTO) -> Narrative:
    """Read the lines of field 86 in the structure that the bank uses, or shows by itself."""
    whole = "".join(lines).strip()
    may_have_subfields = style in {DetailsStyle.AUTO, DetailsStyle.SUBFIELDS}
    subfields = _SUBFIELDS.match(whole) if may_have_subfields else None
    if subfields is not None:
        return _read_subfields(whole, subfields)
    if _is_slashed(whole, style):
        return _read_slashed(whole)
    return Narrative(
        remittance=join_pieces([line for line in lines if line.strip()], piece_chars=_LINE_CHARS)
    )


def _is_slashed(whole: str, style: DetailsStyle) -> bool:
    if style is DetailsStyle.TAGS:
        return _SLASHED.search(whole) is not None
    return style is DetailsStyle.AUTO and whole.startswith("/") and bool(_SLASHED.search(whole))


def _read_subfields(whole: str, start: re.Match[str]) -> Narrative:
    separator = re.escape(start.group(2))
    pieces = re.split(rf"{separator}(?=[0-9]{{2}})", whole[start.end() :], flags=re.ASCII)
    texts: dict[str, str] = {}
    purpose: list[tuple[str, str]] = []
    for piece in pieces:
        code, content = piece[:2], piece[2:]
        if code in _PURPOSE_CODES:
            purpose.append((code, content))
        else:
            texts[code] = f"{texts.get(code, '')}{content}"
    words, keywords = _read_purpose(purpose)
    name = f"{texts.get('32', '')}{texts.get('33', '')}".strip()
    return Narrative(
        transaction_type=start.group(1),
        posting_text=texts.get("00", "").strip(),
        remittance=words,
        counterparty_name=name,
        counterparty_account=texts.get("31", "").strip() or keywords.get("IBAN", ""),
        counterparty_bank=texts.get("30", "").strip() or keywords.get("BIC") or None,
        end_to_end_id=reference(keywords.get("EREF")),
        customer_reference=reference(keywords.get("KREF")),
        mandate_id=reference(keywords.get("MREF")),
        return_reason=_return_reason(start.group(1), texts.get("34", "").strip()),
        purpose=keywords.get("PURP"),
    )


def _return_reason(business_code: str, extension: str) -> str | None:
    """Return why a payment came back: the extension of the text key, on returns only."""
    return (extension or business_code) if business_code in _RETURN_CODES else None


def _read_purpose(purpose: list[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """Return the remittance and the keyed references of subfields 20-29 and 60-63.

    The later subfields go on with the earlier ones, unless a reference would run into them.
    """
    words, keywords = _read_keywords(_join_purpose([content for _, content in purpose]))
    if all(len(keywords.get(name, "")) <= _REFERENCE_CHARS_MAX for name in _REFERENCES):
        return words, keywords
    first = [content for code, content in purpose if code < _FURTHER_PURPOSE]
    rest = [content for code, content in purpose if code >= _FURTHER_PURPOSE]
    words, keywords = _read_keywords(_join_purpose(first))
    return " ".join(part for part in (words, _join_purpose(rest)) if part), keywords


def _join_purpose(purpose: list[str]) -> str:
    """Join purpose subfields; a keyword opens a new word even after a full subfield."""
    spaced = [
        f" {piece}" if index and _KEYWORD.match(piece) else piece
        for index, piece in enumerate(purpose)
    ]
    return join_pieces(spaced, piece_chars=_SUBFIELD_CHARS)


def _read_keywords(words: str) -> tuple[str, dict[str, str]]:
    """Split `EREF+… MREF+… SVWZ+…` into the remittance and the keyed references."""
    matches = list(_KEYWORD.finditer(words))
    if not matches:
        return words, {}
    keyed: dict[str, str] = {}
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        end = len(words) if following is None else following.start()
        keyed.setdefault(match.group(1), words[match.end() : end].strip())
    lead = words[: matches[0].start()].strip()
    told = keyed.get("SVWZ") or keyed.get("VWZ") or ""
    return " ".join(part for part in (lead, told) if part), keyed


def _read_slashed(whole: str) -> Narrative:
    matches = list(_SLASHED.finditer(whole))
    keyed: dict[str, str] = {}
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        end = len(whole) if following is None else following.start()
        keyed.setdefault(match.group(1), whole[match.end() : end].strip())
    account, bank, name = _read_counterparty(keyed)
    remittance = keyed.get("REMI", "").removeprefix("USTD//").removeprefix("STRD/").strip("/ ")
    uetr = keyed.get("UETR", "").lower()
    return Narrative(
        transaction_type=None,
        posting_text=keyed.get("TRTP", "").strip("/ "),
        remittance=remittance or keyed.get("INFO", ""),
        counterparty_name=name,
        counterparty_account=account,
        counterparty_bank=bank or None,
        end_to_end_id=reference(keyed.get("EREF", "").strip("/ ")),
        customer_reference=reference((keyed.get("PREF") or keyed.get("KREF") or "").strip("/ ")),
        mandate_id=reference(keyed.get("MARF", "").strip("/ ")),
        uetr=uetr if _UETR.fullmatch(uetr) else None,
        return_reason=reference(keyed.get("RTRN", "").strip("/ ")),
        purpose=reference(keyed.get("PURP", "").removeprefix("CD/").strip("/ ")),
    )


def _read_counterparty(keyed: dict[str, str]) -> tuple[str, str, str]:
    """Return account, bank and name, from `/CNTP/account/bank/name/town` or single keywords."""
    if "CNTP" in keyed:
        cells = [cell.strip() for cell in keyed["CNTP"].split("/")]
        account, bank, name = ([*cells, "", "", ""])[:3]
        return account, bank, name
    account = keyed.get("IBAN", "").strip("/ ")
    if account and not _ACCOUNT.fullmatch(account):
        account = ""
    bank = keyed.get("BIC", "").strip("/ ")
    return account, bank, keyed.get("NAME", "").strip("/ ")
