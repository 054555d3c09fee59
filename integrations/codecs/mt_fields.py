"""Cut a SWIFT MT file into fields: envelopes, dialects and missing ends included."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from integrations.codecs.constants import FIELD_LINES_MAX, LINE_CHARS_MAX
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.values import Findings

# Only these tags open a field: a wrapped text line may well look like ":12:11".
_TAG: Final = re.compile(
    r":(13D?|20|21|25P?|28C?|34F|60[FM]|61|62[FM]|64|65|86|90[CD]|NS):(.*)", re.ASCII
)
_ENVELOPE: Final = re.compile(r"(?:\{[1235]:[^{}]*(?:\{[^{}]*\}[^{}]*)*\}){1,5}\{4:", re.ASCII)
_APPLICATION_BLOCK: Final = re.compile(r"\{2:[IO](94[0-9])", re.ASCII)
_LEFT_OVER_BLOCK: Final = re.compile(r"(?:-\}|-)?\{[1235]:", re.ASCII)
_WRAPPED_TIME: Final = re.compile(r":[0-9]{2}:[0-9]{2}(?![0-9])", re.ASCII)
_TIME_HEAD: Final = re.compile(r"T[0-9]{2}$", re.ASCII)
_CONTROL: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127], " ")
_CONTROL_BYTES: Final = bytes(ord(_CONTROL.get(code, chr(code))) for code in range(256))
_ENVELOPE_CHARS_MAX: Final = 1_000


@dataclass(slots=True)
class Field:
    """One `:61:` and the like; `lines` holds its value, line by line."""

    tag: str
    lines: list[str]
    line_number: int

    @property
    def value(self) -> str:
        return self.lines[0].strip()

    @property
    def locator(self) -> str:
        return f"line {self.line_number}"


@dataclass(slots=True)
class MessageEnd:
    """The end of a message: a line with a dash, or the start of the next envelope."""

    line_number: int
    message_type: str = ""


def decode(data: bytes, *, encoding: str = "", findings: Findings) -> str:
    """Return the text: as the bank's profile says, else UTF-8 where it is valid, else cp1252."""
    if encoding:
        return data.decode(encoding, errors="replace").removeprefix("\ufeff")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        findings.add(
            "charset_guessed",
            "The file is not UTF-8; letters with accents were read as Western European.",
        )
        return data.decode("cp1252", errors="replace")


def one_line_end(content: str) -> str:
    """Return the text with one kind of line end, and blanks for control characters."""
    # In UTF-8 every byte of a control character stands for itself, and bytes are changed faster.
    data = content.encode("utf-8", "surrogatepass")
    if data.count(b"\r") == data.count(b"\r\n"):
        data = data.translate(_CONTROL_BYTES, b"\r")
    else:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").translate(_CONTROL_BYTES)
    return data.decode("utf-8", "surrogatepass")


def parts(content: str, *, first_line: int = 1) -> Iterator[Field | MessageEnd]:
    """Yield fields and message ends in order.

    Raises:
        UnreadableMessage: a line or a field longer than any bank writes.
    """
    current: Field | None = None
    # Only line ends separate lines here, not the many characters that Unicode counts as such.
    for line_number, raw in enumerate(io.StringIO(content, newline=None), start=first_line):
        if len(raw) > LINE_CHARS_MAX:
            raise UnreadableMessage(
                f"Line {line_number} has more than {LINE_CHARS_MAX:,} characters.",
                code="line_too_long",
                locator=f"line {line_number}",
            )
        line = raw.rstrip("\n").translate(_CONTROL)
        ended = _message_end(line, line_number=line_number)
        if ended is not None:
            line = _ENVELOPE.sub("", line[:_ENVELOPE_CHARS_MAX]) if "{4:" in line else ""
        opened = _opened(line, line_number=line_number, current=current)
        if ended is not None or opened is not None:
            yield from (part for part in (current, ended) if part is not None)
            current = opened
        elif current is not None:
            _extend(current, line)
    if current is not None:
        yield current


def _message_end(line: str, *, line_number: int) -> MessageEnd | None:
    """Recognise `-`, `-}…` and the envelope of the next message, which may share the line."""
    stripped = line.strip()
    if stripped == "-" or stripped.startswith("-}") or _LEFT_OVER_BLOCK.match(stripped):
        kind = _APPLICATION_BLOCK.search(stripped[:_ENVELOPE_CHARS_MAX])
        return MessageEnd(line_number, message_type=kind.group(1) if kind else "")
    return None


def _opened(line: str, *, line_number: int, current: Field | None) -> Field | None:
    match = _TAG.match(line)
    if match is None:
        return None
    # Text wrapped inside a time ("…T13" and ":20:11 …") continues, it does not open a field.
    wrapped = current is not None and _TIME_HEAD.search(current.lines[-1])
    if wrapped and _WRAPPED_TIME.match(line):
        return None
    return Field(match.group(1), [match.group(2)], line_number)


def _extend(current: Field, line: str) -> None:
    if len(current.lines) >= FIELD_LINES_MAX:
        raise UnreadableMessage(
            f"The field :{current.tag}: has more than {FIELD_LINES_MAX:,} lines.",
            code="field_too_long",
            locator=current.locator,
        )
    current.lines.append(line)
