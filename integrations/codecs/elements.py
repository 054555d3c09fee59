"""Walk a bank's XML without trusting it.

No DOCTYPE, no entities, no network; bytes, depth, text length and the amount of content between
two awaited elements are limited, so time and memory stay bounded whatever the bytes are.
Elements are known by their local name: versions and prefixes differ, names do not.
"""

import codecs
import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from lxml import etree
from lxml.etree import _Element

from integrations.codecs.constants import (
    CHILDREN_MAX,
    CHUNK_BYTES,
    IDENTIFY_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    SILENCE_BYTES_MAX,
)
from integrations.codecs.errors import UnreadableMessage

Element: TypeAlias = _Element

_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,200}\?>")
_PROLOG_PART: Final = re.compile(rb"\s*(?:<\?.*?\?>|<!--.*?-->)", re.DOTALL)
_DEFINITION: Final = re.compile(rb"\s*<!(?!--)")
_ENCODING: Final = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_UTF8_NAMES: Final = frozenset({"utf-8", "ascii"})
_OTHER_NAMES: Final = frozenset({"iso8859-1", "iso8859-15", "cp1252"})
# The longest mark first: UTF-32 little-endian starts with the mark of UTF-16.
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@lru_cache(maxsize=4096)
def local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def locate(element: Element) -> str:
    return f"line {element.sourceline}"


def child(element: Element | None, name: str) -> Element | None:
    """Return the first child of that local name."""
    if element is None:
        return None
    for candidate in element:
        if local_name(candidate.tag) == name:
            return candidate
    return None


def children(element: Element | None, name: str) -> list[Element]:
    """Return all children of that local name."""
    if element is None:
        return []
    return [candidate for candidate in element if local_name(candidate.tag) == name]


def by_name(element: Element) -> dict[str, Element]:
    """Return the children keyed by local name; the first of several wins."""
    found: dict[str, Element] = {}
    for candidate in element:
        found.setdefault(local_name(candidate.tag), candidate)
    return found


def text(element: Element | None, *path: str) -> str | None:
    """Return the trimmed text at `path` below `element`; None if absent or blank."""
    for name in path:
        element = child(element, name)
        if element is None:
            return None
    if element is None or element.text is None:
        return None
    return str(element.text).strip() or None


def first_text(element: Element | None, *paths: tuple[str, ...]) -> str | None:
    """Return the text of the first of several paths that has one."""
    for path in paths:
        found = text(element, *path)
        if found is not None:
            return found
    return None


