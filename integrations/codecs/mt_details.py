"""Read field 86, the free text in which banks hide structure.

Three dialects: German subfields (`166?00…?20EREF+…`), slashed keywords (`/EREF/…/REMI/…`), and
plain text.
"""

import re
from functools import partial
from typing import Final, NamedTuple

from integrations.codecs.camt_entries import join_pieces
from integrations.codecs.values import reference
from integrations.dialects.reading import DetailsStyle

_AUTO: Final = DetailsStyle.AUTO
_SUBFIELD_STYLE: Final = DetailsStyle.SUBFIELDS
# Subfields begin with a business code of three digits and the sign that separates them.
_BUSINESS_CODES: Final = frozenset(f"{code:03d}" for code in range(1_000))
_SEPARATORS: Final = frozenset("?>@#+")
_NAMES: Final = "EREF|KREF|MREF|CRED|DEBT|SVWZ|VWZ|ABWA|ABWE|COAM|OAMT|IBAN|BIC|PURP|RREF"
_KEYWORDS: Final = frozenset(_NAMES.split("|"))
_KEYWORD: Final = re.compile(rf"(?:{_NAMES})\+", re.ASCII)
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
# Every code that a subfield can have, and whether it holds a part of the purpose.
_IS_PURPOSE: Final = {
    f"{code:02d}": code in range(20, 30) or code in range(60, 64) for code in range(100)
}
# What most banks write, in one go: business code, posting text, references each in a subfield of
# its own, then the purpose, then who it was. What is written otherwise is read piece by piece.
_USUAL: Final = re.compile(
    r"(?!10[89]|159)([0-9]{3})\?(?=[0-9]{2})(?:00([^?]*+)(?:\?|\Z))?(?:10[^?]*+(?:\?|\Z))?"
    r"(?:(?:2[0-9]EREF\+([^?+]{1,35}+)(?:\?|\Z))?(?:2[0-9]KREF\+([^?+]{1,35}+)(?:\?|\Z))?"
    r"(?:2[0-9]MREF\+([^?+]{1,35}+)(?:\?|\Z))?"
    r"2[0-9](SVWZ\+[^?+]*+(?:\?(?:2[0-9]|6[0-3])[^?+]*+)*+)(?:\?|\Z))?"
    r"(?:30([^?]*+)(?:\?|\Z))?(?:31([^?]*+)(?:\?|\Z))?(?:32([^?]*+)(?:\?|\Z))?"
    r"(?:33([^?]*+))?(?<!\?)",
    re.ASCII,
)
_PURPOSE_KEYWORD_CHARS: Final = len("SVWZ+")


class Narrative(NamedTuple):
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


# All fields in their order; naming them takes longer than reading some of them.
_narrative: Final = partial(tuple.__new__, Narrative)


def read_narrative_text(text: str, *, style: DetailsStyle = _AUTO) -> Narrative:
    """Read field 86 from its lines as one text: the usual shape at once, else as `read_narrative`.

    The result is the same.
    """
    if style is _AUTO or style is _SUBFIELD_STYLE:
        whole = (text.replace("\n", "") if "\n" in text else text).strip()
        usual = _USUAL.fullmatch(whole)
        if usual is not None:
            return _read_usual(usual)
    return read_narrative(text.split("\n"), style=style)


def _read_usual(usual: re.Match[str]) -> Narrative:
    business_code, posting, eref, kref, mref, words, bank, account, name, more = usual.groups("")
    if "?" in words:
        # The first piece has lost its code to the pattern.
        words = _join_purpose(f"20{words}".split("?"))
    return _narrative(
        (
            business_code,
            posting.strip(),
            words[_PURPOSE_KEYWORD_CHARS:].strip(),
            f"{name}{more}".strip(),
            account.strip(),
            bank.strip() or None,
            reference(eref) if eref else None,
            reference(kref) if kref else None,
            reference(mref) if mref else None,
            None,
            None,
            None,
        )
    )


def read_narrative(lines: list[str], *, style: DetailsStyle = _AUTO) -> Narrative:
    """Read the lines of field 86 in the structure that the bank uses, or shows by itself."""
    whole = (lines[0] if len(lines) == 1 else "".join(lines)).strip()
    # One by one: a set would have to hash words for every movement.
    if style is _AUTO or style is _SUBFIELD_STYLE:
        business_code, separator = whole[:3], whole[3:4]
        if (
            separator in _SEPARATORS
            and whole[4:6] in _IS_PURPOSE
            and business_code in _BUSINESS_CODES
        ):
            return _read_subfields(whole, business_code, separator)
    if _is_slashed(whole, style):
        return _read_slashed(whole)
    return Narrative(
        remittance=join_pieces([line for line in lines if line.strip()], piece_chars=_LINE_CHARS)
    )


