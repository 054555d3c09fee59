"""Reading plain entries in runs gives what reading them field by field gives."""

import random
from datetime import date
from pathlib import Path

import pytest

from benchmarks.bank_files import movements, mt940
from integrations.codecs import mt940 as reader
from integrations.codecs import mt_details, mt_runs
from integrations.codecs.constants import ENTRIES_MAX
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.mt940 import read_mt
from integrations.codecs.mt_details import read_narrative, read_narrative_text
from integrations.codecs.records import ParsedMessage
from integrations.dialects.reading import PLAIN as PLAIN_DIALECT
from integrations.dialects.reading import DateOrder, DetailsStyle, Dialect, Reversals
from tests.integrations.codecs.plain_narrative import read_plainly

REPOSITORY = Path(__file__).resolve().parents[3]
REAL_FILES = sorted((REPOSITORY.parent / "shared" / "data" / "payments" / "mt940").glob("*.*"))
PLAIN = mt940(movements(12, seed=3, last_day=date(2026, 11, 20)))
Outcome = ParsedMessage | tuple[str, str, str]


def outcome(data: bytes, dialect: Dialect = PLAIN_DIALECT) -> Outcome:
    try:
        return read_mt(data, dialect=dialect)
    except UnreadableMessage as refusal:
        return refusal.code, refusal.message, refusal.locator or ""


def both(
    data: bytes, monkeypatch: pytest.MonkeyPatch, dialect: Dialect = PLAIN_DIALECT
) -> tuple[Outcome, Outcome]:
    """Return what comes out with runs, and what field by field."""
    fast = outcome(data, dialect)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "next_entry", lambda text, _place: len(text))
        patch.setattr(
            reader._MtReader, "_take_run", lambda _reader, _text, place, number: (place, number)
        )
        return fast, outcome(data, dialect)


