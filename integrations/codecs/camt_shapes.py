"""Read the plain entry fast: entries of one bank have the same elements in the same order.

A finished entry is written out again by the XML library, in one form whatever the file's own was:
text never holds an angle bracket, so cutting there gives tags and texts in turn. The tags alone are
the entry's shape. Where the wanted texts stand in a shape is worked out once; after that an entry
costs a few calls instead of a walk over its elements.

Only what is beyond doubt is read here. For anything else (a batch, charges, a conversion, a return,
structured remittance, an amount or date that deserves a remark) the answer is None, and
`camt_entries` reads the entry element by element. Both ways give equal records.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from lxml import etree

from integrations.codecs.camt_entries import (
    CREDITOR,
    DEBTOR,
    NO_DETAIL,
    SIGNS,
    STATUSES,
    Role,
    join_codes,
    join_pieces,
    read_flag,
)
from integrations.codecs.camt_parts import plain_amount, plain_day
from integrations.codecs.elements import Element, locate
from integrations.codecs.records import ParsedDetail, ParsedEntry
from integrations.codecs.values import reference

# Longer entries are not plain, and what is remembered of a shape stays small.
_ENTRY_CHARS_MAX: Final = 16_384
_SHAPE_CHARS_MAX: Final = 4_096
_SHAPES_MAX: Final = 256
_CURRENCY: Final = re.compile(r' Ccy="([^"]*)"')
_DETAIL: Final = "NtryDtls/TxDtls"
# The text at place 0, before the first tag, is empty: there stands what an entry does not have.
_NOWHERE: Final = 0


class _EntryTexts(NamedTuple):
    amount: str
    sign: str
    reversal: str
    booked: str
    booked_at: str
    value: str
    value_at: str
    status_code: str
    status_own: str
    status: str
    entry_reference: str
    bank_reference: str
    domain: str
    family: str
    sub_family: str
    own_code: str
    additional_info: str


_ENTRY_PATHS: Final = (
    "Amt", "CdtDbtInd", "RvslInd", "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm",
    "Sts/Cd", "Sts/Prtry", "Sts", "NtryRef", "AcctSvcrRef", "BkTxCd/Domn/Cd",
    "BkTxCd/Domn/Fmly/Cd", "BkTxCd/Domn/Fmly/SubFmlyCd", "BkTxCd/Prtry/Cd", "AddtlNtryInf",
)  # fmt: skip


class _DetailTexts(NamedTuple):
    amount: str
    sign: str
    bank_reference: str
    end_to_end_id: str
    instruction_id: str
    transaction_id: str
    uetr: str
    payment_information_id: str
    message_id: str
    mandate_id: str
    clearing_reference: str
    domain: str
    family: str
    sub_family: str
    own_code: str
    purpose: str
    own_purpose: str
    additional_info: str


_DETAIL_PATHS: Final = (
    "CdtDbtInd", "Refs/AcctSvcrRef", "Refs/EndToEndId", "Refs/InstrId", "Refs/TxId", "Refs/UETR",
    "Refs/PmtInfId", "Refs/MsgId", "Refs/MndtId", "Refs/ClrSysRef", "BkTxCd/Domn/Cd",
    "BkTxCd/Domn/Fmly/Cd", "BkTxCd/Domn/Fmly/SubFmlyCd", "BkTxCd/Prtry/Cd", "Purp/Cd",
    "Purp/Prtry", "AddtlTxInf",
)  # fmt: skip
_Texts = Callable[[Sequence[str]], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """Where name, account and bank of one role stand, best place first."""

    names: tuple[int, ...]
    accounts: tuple[int, ...]
    banks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _DetailShape:
    texts: _Texts
    currency: str
    has_amount: bool
    has_sign: bool
    debtor: _Side
    creditor: _Side
    remittance: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    texts: _Texts
    currency: str
    detail: _DetailShape | None


class _Node(NamedTuple):
    path: str
    place: int
    tag: str


ENTRY_TEXTS: Final = tuple(_EntryTexts.__annotations__)
DETAIL_TEXTS: Final = tuple(_DetailTexts.__annotations__)


def read_plain(element: Element, *, detail: Element | None, number: int) -> ParsedEntry | None:
    """Read one Ntry whose only TxDtls, if it has one, is `detail`; None if it is not plain."""
    written = etree.tostring(element, encoding="unicode", with_tail=False)
    if "&" in written or len(written) > _ENTRY_CHARS_MAX:
        return None
    pieces = written.replace("<", ">").split(">")
    tags = ">".join(pieces[1::2])
    shape = shape_of(tags) if len(tags) <= _SHAPE_CHARS_MAX else None
    if shape is None or (shape.detail is None) != (detail is None):
        return None
    texts = _EntryTexts(*map(str.strip, shape.texts(pieces)))
    single: ParsedDetail | None = NO_DETAIL
    if detail is not None and shape.detail is not None:
        sign = SIGNS.get(texts.sign)
        locator = f"{locate(detail)}, entry {number}"
        single = _detail(shape.detail, pieces, entry_sign=sign, locator=locator)
    if single is None:
        return None
    return _entry(texts, shape, single, locator=f"{locate(element)}, entry {number}")


def _entry(
    texts: _EntryTexts, shape: Shape, single: ParsedDetail, *, locator: str
) -> ParsedEntry | None:
    sign = SIGNS.get(texts.sign)
    amount = plain_amount(texts.amount, shape.currency)
    status = STATUSES.get(texts.status_code or texts.status_own or texts.status)
    days = _days(texts)
    if sign is None or amount is None or status is None or days is None:
        return None
    if read_flag(texts.reversal):
        return None
    code = join_codes(texts.domain, texts.family, texts.sub_family, texts.own_code)
    return ParsedEntry(
        amount=sign * amount,
        currency=shape.currency,
        status=status,
        booking_date=days[0],
        value_date=days[1],
        entry_reference=reference(texts.entry_reference),
        bank_reference=reference(texts.bank_reference) or single.bank_reference,
        transaction_code=code or single.transaction_code,
        end_to_end_id=single.end_to_end_id,
        instruction_id=single.instruction_id,
        transaction_id=single.transaction_id,
        uetr=single.uetr,
        payment_information_id=single.payment_information_id,
        message_id=single.message_id,
        mandate_id=single.mandate_id,
        details=() if single is NO_DETAIL else (single,),
        counterparty_name=single.counterparty_name,
        counterparty_account=single.counterparty_account,
        counterparty_bic=single.counterparty_bic,
        remittance=single.remittance,
        additional_info=texts.additional_info,
        locator=locator,
    )


def _days(texts: _EntryTexts) -> tuple[date | None, date] | None:
    """Return booking and value date; None if one is missing its form, or both are missing."""
    booked_text = texts.booked or _day_of(texts.booked_at)
    value_text = texts.value or _day_of(texts.value_at)
    booked = plain_day(booked_text) if booked_text else None
    value = plain_day(value_text) if value_text else booked
    if value is None or (booked_text and booked is None):
        return None
    return booked, value


def _day_of(moment: str) -> str:
    return moment.partition("T")[0] or moment


def _detail(
    shape: _DetailShape, pieces: Sequence[str], *, entry_sign: int | None, locator: str
) -> ParsedDetail | None:
    texts = _DetailTexts(*map(str.strip, shape.texts(pieces)))
    amount = plain_amount(texts.amount, shape.currency)
    sign = SIGNS.get(texts.sign) if shape.has_amount and shape.has_sign else entry_sign
    if entry_sign is None or sign is None or (amount is None and shape.has_amount):
        return None
    side = shape.debtor if entry_sign > 0 else shape.creditor
    name, account = _first(pieces, side.names), _first(pieces, side.accounts)
    return ParsedDetail(
        amount=None if amount is None else sign * amount,
        currency=shape.currency if shape.has_amount else None,
        bank_reference=reference(texts.bank_reference),
        end_to_end_id=reference(texts.end_to_end_id),
        instruction_id=reference(texts.instruction_id),
        transaction_id=reference(texts.transaction_id),
        uetr=texts.uetr.lower() or None,
        payment_information_id=reference(texts.payment_information_id),
        message_id=reference(texts.message_id),
        mandate_id=reference(texts.mandate_id),
        clearing_reference=reference(texts.clearing_reference),
        transaction_code=join_codes(texts.domain, texts.family, texts.sub_family, texts.own_code),
        counterparty_name=name,
        counterparty_account=account,
        counterparty_bic=(_first(pieces, side.banks) or None) if name or account else None,
        remittance=join_pieces([pieces[place] for place in shape.remittance if pieces[place]]),
        purpose=texts.purpose or texts.own_purpose or None,
        additional_info=texts.additional_info,
        locator=locator,
    )


def _first(pieces: Sequence[str], places: Iterable[int]) -> str:
    for place in places:
        found = pieces[place].strip()
        if found:
            return found
    return ""


@lru_cache(maxsize=_SHAPES_MAX)
def shape_of(tags: str) -> Shape | None:
    """Work out where the wanted texts of a shape stand; None if it is not plain."""
    if "&" in tags:
        return None
    nodes = list(_nodes(tags.split(">")))
    if not _is_plain(nodes):
        return None
    found: dict[str, _Node] = {}
    for node in nodes:
        found.setdefault(node.path, node)
    detail = None
    if _DETAIL in found:
        detail = _detail_shape(found, nodes)
    return Shape(texts=_texts(found, _ENTRY_PATHS), currency=_currency(found, "Amt"), detail=detail)


def _nodes(tags: Sequence[str]) -> Iterator[_Node]:
    """Yield the elements below the entry that count: the first of a name, and all of a kind."""
    above: list[str] = []
    seen: set[str] = set()
    for number, tag in enumerate(tags):
        if tag.startswith("/"):
            above.pop()
            continue
        # Without its prefix: an undeclared one has the whole file refused.
        name = tag.removesuffix("/").partition(" ")[0].rpartition(":")[2]
        path = f"{above[-1]}/{name}" if above and above[-1] else name if above else ""
        is_empty = tag.endswith("/")
        if above:
            yield _Node(path, _NOWHERE if is_empty else 2 * number + 2, tag)
        if path in seen and path:
            path = f"{path}+{number}"
        seen.add(path)
        if not is_empty:
            above.append(path)


def _is_plain(nodes: Sequence[_Node]) -> bool:
    """Say whether all that such an entry says has its place in a plain record."""
    paths = [node.path for node in nodes]
    below = [path for path in paths if path.startswith("NtryDtls/") and path.count("/") == 1]
    if paths.count("NtryDtls") > 1 or below not in ([], [_DETAIL]):
        return False
    barred = ("Btch", "Chrgs", f"{_DETAIL}/Chrgs", f"{_DETAIL}/RtrInf", f"{_DETAIL}/RmtInf/Strd")
    return not any(path in barred or path.endswith("/CcyXchg") for path in paths)


def _detail_shape(found: dict[str, _Node], nodes: Sequence[_Node]) -> _DetailShape:
    stated, inner = f"{_DETAIL}/Amt", f"{_DETAIL}/AmtDtls/TxAmt/Amt"
    amount = stated if stated in found else inner
    paths = (amount, *(f"{_DETAIL}/{path}" for path in _DETAIL_PATHS))
    return _DetailShape(
        texts=_texts(found, paths),
        currency=_currency(found, amount),
        has_amount=amount in found,
        has_sign=f"{_DETAIL}/CdtDbtInd" in found,
        debtor=_side(found, DEBTOR),
        creditor=_side(found, CREDITOR),
        remittance=tuple(node.place for node in nodes if node.path == f"{_DETAIL}/RmtInf/Ustrd"),
    )


def _side(found: dict[str, _Node], role: Role) -> _Side:
    def places(block: str, paths: Iterable[str]) -> tuple[int, ...]:
        nodes = (found.get(f"{_DETAIL}/{block}/{path}") for path in paths)
        return tuple(node.place for node in nodes if node is not None)

    return _Side(
        names=places("RltdPties", role.names),
        accounts=places("RltdPties", role.accounts),
        banks=places("RltdAgts", role.banks),
    )


def _texts(found: dict[str, _Node], paths: Iterable[str]) -> _Texts:
    getter: Any = itemgetter(*(found[path].place if path in found else _NOWHERE for path in paths))
    return getter  # type: ignore[no-any-return]


def _currency(found: dict[str, _Node], path: str) -> str:
    match = _CURRENCY.search(found[path].tag) if path in found else None
    return match.group(1).strip().upper() if match else ""
