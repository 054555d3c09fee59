"""Rows of a CSV file, or of the first sheet of an Excel workbook. The first row names the columns.

A workbook is a ZIP of XML; both are opened with hard limits, and neither formulas nor macros run.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from core.errors import Invalid
from integrations.codecs.elements import (
    Element,
    as_utf8,
    by_name,
    children,
    finished_elements,
    text,
)
from treasury.uploads.records import CELL_CHARS_MAX, COLUMNS, REQUIRED, ROWS_MAX, Row

PART_BYTES_MAX: Final = 20_000_000
PARTS_MAX: Final = 500
COLUMNS_MAX: Final = 50
SHEET: Final = "xl/worksheets/sheet1.xml"
WORDS: Final = "xl/sharedStrings.xml"
# Day zero of Excel's calendar, its false leap day of 1900 included.
_EPOCH: Final = date(1899, 12, 30)
_CELL: Final = re.compile(r"([A-Z]{1,3})[0-9]{1,7}", re.ASCII)
# ASCII alone: there are digits that `str.isdigit` knows and `int` does not.
_INDEX: Final = re.compile(r"[0-9]{1,7}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,17}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?", re.ASCII)


def read_csv(data: bytes) -> list[Row]:
    """Read a CSV file with comma or semicolon, in UTF-8 or as Excel writes it.

    Raises:
        Invalid: not text, columns missing or unknown, too many rows or columns.
    """
    try:
        words = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"The file is not UTF-8 text (byte {error.start}). Save it as CSV UTF-8.", field="file"
        ) from error
    if "\0" in words:
        raise Invalid("The file is no text: it holds a NUL character.", field="file")
    first = words.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        cells = list(csv.reader(io.StringIO(words), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Invalid(f"The file is not well-formed CSV: {error}.", field="file") from error
    return _rows(cells)


def read_xlsx(data: bytes) -> list[Row]:
    """Read the first sheet of an Excel workbook; numbers are read as they are shown.

    Raises:
        Invalid: no workbook, too large when unpacked, columns missing or unknown, too many rows.
        UnreadableMessage: a part of it is not well-formed XML.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            if len(book.infolist()) > PARTS_MAX:
                raise Invalid(f"The workbook has more than {PARTS_MAX} parts.", field="file")
            words = _shared_words(_part(book, WORDS)) if WORDS in book.namelist() else []
            return _rows(_sheet_rows(_part(book, SHEET), words))
    except (zipfile.BadZipFile, zlib.error, KeyError, RuntimeError, EOFError) as error:
        raise Invalid("This is no Excel workbook that can be read.", field="file") from error


def _part(book: zipfile.ZipFile, name: str) -> bytes:
    """Unpack a part, never more than the limit, whatever its header claims."""
    with book.open(name) as stream:
        data = stream.read(PART_BYTES_MAX + 1)
    if len(data) > PART_BYTES_MAX:
        raise Invalid(f"The workbook unpacks to more than {PART_BYTES_MAX:,} bytes.", field="file")
    return as_utf8(data)


def _shared_words(data: bytes) -> list[str]:
    return [_all_text(element) for _, element in finished_elements(data, ("si",))]


def _all_text(element: Element) -> str:
    """Return the text of a string: plain, or in runs that look different."""
    plain = [text(one) or "" for one in children(element, "t")]
    runs = [text(run, "t") or "" for run in children(element, "r")]
    return "".join(plain + runs)


def _sheet_rows(data: bytes, words: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for _, element in finished_elements(data, ("row",)):
        stated = element.get("r") or str(len(found) + 1)
        number = int(stated) if _INDEX.fullmatch(stated) else 0
        if not len(found) < number <= ROWS_MAX + 1:
            raise Invalid(f"At most {ROWS_MAX:,} rows are read.", field="file")
        found.extend([] for _ in range(number - len(found) - 1))
        found.append(_cells(element, words))
        element.clear()
    return found


def _cells(row: Element, words: Sequence[str]) -> list[str]:
    cells: list[str] = []
    for cell in children(row, "c"):
        place = _CELL.fullmatch(cell.get("r") or "")
        column = _column(place.group(1)) if place else len(cells)
        if not len(cells) <= column < COLUMNS_MAX:
            raise Invalid(f"At most {COLUMNS_MAX} columns are read.", field="file")
        cells.extend("" for _ in range(column - len(cells)))
        cells.append(_value(cell, words))
    return cells


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: Element, words: Sequence[str]) -> str:
    parts = by_name(cell)
    kind, stored = cell.get("t"), text(parts.get("v")) or ""
    if kind == "inlineStr":
        inline = parts.get("is")
        return "" if inline is None else _all_text(inline)
    if kind == "s":
        is_known = _INDEX.fullmatch(stored) and int(stored) < len(words)
        return words[int(stored)] if is_known else ""
    if kind in (None, "n") and _NUMBER.fullmatch(stored):
        # Stored in binary: the shortest decimal that means the same is what the person typed.
        return f"{Decimal(repr(float(stored))):f}".removesuffix(".0")
    return stored


def _rows(cells: Sequence[Sequence[str]]) -> list[Row]:
    if not cells:
        raise Invalid("The file is empty.", field="file")
    if len(cells) > ROWS_MAX + 1:
        raise Invalid(f"The file has more than {ROWS_MAX:,} rows; split it.", field="file")
    names = [name.strip().lower().replace(" ", "_") for name in cells[0]]
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name and name not in COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        words = f"Row 1 names the columns: {', '.join(COLUMNS)}."
        if missing:
            words += f" Missing: {', '.join(missing)}."
        if unknown:
            words += f" Unknown: {', '.join(sorted(unknown)[:5])[:200]}."
        raise Invalid(words, field="file")
    return list(_filled(names, cells[1:]))


def _filled(names: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[Row]:
    for number, line in enumerate(cells, start=2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) > len(names) and any(cell.strip() for cell in line[len(names) :]):
            raise Invalid(f"Row {number} has more cells than there are columns.", field="file")
        facts = {
            name: cell.strip()[: CELL_CHARS_MAX + 1]
            for name, cell in zip(names, line, strict=False)
        }
        if _INDEX.fullmatch(facts.get("value_date", "")):
            facts["value_date"] = _excel_day(facts["value_date"])
        yield Row(number=number, **facts)


def _excel_day(serial: str) -> str:
    days = int(serial) if len(serial) <= len("99999") else 0
    return (_EPOCH + timedelta(days=days)).isoformat() if days else serial
