"""How each bank of the house speaks: its formats, its answers, its cut-offs; from a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

from integrations.sandbox_bank import identifiers
from integrations.sandbox_bank.rails import RAILS
from integrations.sandbox_bank.records import BankError

CAMT_053 = ("camt.053.001.08", "camt.053.001.02")
STATEMENT_FORMATS = (*CAMT_053, "MT940", "BAI2", "CSV")
INTRADAY_FORMATS = ("camt.052", "MT942", "none")
STATUS_VERSIONS = ("pain.002.001.10", "pain.002.001.03")
STATUS_STYLES = ("transaction", "group")
BANKS_MAX = 100
BIC_CHARACTERS = 8
_FIELDS = {
    "bic", "name", "statement_format", "intraday_format", "status_version", "status_style",
    "notifies", "rails", "page_entries",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """One bank. `closes` are cut-offs of its own, earlier or later than those of the rail.

    `status_style` group: when all orders of a file stand alike it says so once, for the file.
    `page_entries` splits longer camt statements into pages.
    """

    bic: str = ""
    name: str = ""
    statement_format: str = CAMT_053[0]
    intraday_format: str = INTRADAY_FORMATS[0]
    status_version: str = STATUS_VERSIONS[0]
    status_style: str = STATUS_STYLES[0]
    notifies: bool = True
    page_entries: int = 0
    closes: Mapping[str, time] = field(default_factory=lambda: MappingProxyType({}))


PLAIN = Manner()
Manners = Mapping[str, Manner]


def manner_of(manners: Manners, bic: str) -> Manner:
    """Return how the bank of this BIC speaks; one that the file does not name speaks plainly."""
    return manners.get(bic[:BIC_CHARACTERS], PLAIN)


def load_manners(path: Path) -> dict[str, Manner]:
    """Read a file of banks: a JSON list of objects.

    Raises:
        BankError: the file or one of its banks is unusable; the message says which.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BankError("banks_unreadable", f"{path.name}: {error}") from error
    if not isinstance(content, list) or len(content) > BANKS_MAX:
        raise BankError("banks_unreadable", f"{path.name}: a list of at most {BANKS_MAX} banks")
    banks = [_parsed(item, place) for place, item in enumerate(content)]
    return {bank.bic[:BIC_CHARACTERS]: bank for bank in banks}


def _parsed(item: object, place: int) -> Manner:
    if not isinstance(item, dict) or set(item) - _FIELDS:
        raise _refused(place, f"is an object with {', '.join(sorted(_FIELDS))}")
    bic = item.get("bic", "")
    if not isinstance(bic, str) or not identifiers.bic_is_valid(bic):
        raise _refused(place, "needs a bic")
    pages = item.get("page_entries", 0)
    if not isinstance(pages, int) or pages < 0:
        raise _refused(place, "has page_entries that are no number from 0")
    return Manner(
        bic=bic,
        name=str(item.get("name", "")),
        statement_format=_choice(item, "statement_format", STATEMENT_FORMATS, place),
        intraday_format=_choice(item, "intraday_format", INTRADAY_FORMATS, place),
        status_version=_choice(item, "status_version", STATUS_VERSIONS, place),
        status_style=_choice(item, "status_style", STATUS_STYLES, place),
        notifies=item.get("notifies", True) is True,
        page_entries=pages,
        closes=MappingProxyType(_closes(item.get("rails", {}), place)),
    )


def _choice(item: Mapping[str, Any], name: str, choices: tuple[str, ...], place: int) -> str:
    value = item.get(name, choices[0])
    if value not in choices:
        raise _refused(place, f"has a {name} that is none of {', '.join(choices)}")
    return str(value)


def _closes(rails: object, place: int) -> dict[str, time]:
    if not isinstance(rails, dict):
        raise _refused(place, "has rails that are no object")
    closes = {}
    for code, facts in rails.items():
        if code not in RAILS or not RAILS[code].zone or set(facts) != {"closes"}:
            raise _refused(place, f'needs {{"closes": "HH:MM"}} for the rail {code}')
        try:
            closes[code] = time.fromisoformat(str(facts["closes"]))
        except ValueError as error:
            raise _refused(place, f"has no time of day as cut-off of {code}") from error
    return closes


def _refused(place: int, sentence: str) -> BankError:
    return BankError("bank_invalid", f"bank {place + 1} {sentence}", status=422)
