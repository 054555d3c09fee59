"""Field 86 read the plain way, step by step: what the reader of the product has to agree with."""

import re
from typing import Final

from integrations.codecs.mt_details import Narrative, read_narrative
from integrations.codecs.values import reference

_SUBFIELDS: Final = re.compile(r"([0-9]{3})([?>@#+])(?=[0-9]{2})", re.ASCII)
_KEYWORD: Final = re.compile(
    r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|VWZ|ABWA|ABWE|COAM|OAMT|IBAN|BIC|PURP|RREF)\+ ?", re.ASCII
)
_SUBFIELD_CHARS: Final = 27
# Business codes of returned direct debits (108, 109) and credit transfers (159).
_RETURN_CODES: Final = frozenset({"108", "109", "159"})
_REFERENCES: Final = ("EREF", "KREF", "MREF")
_REFERENCE_CHARS_MAX: Final = 35
_FURTHER_PURPOSE: Final = "60"
_PURPOSE_CODES: Final = frozenset(
    {*(f"{code}" for code in range(20, 30)), *(f"{code}" for code in range(60, 64))}
)


def read_plainly(lines: list[str]) -> Narrative:
    """Read the lines of field 86; what has no subfields is left to the product."""
    whole = "".join(lines).strip()
    subfields = _SUBFIELDS.match(whole)
    return read_narrative(lines) if subfields is None else _read_subfields(whole, subfields)


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
    joined, is_cut = "", True
    for piece in purpose:
        opens_a_word = bool(joined) and _KEYWORD.match(piece) is not None
        joined += f"{'' if is_cut else ' '}{' ' if opens_a_word else ''}{piece}"
        # A full subfield is cut where the bank had no more room: the next one goes on.
        is_cut = len(piece) >= _SUBFIELD_CHARS or piece.endswith(" ")
    return joined.strip()


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
