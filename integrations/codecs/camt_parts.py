"""Pick what is wanted of an entry in one pass over its elements.

Looking a name up below an element costs time for every child that is stepped over, so the wanted
paths are laid out beforehand, and each child is touched once. As everywhere, the first of several
elements of one name counts and the others are passed by.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeAlias

from core.errors import Invalid
from core.money import minor_units
from integrations.codecs.elements import Element, local_name
from integrations.codecs.values import read_date

# Local name -> (path, what is wanted below it). None below: the text is wanted.
Plan: TypeAlias = "dict[str, tuple[str, Plan | None]]"

_CENTS: Final = 2
_CURRENCY_CHARS: Final = 3
# What is remembered is short, whatever a file holds: a day with the offset of its zone.
_DAY_CHARS_MAX: Final = 16
_PLAIN_AMOUNT: Final = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,2})?", re.ASCII)
_ELEMENT: Final = "/"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a plan found: trimmed texts (None where blank) and elements, by their path."""

    texts: dict[str, str | None] = field(default_factory=dict)
    elements: dict[str, Element] = field(default_factory=dict)

    def first(self, paths: Iterable[str]) -> str | None:
        """Return the text of the first of several paths that has one."""
        for path in paths:
            found = self.texts.get(path)
            if found is not None:
                return found
        return None


def plan(*paths: str) -> Plan:
    """Lay out paths like `Refs/UETR` for their text; `Amt/` wants the element itself."""
    made: Plan = {}
    for path in paths:
        *above, last = path.removesuffix(_ELEMENT).split("/")
        level = made
        for depth, name in enumerate(above, start=1):
            _, below = level.setdefault(name, ("/".join(above[:depth]), {}))
            if below is None:
                raise ValueError(f"{path} is wanted below a text.")
            level = below
        level.setdefault(last, (path.removesuffix(_ELEMENT), {} if path.endswith("/") else None))
    return made


def pick(element: Element | None, wanted: Plan) -> Parts:
    """Return what `wanted` names below `element`."""
    found = Parts()
    if element is not None:
        _pick(element, wanted, found.texts, found.elements)
    return found


def _pick(
    element: Element, wanted: Plan, texts: dict[str, str | None], elements: dict[str, Element]
) -> None:
    for part in element:
        step = wanted.get(local_name(part.tag))
        if step is None:
            continue
        path, below = step
        if below is None:
            if path not in texts:
                words = part.text
                texts[path] = words.strip() or None if words else None
        elif path not in elements:
            elements[path] = part
            if below:
                _pick(part, below, texts, elements)


def plain_amount(text: str | None, currency: str) -> Decimal | None:
    """Read an amount as nearly all are written; None says that it takes a closer look."""
    if text is None or not _PLAIN_AMOUNT.fullmatch(text):
        return None
    fits = len(currency) == _CURRENCY_CHARS and _has_cents(currency)
    return Decimal(text) if fits else None


@lru_cache(maxsize=256)
def _has_cents(currency: str) -> bool:
    """Say whether two decimals are never too many for a currency."""
    try:
        return minor_units(currency) >= _CENTS
    except Invalid:
        return True


def plain_day(text: str) -> date | None:
    """Read a date about which there is nothing to remark; None says that it takes a closer look."""
    return _remembered_day(text) if len(text) <= _DAY_CHARS_MAX else None


@lru_cache(maxsize=1024)
def _remembered_day(text: str) -> date | None:
    remarks: list[str] = []
    day = read_date(text, note=lambda code, _words: remarks.append(code))
    return None if remarks else day