def as_utf8(data: bytes) -> bytes:
    """Return the document as UTF-8 bytes without byte order mark, free of any DOCTYPE.

    Raises:
        UnreadableMessage: too large, an encoding banks do not use, or a DOCTYPE.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise UnreadableMessage(
            f"The file has {len(data):,} bytes; at most {MESSAGE_BYTES_MAX:,} are read.",
            code="message_too_large",
        )
    plain = _recoded(data)
    _refuse_doctype(plain)
    return plain


def _recoded(data: bytes) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        data = data.removeprefix(codecs.BOM_UTF8)
    elif data.startswith(_UTF16_MARKS):
        return _without_declaration(_decoded(data, "utf-16")).encode()
    data = data.lstrip(b" \t\r\n")
    declaration = _DECLARATION.match(data[:300])
    declared = _ENCODING.search(declaration.group()) if declaration else None
    if declared is None:
        return data
    name = declared.group(1).decode("ascii")
    try:
        canonical = codecs.lookup(name).name
    except LookupError:
        canonical = ""
    if canonical in _UTF8_NAMES:
        return data
    if canonical in _OTHER_NAMES:
        return _without_declaration(_decoded(data, canonical)).encode()
    raise UnreadableMessage(
        f"The file declares the character encoding {name}; UTF-8 is expected.",
        code="encoding_unsupported",
        locator="line 1",
    )


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableMessage(
            f"The file says it is {encoding}, but byte {error.start} does not fit.",
            code="encoding_broken",
        ) from error


def _without_declaration(document: str) -> str:
    stripped = document.lstrip()
    end = stripped.find("?>", 0, 300)
    return stripped[end + 2 :] if stripped.startswith("<?xml") and end > 0 else document


def _refuse_doctype(data: bytes) -> None:
    """Step over declaration, comments and instructions before the root element."""
    position = 0
    while (part := _PROLOG_PART.match(data, position)) is not None:
        position = part.end()
        if position > IDENTIFY_BYTES_MAX:
            raise UnreadableMessage(
                "The file begins with a megabyte of comments.", code="content_unexpected"
            )
    if _DEFINITION.match(data, position):
        line = data.count(b"\n", 0, position) + 1
        raise UnreadableMessage(
            "The file carries a document type definition. Banks do not send these;"
            " it could hide entities, so nothing was read.",
            code="doctype_refused",
            locator=f"line {line}",
        )


def _pull_parser(events: Collection[str], names: Collection[str] | None) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=tuple(events),
        tag=None if names is None else [f"{{*}}{name}" for name in names],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _syntax_refusal(error: etree.XMLSyntaxError) -> UnreadableMessage:
    line = error.lineno or 1
    reason = str(error.msg or "").partition(", line ")[0].strip()
    if "depth" in reason.lower():
        return UnreadableMessage(
            "The file nests its elements deeper than any bank message does.",
            code="nested_too_deeply",
            locator=f"line {line}",
        )
    return UnreadableMessage(
        f"The file is not well-formed XML at line {line}: {reason or 'it ends too early'}.",
        code="xml_broken",
        locator=f"line {line}",
    )


def finished_elements(data: bytes, names: Collection[str]) -> Iterator[tuple[str, Element]]:
    """Yield each awaited element, with its local name, when its end tag has been read.

    `data` comes from `as_utf8`. The receiver drops what it no longer needs (`drop_elders`).

    Raises:
        UnreadableMessage: not well-formed, or a limit was passed.
    """
    parser = _pull_parser(("end",), names)
    view = memoryview(data)
    silence_bytes = 0
    try:
        for start in range(0, len(data), CHUNK_BYTES):
            parser.feed(bytes(view[start : start + CHUNK_BYTES]))
            silence_bytes += CHUNK_BYTES
            for _, element in parser.read_events():
                silence_bytes = 0
                yield _checked(element), element
            if silence_bytes > SILENCE_BYTES_MAX:
                raise UnreadableMessage(
                    f"More than {SILENCE_BYTES_MAX:,} bytes pass without an entry.",
                    code="content_unexpected",
                )
        parser.close()
        for _, element in parser.read_events():
            yield _checked(element), element
    except etree.XMLSyntaxError as error:
        raise _syntax_refusal(error) from error


def _checked(element: Element) -> str:
    """Return the local name of an element that has a plausible number of children."""
    if len(element) > CHILDREN_MAX:
        raise UnreadableMessage(
            f"An element has more than {CHILDREN_MAX:,} parts; no bank message has.",
            code="content_unexpected",
            locator=locate(element),
        )
    return local_name(element.tag)


def drop_elders(element: Element, *, absorb: Callable[[str, Element], None]) -> None:
    """Drop the elder siblings of a finished element, each shown to `absorb` first."""
    parent = element.getparent()
    if parent is None:
        return
    while (eldest := parent[0]) is not element:
        absorb(local_name(eldest.tag), eldest)
        parent.remove(eldest)


def drop_previous(element: Element) -> None:
    """Drop the elder sibling next to a finished element if it is of the same name."""
    elder = element.getprevious()
    if elder is not None and elder.tag == element.tag:
        element.getparent().remove(elder)


def outline(data: bytes) -> Iterator[str]:
    """Yield the qualified names of the first elements in document order.

    `data` comes from `as_utf8`; at most the first megabyte is read.

    Raises:
        UnreadableMessage: not well-formed so far.
    """
    parser = _pull_parser(("start",), None)
    try:
        for start in range(0, min(len(data), IDENTIFY_BYTES_MAX), 4096):
            parser.feed(data[start : start + 4096])
            for _, element in parser.read_events():
                yield str(element.tag)
    except etree.XMLSyntaxError as error:
        raise _syntax_refusal(error) from error
