"""Read long runs of plain entries of an MT940 or MT942, each by one regular expression.

A plain entry is a field 61 of one line, perhaps one line of further information, perhaps one field
86, and then the next entry or the closing balance. Its amount and dates need no remark. Everything
else is left to the reader that takes field by field, which decides what becomes of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from core.errors import Invalid
from core.money import minor_units
from integrations.codecs.building import swift
from integrations.codecs.constants import AMOUNT_DECIMALS_MAX, CENTURY_PIVOT_YEAR
from integrations.codecs.mt_details import read_narrative_text
from integrations.codecs.records import EntryStatus, ParsedEntry
from integrations.codecs.values import FILLER_CHARS_MAX, reference
from integrations.dialects.reading import DateOrder, DetailsStyle, Dialect

# Lines that go on with a text: none that could open a field, end a message or start an envelope.
_GOES_ON: Final = r"[^:{\-\s][^\n]{0,500}+"
_PLAIN: Final = re.compile(
    r":61:([0-9]{6}(?:[0-9]{4}| {4})?)(RC|RD|EC|ED|C|D)[A-Z]?"
    r"([0-9]{1,15},[0-9]{0,4})([A-Za-z][^\n]{0,200}+)?"
    rf"(?:\n({_GOES_ON}))?"
    # What could be the minutes of a time that was wrapped opens no field.
    rf"(?:\n:86:(?![0-9]{{2}}(?![0-9]))([^\n]{{0,500}}+(?:\n{_GOES_ON}){{0,40}}+))?"
    r"\n(?=:61:[0-9]{6}|:62[FM]:)",
    re.ASCII,
)
# Where a field 61 opens whatever stood before it.
_ENTRY: Final = re.compile(r"^:61:[0-9]{6}", re.ASCII | re.MULTILINE)
_TYPE_CHARS: Final = 4
_OWNER_REFERENCE_CHARS: Final = 16
# The type of a movement that brings a payment back, whatever its narrative says.
RETURNED_ITEM: Final = "RTI"
_entry = swift(ParsedEntry)

Days = tuple[date, date]


def next_entry(text: str, place: int) -> int:
    """Return where the next field 61 opens at or after `place`; the end if there is none."""
    found = _ENTRY.search(text, place)
    return len(text) if found is None else found.start()


@dataclass(slots=True)
class Run:
    """Entries that followed each other, and where the text goes on after them."""

    entries: list[ParsedEntry]
    place: int
    line_number: int


class RunReader:
    """Reads runs; what it has seen of dates and codes it knows again."""

    def __init__(self, *, dialect: Dialect, signs: Mapping[str, int]) -> None:
        self.style: DetailsStyle = dialect.mt_details
        self.can_read = dialect.mt_dates is DateOrder.YEAR_FIRST
        self.marks = {
            mark: (
                "-" if sign < 0 else "",
                EntryStatus.PDNG if mark.startswith("E") else EntryStatus.BOOK,
                mark.startswith("R"),
            )
            for mark, sign in signs.items()
        }
        self.days: dict[str, Days | None] = {}
        self.codes: dict[tuple[str, str | None], str | None] = {}

    def read(self, text: str, *, place: int, line_number: int, currency: str, at_most: int) -> Run:
        """Read plain entries from `place` on until one is not plain, at most so many."""
        entries: list[ParsedEntry] = []
        decimals = _decimals(currency)
        run = Run(entries, place, line_number)
        match_at, read_one, add = _PLAIN.match, self._read_one, entries.append
        while self.can_read and len(entries) < at_most:
            match = match_at(text, place)
            if match is None:
                break
            entry = read_one(match, currency, decimals, f"line {line_number}")
            if entry is None:
                break
            add(entry)
            end = match.end()
            line_number += text.count("\n", place, end)
            place = end
        run.place, run.line_number = place, line_number
        return run

    def _read_one(
        self, match: re.Match[str], currency: str, decimals: int, locator: str
    ) -> ParsedEntry | None:
        stated_days, mark, size, rest, supplementary, told_lines = match.groups()
        days = self.days.get(stated_days) or self._learn_days(stated_days)
        if days is None or len(size) - size.find(",") - 1 > decimals:
            return None
        sign, status, is_reversal = self.marks[mark]
        head, _, bank = rest.partition("//") if rest else ("", "", "")
        if len(head) < _TYPE_CHARS:
            kind, owner, bank, padded = split_references(rest) if rest else ("", "", "", "")
        else:
            kind, owner, padded = _head(head)
            bank = bank.strip()
        booked, valued = days
        extra = padded
        if supplementary:
            extra = f"{padded} {supplementary.strip()}" if padded else supplementary.strip()
        amount = Decimal(f"{sign}{size.replace(',', '.')}")
        instruction_id = owner if len(owner) > FILLER_CHARS_MAX else reference(owner)
        returned = RETURNED_ITEM if kind[1:] == RETURNED_ITEM else None
        if told_lines is None:
            return _entry(
                amount,
                currency,
                status,
                is_reversal,
                booked,
                valued,
                None,  # entry_reference
                reference(bank),
                f"PRTRY:{kind}" if kind else None,
                None,  # end_to_end_id
                instruction_id,
                return_reason=returned,
                additional_info=extra,
                locator=locator,
            )
        told = read_narrative_text(told_lines, style=self.style)
        if told.posting_text:
            extra = f"{extra} {told.posting_text}" if extra else told.posting_text
        codes = (kind, told.transaction_type)
        # In the order of the record's fields; what a plain entry has not is None or empty.
        return _entry(
            amount, currency, status, is_reversal, booked, valued, None,  # entry reference
            bank if len(bank) > FILLER_CHARS_MAX else reference(bank),
            self.codes[codes] if codes in self.codes else self._learn_code(codes),
            told.end_to_end_id, instruction_id or told.customer_reference, None, told.uetr,
            None, None, told.mandate_id,  # payment information, message
            None, None, (),  # count and total of a batch, details
            told.counterparty_name, told.counterparty_account, told.counterparty_bank,
            told.remittance, (),  # structured references
            told.return_reason or returned,
            None, (), None,  # original code, charges, conversion
            extra, locator,
        )  # fmt: skip

    def _learn_days(self, text: str) -> Days | None:
        """Return booking and value date; None where that takes a remark, or a closer look."""
        days = self.days[text] = _days(text[:6], text[6:].strip())
        return days

    def _learn_code(self, codes: tuple[str, str | None]) -> str | None:
        code = self.codes[codes] = joined_code(*codes)
        return code


def joined_code(kind: str, business_code: str | None) -> str | None:
    """Return the transaction code that fields 61 and 86 make up together."""
    code = f"PRTRY:{kind}" if kind else None
    return code if business_code is None else f"{code or 'PRTRY:'}+{business_code}"


def split_references(rest: str) -> tuple[str, str, str, str]:
    """Split what follows the amount into type, owner's and bank's reference, and extra."""
    rest = rest.strip()
    owner, _, bank = rest[_TYPE_CHARS:].partition("//")
    padded = ""
    # A reference padded to its full width is followed by a name in some dialects.
    if len(owner) > _OWNER_REFERENCE_CHARS and owner[_OWNER_REFERENCE_CHARS - 1] == " ":
        padded = owner[_OWNER_REFERENCE_CHARS:].strip()
        owner = owner[:_OWNER_REFERENCE_CHARS]
    return rest[:_TYPE_CHARS].strip(), owner.strip(), bank.strip(), padded


# Where the account's owner gave no reference, all entries of a kind have the same head.
@lru_cache(maxsize=1024)
def _head(head: str) -> tuple[str, str, str]:
    """Return type, owner's reference and extra of what stands before the bank's reference."""
    kind, owner, _, padded = split_references(head)
    return kind, owner, padded


def _days(value: str, entry: str) -> Days | None:
    year = int(value[:2])
    year += 1900 if year >= CENTURY_PIVOT_YEAR else 2000
    try:
        valued = date(year, int(value[2:4]), int(value[4:6]))
        if not entry or value[2:] == entry:
            return valued, valued
        month, day = int(entry[:2]), int(entry[2:])
        near = [date(at, month, day) for at in (year, year - 1, year + 1)]
    except ValueError:
        return None
    return min(near, key=lambda one: abs(one - valued)), valued


def _decimals(currency: str) -> int:
    try:
        return min(minor_units(currency), AMOUNT_DECIMALS_MAX)
    except Invalid:
        return AMOUNT_DECIMALS_MAX
