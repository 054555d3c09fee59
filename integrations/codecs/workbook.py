"""Read the cells of an XLSX workbook without trusting it.

A workbook is a ZIP of XML files. Unpacked sizes are counted while unpacking, formulas are refused
(what they show depends on who opens the file), and nothing outside the file is looked at.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

from lxml import etree

from integrations.codecs.elements import Element, child, local_name
from integrations.codecs.errors import UnreadableMessage

Cell: TypeAlias = str | Decimal | date

PARTS_MAX: Final = 200
UNPACKED_BYTES_MAX: Final = 32 * 1024 * 1024
ROWS_MAX: Final = 100_000
COLUMNS_MAX: Final = 200
CELL_CHARS_MAX: Final = 4_000
STRINGS_MAX: Final = 500_000
_CHUNK_BYTES: Final = 64 * 1024
_EXCEL_DIGITS: Final = 15
_SERIAL_MAX: Final = 110_000
_DAY_ONE: Final = date(1899, 12, 30)
_DAY_ONE_1904: Final = date(1904, 1, 1)
_DATE_FORMATS: Final = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
_DATE_LETTERS: Final = re.compile(r"[dy]", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_PLACE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def looks_like_workbook(data: bytes) -> bool:
    """Say whether the bytes start like a ZIP file."""
    return data.startswith(b"PK\x03\x04")


def read_workbook(data: bytes, *, sheet: str = "") -> Iterator[tuple[int, list[Cell]]]:
    """Yield number and cells of the rows of one sheet; an empty name is the first sheet.

    Raises:
        UnreadableMessage: no workbook, too large when unpacked, a formula, or no such sheet.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from _Workbook(archive).rows(sheet)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnreadableMessage(
            "The file is packed like a workbook, but cannot be unpacked.", code="workbook_broken"
        ) from error
    except (RuntimeError, ValueError, OSError) as error:
        raise UnreadableMessage(
            "The workbook is protected or damaged; save it again without a password.",
            code="workbook_broken",
        ) from error


