"""Tell what a bank's file is, and read it."""

import codecs
import re
from typing import Final

from integrations.codecs.adapting import adapted
from integrations.codecs.bai2 import read_bai2
from integrations.codecs.bai2_records import identify_bai2
from integrations.codecs.camt import read_camt
from integrations.codecs.camt029 import RecallReport, read_camt029
from integrations.codecs.constants import MESSAGE_BYTES_MAX
from integrations.codecs.elements import as_utf8, local_name, outline
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.mt940 import identify_mt, read_mt
from integrations.codecs.pacs002 import read_pacs002
from integrations.codecs.pain002 import read_pain002
from integrations.codecs.records import MessageKind, ParsedMessage, StatusReport
from integrations.codecs.sheets import read_sheet
from integrations.codecs.workbook import looks_like_workbook
from integrations.dialects.reading import PLAIN, Dialect

_KINDS: Final = {
    "BkToCstmrAcctRpt": MessageKind.CAMT052,
    "BkToCstmrStmt": MessageKind.CAMT053,
    "BkToCstmrDbtCdtNtfctn": MessageKind.CAMT054,
    "CstmrPmtStsRpt": MessageKind.PAIN002,
    "FIToFIPmtStsRpt": MessageKind.PACS002,
    "RsltnOfInvstgtn": MessageKind.CAMT029,
}
_OWN_WORDS: Final = {
    "CstmrCdtTrfInitn": "a payment order (pain.001), which goes to a bank",
    "CstmrDrctDbtInitn": "a direct debit order (pain.008), which goes to a bank",
    "FIToFICstmrCdtTrf": "an interbank credit transfer (pacs.008)",
}
_VERSION_SUFFIX: Final = re.compile(r"V[0-9]{2}")
_VERSION: Final = re.compile(r"(?:camt|pain|pacs)\.[0-9]{3}\.[0-9]{3}\.[0-9]{2}")
# Message elements sit below the root, or below an envelope with a business header.
_OUTLINE_ELEMENTS_MAX: Final = 2_000
_UTF16_STARTS: Final = (b"\xff\xfe<\x00", b"\xfe\xff\x00<")


def identify(data: bytes, *, dialect: Dialect = PLAIN) -> MessageKind | None:
    """Return what kind of bank message this is; None if it is none that we read."""
    try:
        if looks_like_xml(data):
            return _find_kind(as_utf8(data))[0]
    except UnreadableMessage:
        return None
    if identify_bai2(data):
        return MessageKind.BAI2
    is_sheet = dialect.sheet is not None and data.strip()
    return identify_mt(data) or (MessageKind.SHEET if is_sheet else None)


def read_message(
    data: bytes, *, dialect: Dialect = PLAIN
) -> ParsedMessage | StatusReport | RecallReport:
    """Read a bank's message, whatever its kind, in the dialect of the bank.

    Raises:
        UnreadableMessage: with a reason in words; nothing else is raised for any bytes.
    """
    if not data.strip():
        raise UnreadableMessage("The file is empty.", code="message_empty")
    if len(data) > MESSAGE_BYTES_MAX:
        raise UnreadableMessage(
            f"The file has {len(data):,} bytes; at most {MESSAGE_BYTES_MAX:,} are read.",
            code="message_too_large",
        )
    if not looks_like_xml(data):
        return adapted(_read_text(data, dialect), dialect)
    plain = as_utf8(data)
    kind, version = _find_kind(plain)
    if kind is MessageKind.PAIN002:
        return read_pain002(plain, version=version)
    if kind is MessageKind.PACS002:
        return read_pacs002(plain, version=version)
    if kind is MessageKind.CAMT029:
        return read_camt029(plain, version=version)
    message = read_camt(plain, kind=kind, version=version, dialect=dialect)
    return adapted(message, dialect)


def _read_text(data: bytes, dialect: Dialect) -> ParsedMessage:
    """Read what is not XML: by its own marks, else through the mapping of the bank's sheets."""
    if identify_bai2(data):
        return read_bai2(data, dialect=dialect)
    if dialect.sheet is not None and (looks_like_workbook(data) or identify_mt(data) is None):
        return read_sheet(data, dialect=dialect, mapping=dialect.sheet)
    if looks_like_workbook(data):
        raise UnreadableMessage(
            "The file is a workbook, and no mapping says how this bank's sheets are read; draw one"
            " on the mapping page, then try again.",
            code="mapping_missing",
        )
    return read_mt(data, dialect=dialect)


def looks_like_xml(data: bytes) -> bool:
    start = data[:1024]
    return start.startswith(_UTF16_STARTS) or (
        start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<")
    )


def _find_kind(plain: bytes) -> tuple[MessageKind, str]:
    """Return kind and version (`camt.053.001.08`) from the first elements of a document."""
    first = ""
    for count, tag in enumerate(outline(plain)):
        name = local_name(tag)
        first = first or name
        kind = _KINDS.get(_VERSION_SUFFIX.sub("", name))
        if kind is not None:
            version = _VERSION.search(tag)
            return kind, version.group() if version else str(kind)
        if name in _OWN_WORDS:
            raise UnreadableMessage(
                f"The file is {_OWN_WORDS[name]}; a statement or a status report is expected.",
                code="not_a_bank_message",
            )
        if count > _OUTLINE_ELEMENTS_MAX:
            break
    words = f" It starts with <{first[:40]}>." if first else ""
    raise UnreadableMessage(
        f"The file is XML, but neither a statement (camt.052, 053, 054) nor a status report"
        f" (pain.002, pacs.002) or an answer to a recall (camt.029).{words}",
        code="kind_unknown",
    )