def _is_slashed(whole: str, style: DetailsStyle) -> bool:
    if style is DetailsStyle.TAGS:
        return _SLASHED.search(whole) is not None
    return style is DetailsStyle.AUTO and whole.startswith("/") and bool(_SLASHED.search(whole))


def _read_subfields(whole: str, business_code: str, separator: str) -> Narrative:
    texts, purpose, is_cut_rightly = _sort(whole.split(separator)[1:])
    if not is_cut_rightly:
        # A separator that no two digits follow belongs to the text.
        cuts = re.split(rf"{re.escape(separator)}(?=[0-9]{{2}})", whole, flags=re.ASCII)
        texts, purpose, _ = _sort(cuts[1:])
    told = texts.get
    words, keywords = _read_purpose(purpose)
    name = told("32", "")
    if "33" in texts:
        name += texts["33"]
    return Narrative(
        business_code,
        told("00", "").strip(),
        words,
        name.strip(),
        told("31", "").strip() or keywords.get("IBAN", ""),
        told("30", "").strip() or keywords.get("BIC") or None,
        reference(keywords["EREF"]) if "EREF" in keywords else None,
        reference(keywords["KREF"]) if "KREF" in keywords else None,
        reference(keywords["MREF"]) if "MREF" in keywords else None,
        None,
        told("34", "").strip() or business_code if business_code in _RETURN_CODES else None,
        keywords.get("PURP"),
    )


def _sort(pieces: list[str]) -> tuple[dict[str, str], list[str], bool]:
    """Return subfields by their codes, those of the purpose in a row, and if all have codes."""
    texts: dict[str, str] = {}
    purpose: list[str] = []
    for piece in pieces:
        code = piece[:2]
        is_purpose = _IS_PURPOSE.get(code)
        if is_purpose:
            purpose.append(piece)
        elif is_purpose is None:
            return texts, purpose, False
        elif code in texts:
            texts[code] += piece[2:]
        else:
            texts[code] = piece[2:]
    return texts, purpose, True


def _read_purpose(purpose: list[str]) -> tuple[str, dict[str, str]]:
    """Return the remittance and the keyed references of subfields 20-29 and 60-63.

    The later subfields go on with the earlier ones, unless a reference would run into them.
    """
    words, keywords = _read_keywords(_join_purpose(purpose))
    for name in _REFERENCES:
        if name in keywords and len(keywords[name]) > _REFERENCE_CHARS_MAX:
            break
    else:
        return words, keywords
    rest = _join_purpose([piece for piece in purpose if piece >= _FURTHER_PURPOSE])
    words, keywords = _read_keywords(
        _join_purpose([piece for piece in purpose if piece < _FURTHER_PURPOSE])
    )
    return " ".join(part for part in (words, rest) if part), keywords


def _join_purpose(purpose: list[str]) -> str:
    """Join purpose subfields; a keyword opens a new word even after a full subfield."""
    joined = ""
    due_blank = False
    for piece in purpose:
        content = piece[2:]
        is_full = len(content) >= _SUBFIELD_CHARS  # without the blank that a keyword is given
        if "+" in piece[5:7] and (joined or due_blank) and _KEYWORD.match(content):
            content = f" {content}"
        joined += f" {content}" if due_blank else content
        due_blank = not is_full and content[-1:] != " "
    return joined.strip()


def _read_keywords(words: str) -> tuple[str, dict[str, str]]:
    """Split `EREF+… MREF+… SVWZ+…` into the remittance and the keyed references."""
    if "+" not in words:
        return words, {}
    keyed: dict[str, str] = {}
    lead = name = ""
    last, *following = words.split("+")
    before: list[str] = []
    for piece in following:
        keyword = last[-4:] if last[-4:] in _KEYWORDS else last[-3:]
        if keyword in _KEYWORDS:
            text = last[: -len(keyword)]
            text = ("+".join([*before, text]) if before else text).strip()
            if not name:
                lead = text
            elif name not in keyed:
                keyed[name] = text
            name = keyword
            before = []
        else:
            before.append(last)
        last = piece
    if not name:
        return words, {}
    if name not in keyed:
        keyed[name] = "+".join([*before, last]).strip()
    told = keyed.get("SVWZ") or keyed.get("VWZ") or ""
    return (f"{lead} {told}" if lead and told else lead or told), keyed


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
