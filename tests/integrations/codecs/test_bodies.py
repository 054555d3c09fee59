"""Two messages have one body when they differ in their number and time only."""

from datetime import date

import pytest

from benchmarks.bank_files import camt053, movements, mt940
from integrations.codecs.bodies import body_digest
from integrations.dialects.reading import PLAIN, Dialect, Reversals

LISTED = movements(3, seed=1, last_day=date(2026, 11, 20))
FIRST = camt053(LISTED, message="FIRST")


def digest(data: bytes, dialect: Dialect = PLAIN) -> str:
    return body_digest(data, dialect=dialect)


def test_number_and_time_of_a_message_are_not_of_its_body() -> None:
    again = camt053(LISTED, message="SECOND/2").replace(
        b"<CreDtTm>2026-11-20T22:00:00Z</CreDtTm></GrpHdr>",
        b"<CreDtTm>2026-11-21T06:30:00.125+05:30</CreDtTm></GrpHdr>",
    )
    assert again != FIRST
    assert digest(again) == digest(FIRST) != ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Id>ST", b"<Id>TS"),
        (b"Invoice", b"invoice"),
        (b"</GrpHdr>", b"<MsgPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></MsgPgntn></GrpHdr>"),
        (b"<GrpHdr>", b"<GrpHdr>\n"),
        (b"</Document>\n", b"</Document>"),
        (b"2026-11-20T22:00:00Z</CreDtTm><FrToDt>", b"2026-11-20T23:00:00Z</CreDtTm><FrToDt>"),
    ],
)
def test_everything_else_is(old: bytes, new: bytes) -> None:
    base = FIRST.replace(b"Alpine", b"Invoice").replace(b"Payout", b"Invoice")
    assert base.count(old) >= 1
    assert digest(base.replace(old, new, 1)) not in {"", digest(base)}


def test_the_same_bytes_in_another_dialect_are_another_body() -> None:
    other = Dialect(camt_reversals=Reversals.ORIGINAL)
    assert digest(FIRST, other) not in {"", digest(FIRST)}


@pytest.mark.parametrize(
    "data",
    [
        mt940(LISTED),
        FIRST.replace(b"BkToCstmrStmt", b"BkToCstmrAcctRpt"),
        FIRST.replace(b"FIRST", b"FI<!-- -->RST"),
        FIRST.replace(b"FIRST", b"FI&#65;RST"),
        FIRST.replace(b"<Document", b"<!-- --><Document"),
        FIRST.replace(b"<Dt><Dt>2026-11-20</Dt></Dt></Bal>", b"</Bal>", 1),
        FIRST.replace(b"</Bal>", b"</Bal >", 1),
        FIRST.replace(b"<Bal>", b"<n:Bal>").replace(b"</Bal>", b"</n:Bal>"),
        FIRST.replace(b"2026-11-20T22:00:00Z</CreDtTm></GrpHdr>", b"yesterday</CreDtTm></GrpHdr>"),
    ],
)
def test_where_the_frame_may_matter_there_is_no_digest(data: bytes) -> None:
    assert digest(data) == ""