# fmt: off
# ruff: noqa: E501 - one variant a line
VARIANTS = {
    "as it is": PLAIN,
    "lone line feeds": PLAIN.replace(b"\r\n", b"\n"),
    "lone carriage returns": PLAIN.replace(b"\r\n", b"\r"),
    "mixed line ends": PLAIN.replace(b"\r\n:86:", b"\n:86:").replace(b"\r\n:61:", b"\r:61:", 4),
    "wrapped text": PLAIN.replace(b"?30", b"\r\n?30").replace(b"SVWZ", b"SV\r\nWZ"),
    "no text": b"\r\n".join(line for line in PLAIN.split(b"\r\n") if not line.startswith(b":86:")),
    "text twice": PLAIN.replace(b":86:166", b":86:twice\r\n:86:166"),
    "a line of further information": PLAIN.replace(b"\r\n:86:", b"\r\n further things \r\n:86:").replace(b"\r\n further", b"\r\nfurther", 6),
    "two lines of it": PLAIN.replace(b"\r\n:86:", b"\r\none\r\ntwo\r\n:86:"),
    "a line broken in the middle": PLAIN.replace(b"NTRF", b"\r\nNTRF"),
    "a blank before the type": PLAIN.replace(b"NTRF", b" NTRF"),
    "blanks at the end": PLAIN.replace(b"\r\n:86:", b"  \r\n:86:"),
    "blanks for the entry date": PLAIN.replace(b":61:2611201120", b":61:261120    "),
    "no entry date": PLAIN.replace(b":61:2611201120", b":61:261120"),
    "booked in the year before": PLAIN.replace(b":61:2611201120", b":61:2601021231"),
    "booked on a day that is none": PLAIN.replace(b":61:2611201120", b":61:2611200230", 3),
    "valued on a day that is none": PLAIN.replace(b":61:2611201120", b":61:2602301120", 3),
    "booked on a leap day": PLAIN.replace(b":61:2611201120", b":61:2403010229").replace(b":61:240301", b":61:250301", 4),
    "the last century": PLAIN.replace(b":61:26", b":61:99", 3),
    "reversals and expected entries": PLAIN.replace(b"1120C", b"1120RC", 2).replace(b"1120D", b"1120ED", 2).replace(b"1120C", b"1120EC", 1),
    "a funds code": PLAIN.replace(b"1120C", b"1120CR"),
    "too many decimals": PLAIN.replace(b"NTRF", b"1NTRF", 4),
    "zeros beyond the cents": PLAIN.replace(b"NTRF", b"0NTRF", 4),
    "no decimals": PLAIN.replace(b",", b",NTRF", 8),
    "no comma": PLAIN.replace(b",", b"", 5),
    "leading zeros": PLAIN.replace(b"1120C", b"1120C000"),
    "nothing at all": PLAIN.replace(b"1120C", b"1120C0,0NTRF", 2),
    "an amount that is too large": PLAIN.replace(b"1120C", b"1120C9999999999", 1),
    "an owner's reference": PLAIN.replace(b"NONREF", b"A/B 1234", 4),
    "a padded reference": PLAIN.replace(b"NONREF", b"REF            NAME AFTER IT", 4),
    "a long reference": PLAIN.replace(b"NONREF", b"REFERENCE-OF-MANY-LETTERS", 4),
    "no bank reference": PLAIN.replace(b"NONREF//", b""),
    "fillers": PLAIN.replace(b"//BK", b"//notprovided\r\n//BK", 3).replace(b"E2E-", b"NOTPROVIDED?22", 2),
    "no type": PLAIN.replace(b"NTRFNONREF", b""),
    "a returned item": PLAIN.replace(b"NTRF", b"NRTI"),
    "a returned payment": PLAIN.replace(b":166?", b":109?").replace(b"?32", b"?34AC04?32", 2),
    "yen": PLAIN.replace(b"EUR", b"JPY"),
    "an unknown currency": PLAIN.replace(b"EUR", b"XQQ"),
    "slashed words": PLAIN.replace(b":86:166?00", b":86:/EREF/X1/REMI/text/UETR/").replace(b"?20", b"/CNTP/DE1/BIC/Name/Town"),
    "plain text": PLAIN.replace(b":86:166?00", b":86:just text "),
    "another separator": PLAIN.replace(b"?", b">"),
    "a separator in the text": PLAIN.replace(b"Invoice", b"In?voice?"),
    "a plus in the text": PLAIN.replace(b"Invoice", b"In+voice+ +").replace(b"EREF+", b"EREF+A+B "),
    "plus as separator": PLAIN.replace(b"?", b"+"),
    "keywords one after the other": PLAIN.replace(b"EREF+", b"KREF+EREF+BIC+ MREF+M1 VWZ+"),
    "a long reference over subfields": PLAIN.replace(b"SVWZ+", b"continued-and-continued-and-continued").replace(b"?30", b"?60more?30"),
    "a time wrapped before the text": PLAIN.replace(b"\r\n:86:166", b"\r\nat 2026-11-20T13\r\n:86:11 and on"),
    "a time wrapped before an entry": PLAIN.replace(b"\r\n:61:", b" T13\r\n:61:11 \r\n:61:", 3),
    "a dash": PLAIN.replace(b"\r\n:61:", b"\r\n-\r\n:61:", 3),
    "a dash as text": PLAIN.replace(b"?30", b"\r\n- text?30", 3),
    "the end of a message": PLAIN.replace(b"?30", b"\r\n-}{1:F01X}{4:?30", 2),
    "control characters": PLAIN.replace(b"TRANSFER", b"TRANS\x00FER\x0c", 3).replace(b"\r\n:61:", b"\x1f\r\n:61:", 3),
    "letters of two bytes": PLAIN.replace(b"TRANSFER", "Überweisung\u2028Zürich".encode()),
    "Western European letters": PLAIN.replace(b"TRANSFER", b"\xdcberweisung"),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "two statements": PLAIN + PLAIN,
    "two accounts": PLAIN + PLAIN.replace(b":20:STARTUMS\r\n", b""),
    "pages": PLAIN.replace(b":62F:", b":62M:") + PLAIN.replace(b":60F:", b":60M:"),
    "an intraday report": PLAIN.replace(b":60F:", b":34F:EUR0,\r\n:13D:2611201200+0100\r\n:60F:").replace(b":62F:", b":90D:1EUR1,\r\n:62F:"),
    "entries before the currency": PLAIN.replace(b":60F:", b":61:2611201120C1,NTRFX\r\n:60F:"),
    "no account": PLAIN.replace(b":25:", b":99:"),
    "cut off": PLAIN[: len(PLAIN) // 2],
    "no closing balance": PLAIN[: PLAIN.index(b":62F:")],
    "a very long line": PLAIN.replace(b"TRANSFER", b"x" * 11_000, 1),
    "very many lines": PLAIN.replace(b"TRANSFER", b"x\r\n" * 1_100, 1),
}
DIALECTS = {
    "as the standard has it": PLAIN_DIALECT,
    "days first": Dialect(mt_dates=DateOrder.DAY_FIRST),
    "own reversals": Dialect(mt_reversals=Reversals.OWN),
    "text": Dialect(mt_details=DetailsStyle.TEXT),
    "words": Dialect(mt_details=DetailsStyle.TAGS),
}
# fmt: on


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_comes_out_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for dialect in DIALECTS.values():
        fast, slow = both(VARIANTS[name], monkeypatch, dialect)
        assert fast == slow


def test_real_files_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in REAL_FILES:
        fast, slow = both(path.read_bytes(), monkeypatch)
        assert fast == slow, path.name


def test_mutated_files_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    pieces = (b"\r\n", b":61:", b":86:", b":62F:", b"-", b"{4:", b"?", b"20", b"+", b"/", b" ",
              b",", b"C", b"R", b"//", b"\n", b"\r", b"\t", b"EREF+", b"T13", b"", b"9", b"EUR")  # fmt: skip
    for _ in range(1_500):
        data = bytearray(PLAIN)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(data))
            data[place : place + rng.randint(0, 6)] = rng.choice(pieces)
        fast, slow = both(bytes(data), monkeypatch)
        assert fast == slow, bytes(data)


