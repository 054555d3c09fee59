"""Seeds and mutations: files of every format that we read, made wrong in every way we know.

A case is known by parser, seed of the generator and number, so that whatever fails can be made
again. Some mutations are blind (bits, bytes, cuts), some know the format (doubled and nested
blocks, swapped words, huge numbers, entities, other encodings), some are large.
"""

import io
import random
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.proof import prove
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import ParsedMessage
from integrations.codecs.sheet_guess import guess_mapping
from integrations.dialects.reading import PLAIN, Dialect, parse_dialect
from tests.integrations.codecs.camt_versions import Layout, document
from tests.integrations.codecs.samples import mt940, status_report
from tests.integrations.codecs.workbooks import workbook

LARGE_BYTES: Final = 2_000_000
LARGE_EVERY: Final = 500
CASE_BYTES_MAX: Final = 4_000_000
_TOKEN: Final = re.compile(rb"<[^<>]{1,80}>|[A-Za-z]{2,40}|[0-9][0-9.,]{0,30}|[^A-Za-z0-9\s]")
_NUMBER: Final = re.compile(rb"[0-9]+(?:[.,][0-9]+)?")
_BLOCK: Final = re.compile(rb"<([A-Za-z]{2,20})>.{0,2000}?</\1>", re.DOTALL)
_NASTY: Final = (
    b"", b"-1", b"NaN", b"Infinity", b"1E+30", b"0" * 400, b"9" * 60, b"99999999999999.99999",
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"&lt;", b"&x;", b"]]>", b"<![CDATA[", b"-->", b"%s%n",
    "\uff11\uff12".encode(), "\u202e".encode(),
    b"2026-13-45", b"0000-00-00", b"9999-99-99T99:99:99Z",
    b"RC", b"RD", b"EC", b"//", b"?20", b":61:", b":86:", b"-}", b"{4:", b"88,", b"16,", b"49,",
    b"D,99,1,2,", b"S,1,2,3", b"V,999999,9999", b'"', b'""', b"=1+1", b";" * 300, b"," * 300,
    b"<TxDtls>", b"</Ntry>", b"<Ntry>", b"<Btch><NbOfTxs>-1</NbOfTxs></Btch>", b"xmlns:a='b'",
)  # fmt: skip
_BOMBS: Final = (
    (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">'
        b'<!ENTITY d "&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;">]>'
    ),
    b'<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]>',
)
_ENCODINGS: Final = ("utf-16", "utf-32", "cp1252", "cp037", "utf-7", "utf-8-sig", "utf-16-be")
SHEET: Final[dict[str, Any]] = {
    "columns": {
        "booked": "Date", "value": "Value", "amount": "Amount", "balance": "Balance",
        "counterparty": "Name", "text": ["Text"], "account": "Account",
    },
    "delimiter": "semicolon",
    "dates": "DD.MM.YYYY",
    "currency": "EUR",
    "footers": ["Total"],
}  # fmt: skip
_CSV: Final = (
    b"Export;;;\n\nDate;Value;Account;Name;Text;Amount;Balance\n"
    b"19.11.2026;19.11.2026;4711;Acme;Invoice 7;1,250.00;11250.00\n"
    b'20.11.2026;23.11.2026;4711;"M; Co";"a\nb";-9.50;11240.50\n'
    b"20.11.2026;20.11.2026;4712;;;(5.00);\nTotal;;;;;1\n"
)
_BAI2: Final = (
    b"01,021000021,TMS,261120,0630,7,,,2/\n02,TMS,021000021,1,261119,,USD,2/\n"
    b"03,1234567,,010,100000,,,015,130500,,,072,300,,S,100,200,0/\n"
    b"16,195,40000,V,261120,1200,BANKREF1,CUST1,WIRE IN/\n88,EREF: E2E-1\n88,DBNM: Acme, Inc/\n"
    b"16,475,9500,D,2,0,500,1,9000,BANKREF2,,CHECK PAID/\n"
    b"49,280300,6/\n03,77,EUR,045,+5,,/\n49,5,2/\n98,280305,2,10/\n99,280305,1,12/\n"
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser under fire: its seeds, and the dialect in which it reads."""

    name: str
    seeds: tuple[bytes, ...]
    dialect: Dialect = field(default=PLAIN)
    is_packed: bool = False

    def read(self, data: bytes) -> bool:
        """Read one case as the system would; say whether it was readable."""
        identify(data, dialect=self.dialect)
        try:
            found = read_message(data, dialect=self.dialect)
        except UnreadableMessage as refusal:
            if not (refusal.code and refusal.message):
                raise AssertionError("a refusal without words") from refusal
            return False
        if isinstance(found, ParsedMessage):
            for statement in found.statements:
                assert prove(statement).words
        return True


def _guessed(target: Target, data: bytes) -> bool:
    try:
        guess_mapping(data)
    except UnreadableMessage:
        return False
    return True


class GuessTarget(Target):
    """The guess of a mapping, which sees files that nobody has looked at yet."""

    def read(self, data: bytes) -> bool:
        """Guess how a case is read."""
        return _guessed(self, data)


def _camt(kind: str) -> tuple[bytes, ...]:
    return tuple(document(Layout(kind=kind, version=version)) for version in (1, 2, 4, 8, 13))


def _mt(*lines: str, kind: str = "940") -> bytes:
    made = mt940(
        ":61:2611201120D250,00NTRFOURREF-1//BANKREF-9",
        ":86:166?00TEXT?20EREF+A?21SVWZ+B?30DEUTDEFF?31123?32Acme",
        ":61:261120RC1,5NMSCNONREF",
        ":86:/EREF/E-7/CNTP/DE123/DEUTDEFF/Acme/Berlin//REMI/USTD//Rent/UETR/x/",
        *lines,
        closing=":62F:C261120USD748,50",
    )
    return (
        made
        if kind == "940"
        else made.replace(b":60F:", b":34F:USD0,\n:13D:2611201130+0100\n:60F:")
    )


_REPORT: Final = status_report(
    "<OrgnlPmtInfAndSts><PmtInfSts>PART</PmtInfSts><TxInfAndSts><TxSts>RJCT</TxSts>"
    "<StsRsnInf><Rsn><Cd>AC01</Cd></Rsn><AddtlInf>x</AddtlInf></StsRsnInf></TxInfAndSts>"
    "</OrgnlPmtInfAndSts>"
)
_PACS: Final = (
    b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10"><FIToFIPmtStsRpt><GrpHdr>'
    b"<MsgId>M</MsgId><CreDtTm>2026-11-20T10:00:00Z</CreDtTm></GrpHdr><TxInfAndSts><OrgnlGrpInf>"
    b"<OrgnlMsgId>O</OrgnlMsgId><OrgnlMsgNmId>pacs.008</OrgnlMsgNmId></OrgnlGrpInf>"
    b"<OrgnlEndToEndId>E2E-1</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn>"
    b"</StsRsnInf></TxInfAndSts></FIToFIPmtStsRpt></Document>"
)
_TABLE: Final = workbook(
    [
        ["Date", "Value", "Account", "Name", "Text", "Amount", "Balance"],
        [date(2026, 11, 19), date(2026, 11, 19), "4711", "Acme", "a & b", Decimal("12.5"), ""],
        [date(2026, 11, 20), "20.11.2026", "4711", "", "", Decimal("-1E-2"), Decimal(7)],
    ]
)


def targets() -> Mapping[str, Target]:
    """Return every parser by name."""
    sheets = parse_dialect({"sheet": SHEET})
    found = [
        *(Target(name=f"camt.{kind}", seeds=_camt(kind)) for kind in ("052", "053", "054")),
        Target(name="pain.002", seeds=(_REPORT,)),
        Target(name="pacs.002", seeds=(_PACS,)),
        Target(name="mt940", seeds=(_mt(), _mt(":NS:22Text"))),
        Target(name="mt942", seeds=(_mt(kind="942"), _mt(":90C:1USD1,5", kind="942"))),
        Target(name="bai2", seeds=(_BAI2,)),
        Target(name="csv", seeds=(_CSV, _CSV.decode().encode("utf-16")), dialect=sheets),
        Target(name="xlsx", seeds=(_TABLE,), dialect=sheets, is_packed=True),
        GuessTarget(name="sheet-guess", seeds=(_CSV, _TABLE), is_packed=True),
    ]
    return {target.name: target for target in found}


def cases(target: Target, *, count: int, seed: int, start: int = 0) -> Iterator[bytes]:
    """Yield the cases of a parser from number `start` on, always the same for the same seed."""
    for number in range(start, count):
        yield case(target, number=number, seed=seed)


def case(target: Target, *, number: int, seed: int) -> bytes:
    """Return one case."""
    rng = random.Random(f"{target.name}/{seed}/{number}")
    data = rng.choice(target.seeds)
    if target.is_packed and data.startswith(b"PK") and rng.random() < 0.6:
        return _inside(data, rng, large=number % LARGE_EVERY == LARGE_EVERY - 1)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(_MUTATIONS)(data, rng, target.seeds)[:CASE_BYTES_MAX]
    if number % LARGE_EVERY == LARGE_EVERY - 1:
        data = _swollen(data, rng)
    return data


def _inside(data: bytes, rng: random.Random, *, large: bool) -> bytes:
    """Mutate one part of a packed file and pack it again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(parts))
    parts[name] = rng.choice(_MUTATIONS)(parts[name], rng, tuple(parts.values()))
    if large:
        parts[name] = _swollen(parts[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return out.getvalue()


Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip_bits(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _number in range(rng.randint(1, 6)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = sorted((_place(data, rng), _place(data, rng)))
    return rng.choice((data[:start], data[end:], data[:start] + data[end:]))


def _splice(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _double(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = sorted((_place(data, rng), _place(data, rng)))
    return data[:end] + data[start:end] * rng.randint(1, 4) + data[end:]


def _double_block(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    blocks = [match.span() for match in _BLOCK.finditer(data)]
    if not blocks:
        lines = data.splitlines(keepends=True)
        if lines:
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
        return b"".join(lines)
    start, end = rng.choice(blocks)
    return data[:end] + data[start:end] * rng.randint(1, 20) + data[end:]


def _nest(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    names = re.findall(rb"<([A-Za-z]{2,20})>", data) or [b"Ntry"]
    name, depth = rng.choice(names), rng.choice((2, 10, 100, 400))
    at = _place(data, rng)
    return data[:at] + b"<%s>" % name * depth + b"</%s>" % name * depth + data[at:]


def _swap_tokens(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    found = [match.span() for match in _TOKEN.finditer(data)]
    if len(found) < 2:
        return data
    (a, b), (c, d) = sorted(rng.sample(found, 2))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _plant(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    found = [match.span() for match in _TOKEN.finditer(data)] or [(0, 0)]
    start, end = rng.choice(found)
    return data[:start] + rng.choice(_NASTY) + data[rng.choice((start, end)) :]


def _number(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    found = [match.span() for match in _NUMBER.finditer(data)]
    if not found:
        return data
    start, end = rng.choice(found)
    made = str(rng.choice((0, 1, 29, 31, 99, 10**9, 10**17, 10**40, rng.random()))).encode()
    return data[:start] + made + data[end:]


def _bomb(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    used = data.replace(b"</", rng.choice((b"&e;</", b"&#0;</", b"&#x110000;</")), 1)
    return rng.choice((rng.choice(_BOMBS) + used, used))


def _encode(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    name = rng.choice(_ENCODINGS)
    made = data.decode("utf-8", errors="replace").encode(name, errors="replace")
    return rng.choice((made, b'<?xml version="1.0" encoding="%s"?>' % name.encode() + data))


def _noise(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.randbytes(rng.choice((1, 3, 40, 400))) + data[at:]


def _swollen(data: bytes, rng: random.Random) -> bytes:
    """Make a case large: a part of it again and again."""
    start, end = sorted((_place(data, rng), _place(data, rng)))
    piece = data[start : max(end, start + 1)] or b"x"
    lines = data.splitlines(keepends=True)
    piece = rng.choice((piece, rng.choice(lines) if lines else piece, piece[:1]))
    return data[:end] + piece * (LARGE_BYTES // max(len(piece), 1)) + data[end:]


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip_bits, _cut, _splice, _double, _double_block, _nest, _swap_tokens, _plant, _plant, _number,
    _number, _bomb, _encode, _noise,
)  # fmt: skip
