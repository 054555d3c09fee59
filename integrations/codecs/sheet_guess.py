"""Guess how a spreadsheet is to be read, as a first draft for the person who draws its mapping.

Nothing here decides: a guess is shown, corrected and approved by two people before it counts.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from integrations.codecs.cells import decoded, rows
from integrations.codecs.sheets import heading_of
from integrations.codecs.workbook import Cell, looks_like_workbook
from integrations.dialects.sheet import DELIMITERS, Column

SAMPLE_ROWS: Final = 200
_LINES: Final = 40
_CELLS_MIN: Final = 2
_DATE: Final = re.compile(r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})(?:[ T].*)?", re.ASCII)
_AMOUNT: Final = re.compile(
    r"[-+(]?\s?[0-9][0-9.,' \u00a0\u202f]*\)?[-+]?(?: ?(?:CR|DR|C|D))?", re.ASCII | re.IGNORECASE
)
_LAST_MARK: Final = re.compile(r"([.,])[0-9]{1,2}\)?(?:[-+]|\s?(?:CR|DR|C|D))?$", re.IGNORECASE)
_YEAR_CHARS: Final = 4
_MONTH_MAX: Final = 12
# Headings as banks write them in four languages; the first that fits a meaning takes it.
_WORDS: Final[dict[Column, tuple[str, ...]]] = {
    Column.VALUE: (
        "valuta", "wertstellung", "value date", "rentedatum", "date valeur", "date de v",
    ),
    Column.BOOKED: (
        "buchung", "booking date", "posting date", "post date", "transaction date", "boekdatum",
        "date op", "datum", "date",
    ),
    Column.DEBIT: ("debit", "soll", "paid out", "withdrawal", "money out", "lastschrift", "débit"),
    Column.CREDIT: ("credit", "haben", "paid in", "deposit", "money in", "gutschrift", "crédit"),
    Column.SIDE: ("soll/haben", "s/h", "d/c", "dc", "cr/dr", "dr/cr", "debit/credit", "af bij"),
    Column.BALANCE: ("saldo", "balance", "kontostand", "solde"),
    Column.CURRENCY: ("währung", "waehrung", "currency", "ccy", "munt", "devise"),
    Column.END_TO_END: ("end-to-end", "end to end", "endtoend", "kundenreferenz"),
    Column.COUNTERPARTY_ACCOUNT: (
        "kontonummer/iban", "counterparty account", "beneficiary account", "tegenrekening",
    ),
    Column.ACCOUNT: (
        "auftragskonto", "account number", "account no", "iban", "rekening", "account",
    ),
    Column.COUNTERPARTY: (
        "beguenstigter", "begünstigter", "zahlungspflichtig", "counterparty", "payee", "name",
        "auftraggeber", "empfänger", "tegenpartij",
    ),
    Column.CODE: ("transaction code", "gvc", "geschäftsvorfall", "mutatiesoort", "type"),
    Column.REFERENCE: ("bank reference", "referenz", "reference", "transaction id", "ref"),
    Column.AMOUNT: ("betrag", "amount", "umsatz", "bedrag", "montant", "value"),
    Column.TEXT: (
        "verwendungszweck", "description", "details", "narrative", "omschrijving", "buchungstext",
        "memo", "purpose", "libell", "mededeling", "text",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A draft of a mapping as a profile writes it, and the headings to choose from."""

    sheet: dict[str, Any]
    headings: tuple[str, ...]