def test_narratives_come_out_as_in_the_plain_way() -> None:
    rng = random.Random(9)
    pieces = ("?", "20", "21", "60", "61", "32", "34", "EREF+", "SVWZ+", "VWZ+", "MREF+ ", "BIC+",
              " ", "+", "x", "NOTPROVIDED", "/REMI/", "/", "y" * 26, "z" * 27, "w" * 40)  # fmt: skip
    for _ in range(4_000):
        whole = rng.choice(("166?20", "109?00", "", "/EREF/", "159+20"))
        lines = (whole + "".join(rng.choices(pieces, k=rng.randint(0, 14)))).split("x")
        assert read_narrative(lines) == read_plainly(lines), lines


def usual_narratives(count: int) -> list[str]:
    """Return narratives near the usual shape; most keep to it, some break it in one place."""
    rng = random.Random(11)
    words = ("x", "Rent 11", " a ", "", "NOTPROVIDED", "y" * 22, "z" * 27, "w" * 36, "A EREF", " ")
    breaks = ("+", "?", "\n", "?2", "BIC+", "?20EREF+q", "?34AC04", " ", "?00", "?60m", "6", "166")
    made = []
    for _ in range(count):
        pieces = [f"?{code}{rng.choice(words)}" for code in ("00", "10") if rng.random() < 0.5]
        keywords = [one for one in ("EREF", "KREF", "MREF", "SVWZ") if rng.random() < 0.7]
        pieces += [f"?2{rng.randint(0, 9)}{one}+{rng.choice(words)}" for one in keywords]
        more = rng.choices(("25", "29", "60", "63"), k=rng.choice((0, 0, 1, 3)))
        pieces += [f"?{code}{rng.choice(words)}" for code in more]
        codes = [code for code in ("30", "31", "32", "33") if rng.random() < 0.7]
        pieces += [f"?{code}{rng.choice(words)}" for code in codes]
        text = rng.choice(("166", "166", "109", "1x6")) + "".join(pieces)
        if rng.random() < 0.4:
            place = rng.randrange(len(text) + 1)
            text = text[:place] + rng.choice(breaks) + text[place:]
        made.append(text)
    return made


def test_usual_narratives_come_out_as_in_the_plain_way() -> None:
    at_once = 0
    for text in usual_narratives(6_000):
        assert read_narrative_text(text) == read_plainly(text.split("\n")), text
        at_once += mt_details._USUAL.fullmatch(text) is not None
    # Both ways have had their share.
    assert 700 < at_once < 5_000


def test_a_usual_narrative_is_not_cut_where_the_bank_has_plain_text() -> None:
    text = "166?00TRANSFER?20SVWZ+Rent?32Somebody"
    told = read_narrative_text(text, style=DetailsStyle.TEXT)
    assert told.remittance == text
    assert read_narrative_text(text).counterparty_name == "Somebody"


def test_the_plain_file_is_read_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    read = mt_runs.RunReader.read

    def noted(self: mt_runs.RunReader, text: str, **asked: object) -> mt_runs.Run:
        run = read(self, text, **asked)  # type: ignore[arg-type]
        runs.append(len(run.entries))
        return run

    monkeypatch.setattr(mt_runs.RunReader, "read", noted)
    read_mt(PLAIN)
    assert [count for count in runs if count] == [12]


def test_the_comparison_notices_a_run_read_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mt_runs, "_days", lambda _value, _entry: (date(2000, 1, 1),) * 2)
    fast, slow = both(PLAIN, monkeypatch)
    assert fast != slow


def test_more_entries_than_a_file_may_have_are_refused() -> None:
    entry = b":61:2611201120C1,NTRFX\r\n"
    start = PLAIN[: PLAIN.index(b":61:")]
    closing = PLAIN[PLAIN.index(b":62F:") :]
    full = read_mt(start + entry * ENTRIES_MAX + closing)
    assert len(full.statements[0].entries) == ENTRIES_MAX
    with pytest.raises(UnreadableMessage) as refused:
        read_mt(start + entry * (ENTRIES_MAX + 1) + closing)
    assert refused.value.code == "too_many_records"
