"""Rows of a CSV file, or of the first sheet of an Excel workbook. The first row names the columns.

Both are read with hard limits; a formula is refused, because what it shows is not in the file.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from core.errors import Invalid
from integrations.codecs.workbook import Cell, read_workbook
from treasury.uploads.records import CELL_CHARS_MAX, COLUMNS, REQUIRED, ROWS_MAX, Row

# Day zero of Excel's calendar, its false leap day of 1900 included.
_EPOCH: Final = date(1899, 12, 30)
# ASCII alone: there are digits that `str.isdigit` knows and `int` does not.
_INDEX: Final = re.compile(r"[0-9]{1,7}", re.ASCII)


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
    """Read the first sheet of an Excel workbook; numbers are read as they were typed.

    Raises:
        Invalid: columns missing or unknown, too many rows or columns.
        UnreadableMessage: no workbook, too large when unpacked, a formula, not well-formed.
    """
    found: list[list[str]] = []
    for number, cells in read_workbook(data):
        if not len(found) < number <= ROWS_MAX + 1:
            raise Invalid(f"At most {ROWS_MAX:,} rows are read.", field="file")
        found.extend([] for _ in range(number - len(found) - 1))
        found.append([_written(cell) for cell in cells])
    return _rows(found)


def _written(cell: Cell) -> str:
    if isinstance(cell, date):
        return cell.isoformat()
    return f"{cell.normalize():f}" if isinstance(cell, Decimal) else cell


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
