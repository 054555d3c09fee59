"""Rates from a CSV file: `pair,bid,ask,as_of`, or `pair,rate,as_of` for one that is both sides."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from core.errors import DomainError, Invalid
from core.identity.models import User
from fx.constants import FILE_BYTES_MAX, ROWS_MAX
from fx.engine.pairs import parse_pair
from fx.errors import RatesRefused
from fx.services.rates import Origin, RateIn, Taken, record_rates, require_keeper
from fx.services.sources import FILE

COLUMNS: Final = ("pair", "bid", "ask", "rate", "as_of")
NEEDED: Final = ("pair", "as_of")
_RATE: Final = re.compile(r"[0-9]{1,7}(\.[0-9]{1,10})?", re.ASCII)
_FINDINGS_MAX: Final = 50
NAME_CHARS_MAX: Final = 120


def upload_rates(*, name: str, data: bytes, actor: User) -> Taken:
    """Record the rates of a file, all or none.

    Raises:
        Forbidden: this person may not bring rates in.
        Invalid: no CSV file, columns missing or unknown, too large.
        RatesRefused: rows that cannot be right, each named.
    """
    require_keeper(actor)
    origin = Origin(
        source=FILE, name=name[:NAME_CHARS_MAX], data=data, received_from=actor.display_name[:80]
    )
    return record_rates(origin=origin, rates=read_rates(data))


def read_rates(data: bytes) -> list[RateIn]:
    """Read a CSV file with comma or semicolon, in UTF-8; row 1 names the columns.

    Raises:
        Invalid: no CSV file, columns missing or unknown, too large.
        RatesRefused: rows that cannot be read, each named.
    """
    found: list[RateIn] = []
    wrong: list[dict[str, object]] = []
    for number, cells in rows_of(text_of(data), columns=COLUMNS, needed=NEEDED):
        try:
            found.append(_read_rate(number, cells))
        except DomainError as refusal:
            wrong.append({"row": number, "code": refusal.code, "message": refusal.message})
    if wrong:
        raise RatesRefused(
            f"{len(wrong)} rows cannot be read; nothing was recorded."
            f" Row {wrong[0]['row']}: {wrong[0]['message']}",
            field="file",
            findings=wrong[:_FINDINGS_MAX],
        )
    return found


def _read_rate(number: int, cells: Mapping[str, str]) -> RateIn:
    """Read one rate from text: bid and ask, or a rate that is both.

    Raises:
        Invalid: a value cannot be read; names the field.
    """
    both = cells.get("rate") or ""
    return RateIn(
        row=number,
        pair=parse_pair(cells.get("pair") or ""),
        bid=read_number(name="bid", text=cells.get("bid") or both),
        ask=read_number(name="ask", text=cells.get("ask") or both),
        as_of=read_instant(cells.get("as_of") or ""),
    )


def read_number(*, name: str, text: str) -> Decimal:
    """Read a rate strictly: ASCII digits with a point, at most ten places.

    Raises:
        Invalid: another form; names the field.
    """
    if not _RATE.fullmatch(text):
        raise Invalid(f"{name}: write a rate like 1.0868, not {text[:20]!r}.", field=name)
    return Decimal(text)


def read_instant(text: str) -> datetime:
    """Read a time with its zone.

    Raises:
        Invalid: another form, or without a zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"as_of: write a time like 2026-11-20T10:00:00Z, not {text[:40]!r}.", field="as_of"
        ) from error
    if at.tzinfo is None:
        raise Invalid("as_of: a time has a zone; write Z for UTC.", field="as_of")
    return at


def text_of(data: bytes) -> str:
    """Return the text of a file.

    Raises:
        Invalid: too large, not UTF-8, or no text.
    """
    if len(data) > FILE_BYTES_MAX:
        raise Invalid(f"A file has at most {FILE_BYTES_MAX:,} bytes.", field="file")
    try:
        words = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"The file is not UTF-8 text (byte {error.start}).", field="file") from error
    if "\0" in words:
        raise Invalid("The file is no text: it holds a NUL character.", field="file")
    return words


def rows_of(
    words: str, *, columns: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the cells of each row with its number; row 1 names the columns, in any order.

    Raises:
        Invalid: not well-formed, columns missing or unknown, too many rows or cells.
    """
    first = words.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        lines = list(csv.reader(io.StringIO(words), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Invalid(f"The file is not well-formed CSV: {error}.", field="file") from error
    names = [name.strip().lower() for name in lines[0]] if lines else []
    unknown = sorted(set(names) - set(columns))
    if unknown or len(set(names)) < len(names) or not set(needed) <= set(names):
        raise Invalid(f"Row 1 names the columns {', '.join(columns)}.", field="file")
    if len(lines) > ROWS_MAX + 1:
        raise Invalid(f"The file has more than {ROWS_MAX:,} rows.", field="file")
    for number, line in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in line):
            if len(line) > len(names):
                raise Invalid(f"Row {number} has more cells than columns.", field="file")
            cells = (cell.strip() for cell in line)
            yield number, dict(zip(names, cells, strict=False))
