"""Read long runs of equally built entries in columns of text, without making elements of them.

A bank's file holds thousands of entries of few shapes. For each shape one regular expression is
made that contains its tags letter for letter and, between them, text without angle brackets,
ampersands and control characters. What it matches is therefore well-formed XML of exactly that
shape. Runs of such entries are cut out of the file; what remains, with a numbered mark and the same
line breaks in their place, is read by the generic reader, which checks it and puts them back.

Everything that is not beyond doubt stays in the remainder. When a mark does not come back where it
was cut out (it stood in a comment, say), the whole file is read the generic way.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from integrations.codecs.building import collecting_later, swift
from integrations.codecs.camt_entries import NO_DETAIL, SIGNS, STATUSES, join_codes, join_pieces
from integrations.codecs.camt_parts import plain_amount, plain_day
from integrations.codecs.camt_shapes import DETAIL_TEXTS, ENTRY_TEXTS, Shape, shape_of
from integrations.codecs.records import ParsedDetail, ParsedEntry
from integrations.codecs.values import reference

# In smaller files the generic reader has finished before the shapes are worked out.
BYTES_MIN: Final = 32 * 1024
# So much text is decoded at a time.
_WINDOW_BYTES: Final = 512 * 1024
_ENTRY_BYTES_MAX: Final = 16_384
# A file whose entries come in more shapes than this gains nothing here.
_SHAPES_MAX: Final = 12
_SIGN: Final = "<CdtDbtInd>"
_SIGN_CHARS: Final = 4
_SIGN_CHARS_MAX: Final = 512
MARK: Final = "cut-out"
_OPENS: Final = b"<Ntry>"
_CLOSES: Final = b"</Ntry>"
_TAG: Final = re.compile(r'/?[A-Za-z][A-Za-z0-9]{0,40}(?: Ccy="[A-Z]{3}")?')
# Text as it stands, no markup in it, and nothing that XML forbids or rewrites.
_TEXT: Final = "[^<>&\\x00-\\x08\\x0b-\\x1f\\ufffe\\uffff]*+"
_BLANK: Final = "[ \\t\\r\\n]*+"
_AMOUNT: Final = r"([0-9]{1,16}(?:\.[0-9]{1,2})?)"
_SPACE: Final = b" \t\r\n"


_entry = swift(ParsedEntry)
_detail = swift(ParsedDetail)


class NotTiled(Exception):
    """A mark did not come back where it was cut out."""


@dataclass(slots=True, kw_only=True)
class Run:
    """Entries that followed each other; `first` is the number of the first one in the file."""

    first: int
    details_count: int = 0
    entries: list[ParsedEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiled:
    """A file whose plain entries were cut out."""

    rest: bytes
    runs: Sequence[Run]


_Build = Callable[[Sequence[str], int, int, int], ParsedEntry | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """What reads entries of one shape: its expression, and what makes a record of its texts."""

    match: Callable[[str, int], re.Match[str] | None]
    build: _Build
    details_count: int
    detail_group: int


def tile(data: bytes) -> Tiled | None:
    """Cut the plain entries out of a camt message from `elements.as_utf8`; None if not worth it."""
    if len(data) < BYTES_MIN or data.count(b"\r") != data.count(b"\r\n") or MARK.encode() in data:
        return None
    tiler = _Tiler(data)
    with collecting_later():
        tiler.cut()
    if not tiler.runs:
        return None
    return Tiled(rest=b"".join(tiler.kept), runs=tiler.runs)


class _Tiler:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.kept: list[bytes] = []
        self.runs: list[Run] = []
        self.readers: list[_Reader] = []
        self.likely: dict[str, _Reader] = {}
        self.refused = 0
        self.number = 0
        self.line = 1

    def cut(self) -> None:
        """Walk over the file once, window by window."""
        data, position = self.data, 0
        while (start := data.find(_OPENS, position)) >= 0:
            self._keep(position, start)
            end = data.rfind(_CLOSES, start, start + _WINDOW_BYTES)
            if end < 0:
                position = start
                break
            try:
                text = data[start : end + len(_CLOSES)].decode()
            except UnicodeDecodeError:
                position = start
                break
            position = start + self._window(text)
        self._keep(position, len(data))

    def _keep(self, start: int, end: int) -> None:
        self.kept.append(self.data[start:end])
        self.line += self.data.count(b"\n", start, end)

    def _window(self, text: str) -> int:
        """Take a text that begins and ends with an entry; return how many of its bytes are done."""
        place, run, line = 0, Run(first=self.number + 1), self.line
        while place < len(text):
            found = self._entry(text, place, line)
            if found is None:
                break
            entry, end, details_count = found
            self.number += 1
            run.entries.append(entry)
            run.details_count += details_count
            line += text.count("\n", place, end)
            place = end
        if not run.entries:
            return self._leave(text)
        self.kept.append(f'<Ntry {MARK}="{len(self.runs)}"/>'.encode())
        self.kept.append(b"\n" * (line - self.line))
        self.runs.append(run)
        self.line = line
        return len(text[:place].encode()) if not text.isascii() else place

    def _leave(self, text: str) -> int:
        """Leave the first entry of a text to the generic reader."""
        place = text.find(">", text.find("</Ntry")) + 1
        left = text[:place].encode()
        self.number += 1
        self.kept.append(left)
        self.line += left.count(b"\n")
        return len(left)

    def _entry(self, text: str, place: int, line: int) -> tuple[ParsedEntry, int, int] | None:
        """Return the entry at `place`, where it ends, and how many transactions it has."""
        found = self._match(text, place)
        if found is None:
            return None
        match, reader = found
        below = line
        end = match.end()
        start = match.start(1)
        if text.find("\n", place, end) >= 0:
            below = line = line + text.count("\n", place, start)
            if reader.details_count:
                below += text.count("\n", start, match.start(reader.detail_group))
        entry = reader.build(match.groups(), self.number + 1, line, below)
        return None if entry is None else (entry, end, reader.details_count)

    def _match(self, text: str, place: int) -> tuple[re.Match[str], _Reader] | None:
        # Credits and debits are often of two shapes: what read the last one is tried first.
        at = text.find(_SIGN, place, place + _SIGN_CHARS_MAX) + len(_SIGN)
        sign = text[at : at + _SIGN_CHARS]
        likely = self.likely.get(sign)
        match = likely.match(text, place) if likely is not None else None
        if match is not None and likely is not None:
            return match, likely
        for reader in self.readers:
            match = reader.match(text, place) if reader is not likely else None
            if match is not None:
                if sign in SIGNS:
                    self.likely[sign] = reader
                return match, reader
        learned = self._learn(text, place)
        match = learned.match(text, place) if learned is not None else None
        return None if match is None or learned is None else (match, learned)

    def _learn(self, text: str, place: int) -> _Reader | None:
        """Work out the shape of the entry at `place`, unless there were too many already."""
        end = text.find("</Ntry>", place, place + _ENTRY_BYTES_MAX)
        if end < 0 or self.refused >= _SHAPES_MAX or len(self.readers) >= _SHAPES_MAX:
            return None
        reader = _reader(_skeleton(text[place : end + len("</Ntry>")].strip()))
        if reader is None:
            self.refused += 1
        else:
            self.readers.insert(0, reader)
        return reader


def _skeleton(entry: str) -> str:
    """Return an entry's tags in their order, with a bracket between them."""
    tags = entry.replace("<", ">").split(">")[1::2]
    return ">".join(tag.rstrip() for tag in tags)


