"""Recognise a camt message that says what another one said, without reading either.

A bank that sends a statement again puts it into a new message: only the message's own number and
time differ. The digest leaves these two texts out and takes in everything else, letter for letter.
"""

import re
from hashlib import sha256
from typing import Final

from integrations.dialects.reading import Dialect

_HEADER_BYTES_MAX: Final = 16_384
_OWN: Final = re.compile(
    rb"<GrpHdr>\s*<MsgId>([A-Za-z0-9 /?:().,'_-]{1,70})</MsgId>"
    rb"\s*<CreDtTm>([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,18}(?:Z|[+-][0-9]{2}:[0-9]{2})?)</CreDtTm>"
)
# An intraday report that says the same later is news: the balance still stands.
_STATEMENT: Final = b"<BkToCstmrStmt"
# Where a balance has no date, that of the message is taken.
_BALANCE: Final = b"Bal"
_BLANKS_MAX: Final = 64


def body_digest(data: bytes, *, dialect: Dialect) -> str:
    """Return what two messages share that read alike; empty where that takes reading them."""
    own = _OWN.search(data, 0, _HEADER_BYTES_MAX)
    if own is None or _STATEMENT not in data[: own.start()] or b"<!" in data[: own.start()]:
        return ""
    if not _balances_are_dated(data):
        return ""
    digest = sha256(f"{dialect!r}\n".encode())
    digest.update(data[: own.start(1)])
    digest.update(b"\x00")
    digest.update(memoryview(data)[own.end(1) : own.start(2)])
    digest.update(b"\x00")
    digest.update(memoryview(data)[own.end(2) :])
    return digest.hexdigest()


def _balances_are_dated(data: bytes) -> bool:
    """Say whether every balance ends with its date, and is written without a prefix.

    One search for the letters that all of these have in common: the file is large.
    """
    place = data.find(_BALANCE)
    while place >= 0:
        end = place + len(_BALANCE)
        if data[place - 1 : place] == b":":
            return False  # written in another way
        if data[place - 2 : place] == b"</":
            before = data[max(0, place - 2 - _BLANKS_MAX) : place - 2]
            if data[end : end + 1] != b">" or not before.rstrip().endswith(b"</Dt>"):
                return False
        place = data.find(_BALANCE, end)
    return True
