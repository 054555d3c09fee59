"""Rows, amounts and dates of a spreadsheet, whichever way it was saved."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from integrations.codecs.constants import YEAR_MAX, YEAR_MIN
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.values import shown
from integrations.codecs.workbook import (
    CELL_CHARS_MAX,
    COLUMNS_MAX,
    ROWS_MAX,
    Cell,
    looks_like_workbook,
    read_workbook,
)

CSV_BYTES_MAX: Final = 16 * 1024 * 1024
_BLANKS: Final = re.compile(r"[\s\u00a0\u202f'\u2019]")
_SIDE_SUFFIX: Final = re.compile(r"(.*?)(CR|DR|C|D)\.?", re.ASCII | re.IGNORECASE)
_SUFFIX_SIGNS: Final = {"CR": 1, "C": 1, "DR": -1, "D": -1}
_PLAIN: Final = {
    ".": re.compile(r"([0-9]{1,16}|[0-9]{1,3}(?:,[0-9]{3}){1,5})(?:\.([0-9]{1,6}))?", re.ASCII),
    ",": re.compile(r"([0-9]{1,16}|[0-9]{1,3}(?:\.[0-9]{3}){1,5})(?:,([0-9]{1,6}))?", re.ASCII),
}
_DECIMALS_MAX: Final = 4


def rows(
    data: bytes, *, sheet: str = "", delimiter: str = ";", encoding: str = ""
) -> Iterator[tuple[int, list[Cell]]]:
    """Yield number and cells of each row; blank rows are passed by.

    Raises:
        UnreadableMessage: too many or too wide rows, or nothing that is a table.
    """
    found = (
        read_workbook(data, sheet=sheet)
        if looks_like_workbook(data)
        else _csv_rows(data, delimiter=delimiter, encoding=encoding)
    )
    for count, (number, cells) in enumerate(found, start=1):
        if count > ROWS_MAX:
            raise UnreadableMessage(
                f"The sheet has more than {ROWS_MAX:,} rows.", code="too_many_records"
            )
        if any(cell != "" for cell in cells):
            yield number, cells


def decoded(data: bytes, *, encoding: str = "") -> str:
    """Return the text of a CSV: as its mark says, as the profile says, else UTF-8, else cp1252."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8-sig", errors="replace")
    if encoding:
        return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _csv_rows(data: bytes, *, delimiter: str, encoding: str) -> Iterator[tuple[int, list[Cell]]]:
    if len(data) > CSV_BYTES_MAX:
        raise UnreadableMessage(
            f"The file has {len(data):,} bytes; of CSV at most {CSV_BYTES_MAX:,} are read.",
            code="message_too_large",
        )
    text = decoded(data, encoding=encoding).replace("\x00", "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if len(cells) > COLUMNS_MAX:
                raise UnreadableMessage(
                    f"A row has more than {COLUMNS_MAX} columns.",
                    code="row_too_wide",
                    locator=f"row {reader.line_num}",
                )
            yield reader.line_num, [cell.strip()[:CELL_CHARS_MAX] for cell in cells]
    except csv.Error as error:
        raise UnreadableMessage(
            f"The table cannot be read: {error}.",
            code="table_broken",
            locator=f"row {reader.line_num}",
        ) from error


def amount_of(cell: Cell, *, decimal_mark: str, locator: str) -> Decimal:
    """Read an amount: digits with well-placed separators, a sign before or behind, or in brackets.

    Raises:
        UnreadableMessage: anything else; separators are never guessed.
    """
    if isinstance(cell, Decimal):
        return _fitting(cell, str(cell), locator=locator)
    text = "" if isinstance(cell, date) else _BLANKS.sub("", cell).replace("\u2212", "-")
    sign = 1
    suffix = _SIDE_SUFFIX.fullmatch(text)
    if suffix is not None:
        text, sign = suffix.group(1), _SUFFIX_SIGNS[suffix.group(2).upper()]
    if text.startswith("(") and text.endswith(")"):
        text, sign = text[1:-1], -sign
    if text[:1] in {"-", "+"}:
        text, sign = text[1:], -sign if text[0] == "-" else sign
    elif text[-1:] in {"-", "+"}:
        text, sign = text[:-1], -sign if text[-1] == "-" else sign
    match = _PLAIN[decimal_mark].fullmatch(text)
    if match is None:
        raise _unreadable(str(cell), locator=locator)
    whole = re.sub(r"[.,]", "", match.group(1))
    value = Decimal(f"{whole}.{match.group(2)}" if match.group(2) else whole)
    return sign * _fitting(value, str(cell), locator=locator)


def _fitting(value: Decimal, written: str, *, locator: str) -> Decimal:
    shorter = value.quantize(Decimal(1).scaleb(-_DECIMALS_MAX)) if abs(value) < 10**16 else None
    if shorter is None or shorter != value:
        raise _unreadable(written, locator=locator)
    exponent = value.as_tuple().exponent
    return shorter if isinstance(exponent, int) and exponent < -_DECIMALS_MAX else value


def _unreadable(written: str, *, locator: str) -> UnreadableMessage:
    return UnreadableMessage(
        f"The amount {shown(written)} cannot be read.", code="amount_unreadable", locator=locator
    )


def day_of(cell: Cell, *, pattern: str, locator: str) -> date:
    """Read a date as the mapping writes it; a time behind it is passed by.

    Raises:
        UnreadableMessage: anything else.
    """
    if isinstance(cell, date):
        return cell
    text = str(cell).strip()
    for piece in (text, text.partition(" ")[0], text.partition("T")[0]):
        try:
            day = datetime.strptime(piece, pattern).date()  # noqa: DTZ007 - a day without a zone
        except ValueError:
            continue
        if YEAR_MIN <= day.year <= YEAR_MAX:
            return day
    raise UnreadableMessage(
        f"The date {shown(text)} cannot be read.", code="date_unreadable", locator=locator
    )