def guess_mapping(data: bytes, *, encoding: str = "") -> Guess:
    """Return the best first draft for a sample.

    Raises:
        UnreadableMessage: the sample is no table at all.
    """
    delimiter = (
        "comma" if looks_like_workbook(data) else _delimiter(decoded(data, encoding=encoding))
    )
    sample = rows(data, delimiter=DELIMITERS[delimiter], encoding=encoding)
    table = [cells for _, cells in islice(sample, SAMPLE_ROWS)]
    headings, below = _headings(table)
    columns = _columns(headings)
    sheet: dict[str, Any] = {
        "columns": columns,
        "delimiter": delimiter,
        "decimal_mark": _decimal_mark(headings, below, columns),
        "dates": _dates(headings, below, columns),
    }
    if Column.SIDE in columns:
        sheet |= _side_words(headings, below, str(columns[Column.SIDE]))
    return Guess(sheet=sheet, headings=tuple(dict.fromkeys(filter(None, headings))))


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts most lines into the same number of cells."""
    lines = [line for line in text.splitlines()[: _LINES * 4] if line.strip()][:_LINES]

    def score(name: str) -> tuple[int, int]:
        counts = Counter(line.count(DELIMITERS[name]) for line in lines)
        counts.pop(0, None)
        return max(((seen, number) for number, seen in counts.items()), default=(0, 0))

    return max(DELIMITERS, key=score)


def _headings(table: Sequence[Sequence[Cell]]) -> tuple[list[str], Sequence[Sequence[Cell]]]:
    """Return the heading row, which is above the first row with a date and an amount."""
    for number, cells in enumerate(table):
        has_date = any(_is_date(cell) for cell in cells)
        if number and has_date and any(_is_amount(cell) for cell in cells):
            return [heading_of(cell) for cell in table[number - 1]], table[number:]
    wide = max(range(len(table)), key=lambda number: len(table[number]), default=0)
    return [heading_of(cell) for cell in table[wide]] if table else [], table[wide + 1 :]


def _is_date(cell: Cell) -> bool:
    return isinstance(cell, date) or (isinstance(cell, str) and bool(_DATE.fullmatch(cell)))


def _is_amount(cell: Cell) -> bool:
    if isinstance(cell, Decimal):
        return True
    return isinstance(cell, str) and bool(_AMOUNT.fullmatch(cell)) and not _DATE.fullmatch(cell)


def _columns(headings: Sequence[str]) -> dict[str, Any]:
    """Give each meaning the first heading that sounds like it; whole words go before parts."""
    free = list(dict.fromkeys(filter(None, headings)))
    found: dict[str, Any] = {}
    for column, words in _WORDS.items():
        taken = _best(free, words)
        if taken and not (column in {Column.DEBIT, Column.CREDIT} and "/" in taken):
            found[str(column)] = taken
            free.remove(taken)
    if Column.DEBIT in found and Column.CREDIT in found:
        found.pop(Column.AMOUNT, None)
    else:
        found.pop(Column.DEBIT, None)
        found.pop(Column.CREDIT, None)
    if Column.TEXT in found:
        found[Column.TEXT] = [found[Column.TEXT]]
    return {str(name): value for name, value in found.items()}


def _best(free: Sequence[str], words: Sequence[str]) -> str:
    for word in words:
        for heading in free:
            if heading.casefold() == word:
                return heading
    for word in words:
        for heading in free:
            if heading.casefold().startswith(word) or f" {word}" in heading.casefold():
                return heading
    return ""


def _cells_of(
    headings: Sequence[str], below: Sequence[Sequence[Cell]], names: Sequence[str]
) -> list[Cell]:
    places = [headings.index(name) for name in names if name in headings]
    return [cells[place] for cells in below for place in places if place < len(cells)]


def _decimal_mark(
    headings: Sequence[str], below: Sequence[Sequence[Cell]], columns: dict[str, Any]
) -> str:
    names = [str(columns.get(one, "")) for one in (Column.AMOUNT, Column.DEBIT, Column.CREDIT)]
    marks = Counter(
        match.group(1)
        for cell in _cells_of(headings, below, names)
        if isinstance(cell, str) and (match := _LAST_MARK.search(cell.strip()))
    )
    return "comma" if marks[","] > marks["."] else "point"


def _dates(
    headings: Sequence[str], below: Sequence[Sequence[Cell]], columns: dict[str, Any]
) -> str:
    names = [str(columns.get(one, "")) for one in (Column.BOOKED, Column.VALUE)]
    told = [
        match
        for cell in _cells_of(headings, below, names)
        if isinstance(cell, str) and (match := _DATE.fullmatch(cell))
    ]
    if not told:
        return "YYYY-MM-DD"
    mark = told[0].group(2)
    if len(told[0].group(1)) == _YEAR_CHARS:
        return f"YYYY{mark}MM{mark}DD"
    year = "YYYY" if len(told[0].group(4)) == _YEAR_CHARS else "YY"
    month_first = any(int(one.group(3)) > _MONTH_MAX for one in told)
    day, month = ("MM", "DD") if month_first else ("DD", "MM")
    return f"{day}{mark}{month}{mark}{year}"


def _side_words(
    headings: Sequence[str], below: Sequence[Sequence[Cell]], heading: str
) -> dict[str, list[str]]:
    """Sort the words of the side column by the letters that usually mean money in."""
    words = sorted({str(cell).strip().upper() for cell in _cells_of(headings, below, [heading])})
    credit = [word for word in words if word[:1] in {"C", "H", "B", "+"}]
    debit = [word for word in words if word and word not in credit]
    return {"credit_words": credit, "debit_words": debit}
