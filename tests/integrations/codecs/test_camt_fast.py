"""Cutting entries out of a file by their shape gives what reading them one by one gives."""

import random
import time
from datetime import date
from pathlib import Path

import pytest

from benchmarks.bank_files import camt053, movements
from integrations.codecs import camt_fast
from integrations.codecs.camt029 import RecallReport
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage, StatusReport

REPOSITORY = Path(__file__).resolve().parents[3]
CAMT_FILES = sorted((REPOSITORY.parent / "shared" / "data" / "payments" / "camt").glob("*"))
DAY = date(2026, 11, 20)
PLAIN = camt053(movements(40, seed=3, last_day=DAY))
Outcome = ParsedMessage | StatusReport | RecallReport | tuple[str, str, str]


def outcome(data: bytes) -> Outcome:
    try:
        return read_message(data)
    except UnreadableMessage as refusal:
        return refusal.code, refusal.message, refusal.locator or ""


def both(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Outcome, Outcome]:
    """Return what comes out with shapes cut out, and what without."""
    monkeypatch.setattr(camt_fast, "BYTES_MIN", 0)
    fast = outcome(data)
    monkeypatch.setattr(camt_fast, "BYTES_MIN", 10**12)
    return fast, outcome(data)


def entry(text: str) -> bytes:
    """Return the first entry of the plain file with something put into it."""
    start = PLAIN.index(b"<Ntry>")
    one = PLAIN[start : PLAIN.index(b"</Ntry>") + 7]
    return one.replace(b"<BkTxCd>", text.encode() + b"<BkTxCd>", 1)