@lru_cache(maxsize=256)
def _reader(skeleton: str) -> _Reader | None:
    """Make the reader of a shape; None if an entry of this shape is not plain."""
    tags = skeleton.split(">")
    if not all(_TAG.fullmatch(tag) for tag in tags) or not _balances(tags):
        return None
    shape = shape_of(skeleton)
    if shape is None:
        return None
    wanted = _wanted(shape)
    amounts = {wanted.entry["amount"]}
    if shape.detail is not None and shape.detail.has_amount:
        amounts.add(wanted.detail["amount"])
        if plain_amount("1", shape.detail.currency) is None:
            return None
    if plain_amount("1", shape.currency) is None or 0 in amounts:
        return None
    expression, groups = _expression(tags, wanted.places, amounts)
    detail_tag = tags.index("TxDtls") if shape.detail is not None else 0
    return _Reader(
        match=re.compile(expression).match,
        build=_builder(shape, wanted, groups),
        details_count=1 if shape.detail is not None else 0,
        detail_group=groups[_before(detail_tag)],
    )


def _balances(tags: Sequence[str]) -> bool:
    """Say whether every tag is closed in its order, the first one last."""
    above: list[str] = []
    for number, tag in enumerate(tags):
        name = tag.partition(" ")[0]
        if not name.startswith("/"):
            if number and not above:
                return False
            above.append(name)
        elif " " in tag or not above or above.pop() != name[1:]:
            return False
    return not above and tags[0] == "Ntry"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Where in an entry's pieces the wanted texts stand; 0 is nowhere."""

    entry: dict[str, int]
    detail: dict[str, int]
    remittance: tuple[int, ...]
    sides: dict[int, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]
    places: frozenset[int]


