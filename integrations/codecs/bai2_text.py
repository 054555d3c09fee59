"""Read the text of a BAI2 transaction: plain words, or lines such as `EREF: 4711`."""

import re
from dataclasses import dataclass
from typing import Final

from integrations.codecs.values import reference

_TAGGED: Final = re.compile(r"([A-Z]{4}): ?(.*)", re.ASCII)
# Return reasons of ACH entries, as they stand in the text: R01 and the like.
_RETURN_REASON: Final = re.compile(r"\bR[0-9]{2}\b", re.ASCII)
_KNOWN: Final = frozenset(
    {"EREF", "REMI", "CRNM", "DBNM", "CACT", "DACT", "CBIC", "DBIC", "CABA", "DABA", "CREF", "IDNM"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a transaction's text says."""

    remittance: str = ""
    end_to_end_id: str | None = None
    counterparty_name: str = ""
    counterparty_account: str = ""
    counterparty_bic: str | None = None


def return_reason(told: Told, *, code: str) -> str:
    """Return why an item came back: the reason in its text, else its type code."""
    found = _RETURN_REASON.search(told.remittance)
    return found.group() if found else code


def told_by(lines: list[str], *, is_credit: bool) -> Told:
    """Read the lines of text; the other side of a credit is the debtor."""
    tagged: dict[str, str] = {}
    words: list[str] = []
    for line in lines:
        match = _TAGGED.fullmatch(line)
        if match is not None and match.group(1) in _KNOWN:
            tagged.setdefault(match.group(1), match.group(2).strip())
        else:
            words.append(" ".join(line.split()))
    other = "D" if is_credit else "C"
    remittance = " ".join(part for part in (*words, tagged.get("REMI", "")) if part)
    return Told(
        remittance=remittance,
        end_to_end_id=reference(tagged.get("EREF")),
        counterparty_name=tagged.get("DBNM" if is_credit else "CRNM", ""),
        counterparty_account=tagged.get(f"{other}ACT", ""),
        counterparty_bic=tagged.get(f"{other}BIC") or None,
    )