class _Workbook:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.left_bytes = UNPACKED_BYTES_MAX
        if len(archive.infolist()) > PARTS_MAX:
            raise UnreadableMessage(
                f"The workbook has more than {PARTS_MAX} parts.", code="workbook_too_large"
            )

    def rows(self, sheet: str) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the rows of a sheet with their numbers."""
        path, is_1904 = self._sheet_path(sheet)
        strings = self._strings()
        dated = self._dated_styles()
        start = _DAY_ONE_1904 if is_1904 else _DAY_ONE
        number = 0
        for row in self._elements(path, "row"):
            number = _row_number(row, after=number)
            yield number, _cells(row, strings=strings, dated=dated, start=start)

    def _unpacked(self, path: str) -> bytes:
        """Unpack one part, counting its real bytes and not those that the file claims."""
        try:
            part = self.archive.open(path)
        except KeyError:
            return b""
        pieces: list[bytes] = []
        with part:
            while piece := part.read(_CHUNK_BYTES):
                self.left_bytes -= len(piece)
                if self.left_bytes < 0:
                    raise UnreadableMessage(
                        f"Unpacked, the workbook has more than {UNPACKED_BYTES_MAX:,} bytes.",
                        code="workbook_too_large",
                    )
                pieces.append(piece)
        return b"".join(pieces)

    def _elements(self, path: str, name: str) -> Iterator[Element]:
        """Yield the finished elements of a name from one part, each dropped afterwards."""
        data = self._unpacked(path)
        if b"<!DOCTYPE" in data[:4096]:
            raise UnreadableMessage("The workbook carries a DOCTYPE.", code="doctype_refused")
        if not data:
            return
        parser = etree.XMLPullParser(
            events=("end",),
            tag=[f"{{*}}{name}"],
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            for at in range(0, len(data), _CHUNK_BYTES):
                parser.feed(data[at : at + _CHUNK_BYTES])
                for _, element in parser.read_events():
                    yield element
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
            parser.close()
            yield from (element for _, element in parser.read_events())
        except etree.XMLSyntaxError as error:
            raise UnreadableMessage(
                f"The part {path[:60]} of the workbook is not well-formed.", code="workbook_broken"
            ) from error

    def _sheet_path(self, name: str) -> tuple[str, bool]:
        book = "xl/workbook.xml"
        wanted = ""
        for element in self._elements(book, "sheet"):
            if not name or element.get("name") == name:
                wanted = wanted or str(element.get(_RELATION) or "")
        if not wanted:
            words = f"has no sheet {name[:60]}" if name else "has no sheet"
            raise UnreadableMessage(f"The workbook {words}.", code="sheet_missing")
        target = next(
            (
                str(one.get("Target") or "")
                for one in self._elements("xl/_rels/workbook.xml.rels", "Relationship")
                if one.get("Id") == wanted
            ),
            "",
        )
        path = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
        return path, any(
            one.get("date1904") in {"1", "true"} for one in self._elements(book, "workbookPr")
        )

    def _strings(self) -> list[str]:
        found: list[str] = []
        for element in self._elements("xl/sharedStrings.xml", "si"):
            if len(found) >= STRINGS_MAX:
                raise UnreadableMessage(
                    f"The workbook has more than {STRINGS_MAX:,} texts.", code="workbook_too_large"
                )
            found.append(_text(element))
        return found

    def _dated_styles(self) -> frozenset[int]:
        """Return the numbers of the cell styles that show dates."""
        path = "xl/styles.xml"
        own = {
            str(one.get("numFmtId")): _QUOTED.sub("", str(one.get("formatCode") or ""))
            for one in self._elements(path, "numFmt")
        }
        dates = {number for number, code in own.items() if _DATE_LETTERS.search(code)}
        dates.update(str(number) for number in _DATE_FORMATS)
        for formats in self._elements(path, "cellXfs"):
            return frozenset(
                number for number, one in enumerate(formats) if one.get("numFmtId") in dates
            )
        return frozenset()


def _row_number(row: Element, *, after: int) -> int:
    written = str(row.get("r") or "")
    number = int(written[:8]) if written.isascii() and written.isdigit() else after + 1
    if number > ROWS_MAX * 11:
        raise UnreadableMessage("A row has an impossible number.", code="workbook_broken")
    return number


def _cells(row: Element, *, strings: list[str], dated: frozenset[int], start: date) -> list[Cell]:
    cells: list[Cell] = []
    for element in row:
        if local_name(element.tag) != "c":
            continue
        column = _column(str(element.get("r") or ""), after=len(cells))
        if column >= COLUMNS_MAX:
            raise UnreadableMessage(
                f"A row has more than {COLUMNS_MAX} columns.", code="workbook_too_large"
            )
        cells.extend("" for _ in range(column - len(cells)))
        cells.append(_value(element, strings=strings, dated=dated, start=start))
    return cells


def _column(place: str, *, after: int) -> int:
    match = _PLACE.fullmatch(place)
    if match is None:
        return after
    number = 0
    for letter in match.group(1):
        number = number * 26 + ord(letter) - 64
    return max(number - 1, after)


def _value(element: Element, *, strings: list[str], dated: frozenset[int], start: date) -> Cell:
    if child(element, "f") is not None:
        raise UnreadableMessage(
            "A cell holds a formula; save the sheet with its values only.",
            code="formula_refused",
            locator=f"cell {str(element.get('r') or '')[:12]}",
        )
    kind = element.get("t") or "n"
    if kind == "inlineStr":
        return _text(element)
    held = child(element, "v")
    written = (held.text or "").strip() if held is not None else ""
    if kind == "s":
        return _shared(written, strings)
    if kind != "n" or not written:
        return written[:CELL_CHARS_MAX]
    return _number(written, is_date=_style(element) in dated, start=start)


def _shared(written: str, strings: list[str]) -> str:
    is_number = written.isascii() and written.isdigit()
    number = int(written[:9]) if is_number else -1
    return strings[number] if 0 <= number < len(strings) else ""


def _style(element: Element) -> int:
    written = str(element.get("s") or "0")
    return int(written[:6]) if written.isascii() and written.isdigit() else 0


def _number(written: str, *, is_date: bool, start: date) -> Cell:
    """Return a number as it was typed: a workbook keeps fifteen digits of it and some dust."""
    try:
        number = Decimal(written[:60])
        typed = Decimal(f"{number:.{_EXCEL_DIGITS}g}")
    except (InvalidOperation, ValueError):
        return written[:CELL_CHARS_MAX]
    # `abs` would round to the context, which refuses exponents beyond a million.
    if not typed.is_finite() or typed.copy_abs() >= Decimal(10) ** 18:
        return written[:CELL_CHARS_MAX]
    if is_date and 0 < typed < _SERIAL_MAX:
        return start + timedelta(days=int(typed))
    return Decimal(f"{typed:f}") if typed and typed.adjusted() > -9 else Decimal(0)  # noqa: PLR2004


def _text(element: Element) -> str:
    pieces = (part.text or "" for part in element.iter() if local_name(part.tag) == "t")
    return "".join(pieces)[:CELL_CHARS_MAX]