# fmt: off
# ruff: noqa: E501 - one variant a line
VARIANTS = {
    "as it is": PLAIN,
    "one element a line": PLAIN.replace(b"><", b">\r\n  <"),
    "blanks around text": PLAIN.replace(b"<Nm>", b"<Nm>\n ").replace(b"</EndToEndId>", b" </EndToEndId>"),
    "a prefix": PLAIN.replace(b"<Ntry>", b"<Ntry xmlns='urn:x'>", 1),
    "an ampersand": PLAIN.replace(b"Alpine", b"Alpine &amp; Sons"),
    "letters of two bytes": PLAIN.replace(b"Alpine", "Älpiné 中".encode()),
    "broken letters": PLAIN.replace(b"Alpine", b"\xff\xfe"),
    "a control character": PLAIN.replace(b"Alpine", b"Al\x01pine", 1),
    "a lone carriage return": PLAIN.replace(b"Alpine", b"Al\rpine", 1),
    "a comment of entries": PLAIN.replace(b"<Ntry>", b"<!-- <Ntry>", 1).replace(b"</Ntry>", b"</Ntry> -->", 1),
    "a section of text": PLAIN.replace(b"Alpine Trading", b"<![CDATA[<Ntry></Ntry>]]>", 1),
    "a reversal": PLAIN.replace(b"</CdtDbtInd><Sts>", b"</CdtDbtInd><RvslInd>true</RvslInd><Sts>", 3),
    "not a reversal": PLAIN.replace(b"</CdtDbtInd><Sts>", b"</CdtDbtInd><RvslInd>false</RvslInd><Sts>"),
    "another currency": PLAIN.replace(b'Ccy="EUR"', b'Ccy="USD"'),
    "yen with cents": PLAIN.replace(b'Ccy="EUR"', b'Ccy="JPY"'),
    "no currency": PLAIN.replace(b'<Amt Ccy="EUR">', b"<Amt>"),
    "too many decimals": PLAIN.replace(b"</Amt>", b"11</Amt>", 9),
    "a date that is none": PLAIN.replace(b"<ValDt><Dt>2026-11-20", b"<ValDt><Dt>2026-02-30", 7),
    "no booking date": PLAIN.replace(b"<BookgDt><Dt>2026-11-20</Dt></BookgDt>", b""),
    "moments": PLAIN.replace(b"<Dt>2026-11-20</Dt></BookgDt>", b"<DtTm>2026-11-20T23:30:00+05:30</DtTm></BookgDt>"),
    "an unknown status": PLAIN.replace(b"<Cd>BOOK</Cd>", b"<Cd>DONE</Cd>", 5),
    "a status as text": PLAIN.replace(b"<Sts><Cd>BOOK</Cd></Sts>", b"<Sts>BOOK</Sts>"),
    "no sign": PLAIN.replace(b"<CdtDbtInd>CRDT</CdtDbtInd><Sts>", b"<Sts>", 2),
    "charges": PLAIN.replace(b"<BkTxCd>", b'<Chrgs><Amt Ccy="EUR">1</Amt></Chrgs><BkTxCd>', 2),
    "several transactions": PLAIN.replace(b"</TxDtls>", b"</TxDtls><TxDtls></TxDtls>", 2),
    "no transactions": PLAIN.replace(b"<NtryDtls>", b"<X>").replace(b"</NtryDtls>", b"</X>"),
    "an unknown element": PLAIN.replace(b"<BkTxCd>", b"<Wld>1<!-- c --></Wld><BkTxCd>"),
    "an empty element": PLAIN.replace(b"<BkTxCd>", b"<Wld/><BkTxCd>"),
    "tags crossed": PLAIN.replace(b"</NtryDtls></Ntry>", b"</Ntry></NtryDtls>"),
    "cut off": PLAIN[: len(PLAIN) // 2],
    "our own mark": PLAIN.replace(b"<Ntry>", b'<Ntry cut-out="0"/><Ntry>', 1),
    "entries before the account": PLAIN.replace(b"<Acct>", entry("") + b"<Acct>", 1),
    "an entry outside": PLAIN.replace(b"<GrpHdr>", entry("") + b"<GrpHdr>", 1),
    "an entry in an entry": PLAIN.replace(b"<NtryDtls>", entry("") + b"<NtryDtls>", 1),
    "two statements": PLAIN.replace(b"</Stmt>", b"</Stmt>" + PLAIN[PLAIN.index(b"<Stmt>") : PLAIN.index(b"</Stmt>") + 7], 1),
    "full remittance": PLAIN.replace(b"<Ustrd>", b"<Ustrd>" + b"x" * 140 + b"</Ustrd><Ustrd>"),
    "fillers": PLAIN.replace(b"<EndToEndId>E2E", b"<EndToEndId> notprovided</EndToEndId><EndToEndId>E2E"),
}
# fmt: on


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_comes_out_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = both(VARIANTS[name], monkeypatch)
    assert fast == slow


def test_the_plain_file_is_cut_to_its_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt_fast, "BYTES_MIN", 0)
    tiled = camt_fast.tile(PLAIN)
    assert tiled is not None
    assert sum(len(run.entries) for run in tiled.runs) == 40
    assert b"<Amt" not in tiled.rest.replace(b"<Bal>", b"").split(b"cut-out")[1]
    assert tiled.rest.count(b"\n") == PLAIN.count(b"\n"), "what is left stands on its own lines"


def test_the_comparison_notices_a_shape_read_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    camt_fast._reader.cache_clear()
    monkeypatch.setattr(camt_fast, "reference", lambda _text: "wrong")
    fast, slow = both(PLAIN, monkeypatch)
    camt_fast._reader.cache_clear()
    assert fast != slow


def test_mutated_files_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(11)
    base = camt053(movements(6, seed=5, last_day=DAY))
    pieces = (
        b"<",
        b">",
        b"&",
        b"/",
        b"\n",
        b" ",
        b"<Ntry>",
        b"</Ntry>",
        b"<!--",
        b"-->",
        b"9",
        b"\xc3",
    )
    for _ in range(400):
        data = bytearray(base)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(data))
            data[place : place + rng.randint(0, 6)] = rng.choice(pieces)
        fast, slow = both(bytes(data), monkeypatch)
        assert fast == slow, bytes(data)


@pytest.mark.parametrize("path", CAMT_FILES, ids=lambda path: path.name)
def test_files_of_real_banks_come_out_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = both(path.read_bytes(), monkeypatch)
    assert fast == slow


def test_ever_new_shapes_cost_no_more_than_the_generic_way() -> None:
    shapes = [entry(f"<X{number}>1</X{number}>") for number in range(1_500)]
    data = PLAIN.replace(b"<Ntry>", b"".join(shapes) + b"<Ntry>", 1)
    start = time.process_time()
    found = read_message(data)
    assert isinstance(found, ParsedMessage)
    assert len(found.statements[0].entries) == 1_540
    assert time.process_time() - start < 3
