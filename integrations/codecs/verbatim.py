"""Show one entry exactly as the bank wrote it, element by element, also what nobody reads.

Codes and elements that we do not know are not lost: the bytes are kept, and this is the way from an
entry down to its place in them.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from integrations.codecs.bai2_records import identify_bai2, records
from integrations.codecs.cells import rows
from integrations.codecs.elements import (
    Element,
    as_utf8,
    drop_elders,
    finished_elements,
    local_name,
)
from integrations.codecs.mt_fields import Field, decode, parts
from integrations.codecs.reading import looks_like_xml
from integrations.codecs.sheets import heading_of
from integrations.codecs.values import Findings
from integrations.dialects.reading import PLAIN, Dialect

Line = tuple[str, str]
LINES_MAX: Final = 1_000
_PLACE: Final = re.compile(r"(?:line|row) ([0-9]{1,9})(?:, entry ([0-9]{1,9}))?", re.ASCII)
_CONTAINERS: Final = frozenset({"Stmt", "Rpt", "Ntfctn"})
_TOLD_BELOW: Final = frozenset({"86", "NS"})


def written_at(data: bytes, *, locator: str, dialect: Dialect = PLAIN) -> tuple[Line, ...]:
    """Return name and text of everything the bank wrote about the entry at `locator`.

    Empty where there is no such place.

    Raises:
        UnreadableMessage: the message cannot be read that far.
    """
    place = _PLACE.fullmatch(locator)
    if place is None:
        return ()
    line, entry = int(place.group(1)), int(place.group(2) or 0)
    if looks_like_xml(data):
        found = _in_xml(data, entry)
    elif identify_bai2(data):
        found = _in_bai2(data, line, dialect)
    elif locator.startswith("row "):
        found = _in_sheet(data, line, dialect)
    else:
        found = _in_mt(data, line, dialect)
    return tuple(islice(found, LINES_MAX))


def _in_xml(data: bytes, entry: int) -> Iterator[Line]:
    count = 0
    for _, element in finished_elements(as_utf8(data), ("Ntry",)):
        above = element.getparent()
        if above is not None and local_name(above.tag) in _CONTAINERS:
            count += 1
            if count == entry:
                yield from _told(element, "")
                return
        element.clear()
        drop_elders(element, absorb=lambda _name, _element: None)


def _told(element: Element, path: str) -> Iterator[Line]:
    """Yield the texts and attributes below an element, in the order of the file."""
    for part in element:
        name = f"{path}/{local_name(part.tag)}" if path else local_name(part.tag)
        attributes = "".join(f" {local_name(key)}={value}" for key, value in part.attrib.items())
        words = (part.text or "").strip()
        if words or len(part) == 0:
            yield f"{name}{attributes}", words
        yield from _told(part, name)


def _in_mt(data: bytes, line: int, dialect: Dialect) -> Iterator[Line]:
    inside = False
    for part in parts(decode(data, encoding=dialect.encoding, findings=Findings())):
        if isinstance(part, Field) and (part.tag, part.line_number) == ("61", line):
            inside = True
        elif inside and not (isinstance(part, Field) and part.tag in _TOLD_BELOW):
            return
        if inside and isinstance(part, Field):
            yield from ((f":{part.tag}:" if not n else "", one) for n, one in enumerate(part.lines))


def _in_bai2(data: bytes, line: int, dialect: Dialect) -> Iterator[Line]:
    for record in records(decode(data, encoding=dialect.encoding, findings=Findings())):
        if record.line_number == line and record.code == "16":
            yield from (("88" if n else "16", piece) for n, piece in enumerate(record.pieces))


def _in_sheet(data: bytes, number: int, dialect: Dialect) -> Iterator[Line]:
    mapping = dialect.sheet
    if mapping is None:
        return
    headings: list[str] = []
    for place, cells in rows(
        data, sheet=mapping.sheet, delimiter=mapping.delimiter, encoding=dialect.encoding
    ):
        names = [heading_of(cell) for cell in cells]
        if not headings and mapping.headings <= set(names):
            headings = names
        if place == number:
            padded = [*headings, *([""] * len(cells))]
            yield from zip(padded, map(str, cells), strict=False)
            return