def _wanted(shape: Shape) -> _Wanted:
    every = range(100_000)
    entry = dict(zip(ENTRY_TEXTS, shape.texts(every), strict=True))  # type: ignore[arg-type]
    detail: dict[str, Any] = {}
    remittance: tuple[int, ...] = ()
    sides: dict[int, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {}
    if shape.detail is not None:
        detail = dict(zip(DETAIL_TEXTS, shape.detail.texts(every), strict=True))  # type: ignore[arg-type]
        remittance = shape.detail.remittance
        for sign, side in ((1, shape.detail.debtor), (-1, shape.detail.creditor)):
            sides[sign] = (side.names, side.accounts, side.banks)
    places = {*entry.values(), *detail.values(), *remittance}
    for one in sides.values():
        places.update(place for group in one for place in group)
    return _Wanted(
        entry=entry,  # type: ignore[arg-type]
        detail=detail,
        remittance=remittance,
        sides=sides,
        places=frozenset(places - {0}),
    )


def _before(tag: int) -> int:
    """Return the key of the empty group before a tag; pieces have positive keys."""
    return -1 - tag


def _expression(
    tags: Sequence[str], places: frozenset[int], amounts: set[int]
) -> tuple[str, dict[int, int]]:
    """Return the expression of a shape, and the number of the group for each wanted place."""
    parts, groups = [_BLANK, "(?P<entry>)"], {_before(0): 1}
    count = 1
    for number, tag in enumerate(tags):
        if tag == "TxDtls":
            parts.append("()")
            count += 1
            groups[_before(number)] = count
        parts.append(f"<{re.escape(tag)}{' *+' if tag.startswith('/') else ''}>")
        place = 2 * number + 2
        is_leaf = number + 1 < len(tags) and tags[number + 1] == f"/{tag.partition(' ')[0]}"
        if number + 1 == len(tags):
            break
        if not is_leaf:
            # Text beside elements, where nobody reads it, or blanks.
            parts.append(_BLANK)
        elif place not in places:
            parts.append(_TEXT)
        else:
            count += 1
            groups[place] = count
            parts.append(_AMOUNT if place in amounts else f"({_TEXT})")
    return "".join(parts), groups


def _builder(shape: Shape, wanted: _Wanted, groups: dict[int, int]) -> _Build:
    """Return what makes a record of the texts of one match."""

    def at(place: int) -> int | None:
        found = groups.get(place)
        return None if found is None else found - 1

    detail = _detail_builder(shape, wanted, at)
    entry = {name: at(place) for name, place in wanted.entry.items()}
    amount_at, currency = entry["amount"], shape.currency
    sign_at, flag_at = entry["sign"], entry["reversal"]
    status_in = _finder(_present(entry, "status_code", "status_own", "status"))
    booked_in, value_in = _finder(_present(entry, "booked")), _finder(_present(entry, "value"))
    booked_moment = _finder(_present(entry, "booked_at"))
    value_moment = _finder(_present(entry, "value_at"))
    code_at = tuple(entry[name] for name in _CODE_NAMES)
    entry_reference, bank_reference = entry["entry_reference"], entry["bank_reference"]
    info_at, not_reversed = entry["additional_info"], False

    def build(raw: Sequence[str], number: int, line: int, below: int) -> ParsedEntry | None:
        texts = list(map(str.strip, raw))
        if flag_at is not None and texts[flag_at].lower() in ("true", "1"):
            return None
        sign = SIGNS.get(texts[sign_at]) if sign_at is not None else None
        status = STATUSES.get(status_in(texts))
        booked_text = booked_in(texts) or _day(booked_moment(texts))
        value_text = value_in(texts) or _day(value_moment(texts))
        booked = plain_day(booked_text) if booked_text else None
        value = plain_day(value_text) if value_text else booked
        if sign is None or status is None or value is None or (booked_text and booked is None):
            return None
        size = Decimal(texts[amount_at])  # type: ignore[index]
        single = detail(texts, raw, sign, f"line {below}, entry {number}")
        if single is None:
            return None
        own = None if bank_reference is None else reference(texts[bank_reference])
        # In the order of the record's fields; what a plain entry has not is None or empty.
        return _entry(
            size if sign > 0 else sign * size, currency, status, not_reversed, booked, value,
            None if entry_reference is None else reference(texts[entry_reference]),
            own or single.bank_reference, _codes(texts, code_at) or single.transaction_code,
            single.end_to_end_id, single.instruction_id, single.transaction_id, single.uetr,
            single.payment_information_id, single.message_id, single.mandate_id,
            None, None,  # count and total of a batch
            () if single is NO_DETAIL else (single,),
            single.counterparty_name, single.counterparty_account, single.counterparty_bic,
            single.remittance, (),  # structured references
            None, None, (), None,  # return, original code, charges, conversion
            "" if info_at is None else texts[info_at], f"line {line}, entry {number}",
        )  # fmt: skip

    return build


_CODE_NAMES: Final = ("domain", "family", "sub_family", "own_code")
_REFERENCES: Final = (
    "bank_reference", "end_to_end_id", "instruction_id", "transaction_id",
    "payment_information_id", "message_id", "mandate_id", "clearing_reference",
)  # fmt: skip


_BuildDetail = Callable[[Sequence[str], Sequence[str], int, str], ParsedDetail | None]


def _detail_builder(shape: Shape, wanted: _Wanted, at: Callable[[int], int | None]) -> _BuildDetail:
    """Return what makes the record of an entry's only transaction, of its texts and raw texts."""
    if shape.detail is None:
        return lambda _texts, _raw, _sign, _locator: NO_DETAIL
    found = {name: at(place) for name, place in wanted.detail.items()}
    has_amount = shape.detail.has_amount
    amount_at, currency = found["amount"], shape.detail.currency if has_amount else None
    sign_at = found["sign"] if has_amount and shape.detail.has_sign else None
    codes = tuple(found[name] for name in _CODE_NAMES)
    marks = [found[name] for name in _REFERENCES]
    uetr_at, info_at = found["uetr"], found["additional_info"]
    remittance = _groups(wanted.remittance, at)
    only = remittance[0] if len(remittance) == 1 else None
    purpose_in = _finder(_present(found, "purpose", "own_purpose"))
    sides = {
        sign: tuple(_finder(_groups(group, at)) for group in side)
        for sign, side in wanted.sides.items()
    }

    def build(
        texts: Sequence[str], raw: Sequence[str], sign: int, locator: str
    ) -> ParsedDetail | None:
        stated = sign if sign_at is None else SIGNS.get(texts[sign_at])
        if stated is None:
            return None
        amount = None if amount_at is None else Decimal(texts[amount_at])
        name_in, account_in, bank_in = sides[sign]
        name, account = name_in(texts), account_in(texts)
        bank, end_to_end, instruction, transaction, information, message, mandate, clearing = [
            None if place is None else reference(texts[place]) for place in marks
        ]
        text = (
            texts[only]
            if only is not None
            else join_pieces([raw[place] for place in remittance if raw[place]])
        )
        # In the order of the record's fields; what a plain transaction has not is None or empty.
        return _detail(
            stated * amount if amount is not None and stated < 0 else amount, currency,
            bank, end_to_end, instruction, transaction,
            None if uetr_at is None else texts[uetr_at].lower() or None,
            information, message, mandate, clearing, _codes(texts, codes),
            name, account, (bank_in(texts) or None) if name or account else None,
            text, (),  # structured references
            purpose_in(texts) or None,
            None, "", None, (), None,  # return, its text, original code, charges, conversion
            "" if info_at is None else texts[info_at], locator,
        )  # fmt: skip

    return build


def _present(found: dict[str, int | None], *names: str) -> tuple[int, ...]:
    places = (found[name] for name in names)
    return tuple(place for place in places if place is not None)


def _groups(places: Sequence[int], at: Callable[[int], int | None]) -> tuple[int, ...]:
    found = (at(place) for place in places)
    return tuple(place for place in found if place is not None)


def _finder(places: Sequence[int]) -> Callable[[Sequence[str]], str]:
    """Return what finds the first text at these places that is not empty."""
    if len(places) == 1:
        return itemgetter(places[0])

    def first(texts: Sequence[str]) -> str:
        return next((texts[place] for place in places if texts[place]), "")

    return first if places else lambda _texts: ""


def _codes(texts: Sequence[str], places: Sequence[int | None]) -> str | None:
    domain, family, sub_family, own = places
    return _joined(
        "" if domain is None else texts[domain],
        "" if family is None else texts[family],
        "" if sub_family is None else texts[sub_family],
        "" if own is None else texts[own],
    )


@lru_cache(maxsize=1024)
def _joined(domain: str, family: str, sub_family: str, own: str) -> str | None:
    return join_codes(domain.strip(), family.strip(), sub_family.strip(), own.strip())


def _day(moment: str) -> str:
    return moment.partition("T")[0] or moment
