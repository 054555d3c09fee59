"""Cut a BAI2 file into records: continuations joined, several on a line parted, wrapped text kept.

A record is a code and fields between commas; a slash ends it. Only the text at the end of a
transaction may hold commas and slashes, and may go on over lines and continuation records (88).
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from integrations.codecs.constants import (
    AMOUNT_INTEGER_DIGITS_MAX,
    FIELD_LINES_MAX,
    LINE_CHARS_MAX,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.values import shown

_CODES: Final = frozenset({"01", "02", "03", "16", "49", "88", "98", "99"})
_START: Final = re.compile(r"\s*([0-9]{2})(?:,|/)", re.ASCII)
# Some banks put several records on one line, with a blank between slash and code.
_NEXT_ON_LINE: Final = re.compile(r"(?<=/)\s+(?=(?:01|02|03|16|49|88|98|99),)", re.ASCII)
_IDENTITY: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*01,[^,/\n]{0,40},[^,/\n]{0,40},[0-9]{6},", re.ASCII
)
_AMOUNT: Final = re.compile(r"([+-]?)([0-9]{1,40})(?:\.([0-9]{1,4}))?", re.ASCII)
_CONTINUATION: Final = "88"


@dataclass(slots=True)
class Record:
    """One record with its continuations; `pieces` are its physical lines without code and slash."""

    code: str
    line_number: int
    pieces: list[str]
    physical: int = 1
    _piece: int = field(default=0, init=False)
    _fields: list[str] = field(default_factory=list, init=False)
    _place: int = field(default=0, init=False)

    @property
    def locator(self) -> str:
        """Return where the record starts."""
        return f"line {self.line_number}"

    @property
    def has_more(self) -> bool:
        """Return whether any field is left."""
        return self._place < len(self._fields) or self._piece < len(self.pieces)

    def take(self) -> str:
        """Return the next field, trimmed; empty when none is left."""
        while self._place >= len(self._fields):
            if self._piece >= len(self.pieces):
                return ""
            self._fields = self.pieces[self._piece].split(",")
            self._place = 0
            self._piece += 1
        self._place += 1
        return self._fields[self._place - 1].strip()

    def rest(self) -> list[str]:
        """Return the lines of text that follow the last field taken."""
        first = ",".join(self._fields[self._place :])
        lines = [first, *self.pieces[self._piece :]]
        self._place, self._piece = len(self._fields), len(self.pieces)
        return [line.strip() for line in lines if line.strip()]


def identify_bai2(data: bytes) -> bool:
    """Say whether the file starts with a BAI2 file header."""
    return _IDENTITY.match(data[:400]) is not None


def records(content: str) -> Iterator[Record]:
    """Yield the records in order, each with its continuations.

    Raises:
        UnreadableMessage: a line or a record longer than any bank writes, or an unknown code.
    """
    current: Record | None = None
    for line_number, line in enumerate(io.StringIO(content, newline=None), start=1):
        if len(line) > LINE_CHARS_MAX:
            raise UnreadableMessage(
                f"Line {line_number} has more than {LINE_CHARS_MAX:,} characters.",
                code="line_too_long",
                locator=f"line {line_number}",
            )
        for piece in _NEXT_ON_LINE.split(line.rstrip()):
            if not piece.strip():
                continue
            opened = _opened(piece, line_number=line_number, current=current)
            if opened is not None:
                if current is not None:
                    yield current
                current = opened
    if current is not None:
        yield current


def _opened(piece: str, *, line_number: int, current: Record | None) -> Record | None:
    """Return the record that starts here, or let the current one go on."""
    start = _START.match(piece)
    code = start.group(1) if start else ""
    locator = f"line {line_number}"
    if start is not None and code in _CODES - {_CONTINUATION}:
        return Record(code, line_number, [_bare(piece[start.end() :])])
    if current is None:
        raise UnreadableMessage(
            f"The file starts with {shown(piece)} instead of a file header (01).",
            code="record_unknown",
            locator=locator,
        )
    if start is not None and code == _CONTINUATION:
        current.physical += 1
        piece = piece[start.end() :]
    elif current.code not in {"16", "03"}:
        raise UnreadableMessage(
            f"Record {shown(piece)} is of no kind that BAI2 knows.",
            code="record_unknown",
            locator=locator,
        )
    if len(current.pieces) >= FIELD_LINES_MAX:
        raise UnreadableMessage(
            f"A record goes on over more than {FIELD_LINES_MAX:,} lines.",
            code="field_too_long",
            locator=current.locator,
        )
    current.pieces.append(_bare(piece))
    return None


def _bare(piece: str) -> str:
    """Return a line's fields without the slash that ends it."""
    return piece.rstrip().removesuffix("/")


def read_units(text: str, *, what: str, locator: str) -> tuple[Decimal, bool]:
    """Read an amount as written; say whether it has its own decimal point.

    Raises:
        UnreadableMessage: not a whole number, or too large.
    """
    match = _AMOUNT.fullmatch(text)
    digits = match.group(2).lstrip("0") if match else ""
    if match is None or len(digits) > AMOUNT_INTEGER_DIGITS_MAX + 2:
        raise UnreadableMessage(
            f"{what} has the amount {shown(text)}, which cannot be read.",
            code="amount_unreadable",
            locator=locator,
        )
    return Decimal(text), match.group(3) is not None
