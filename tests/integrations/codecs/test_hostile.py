"""Whatever the bytes: a record or a reason, in bounded time and memory, and nothing else."""

import contextlib
import random
import resource
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from integrations.codecs import elements
from integrations.codecs.constants import (
    BALANCES_MAX,
    ENTRIES_MAX,
    FINDINGS_MAX,
    MESSAGE_BYTES_MAX,
    MT_BYTES_MAX,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.pain001 import validate_schema
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import MessageKind, ParsedMessage
from tests.integrations.codecs.samples import (
    balance,
    entry,
    message,
    mt940,
    statement,
    status_report,
    transaction,
)

CAMT = message(
    statement(
        balance("OPBD", "10.00"),
        balance("CLBD", "15.00"),
        entry("5.00", details=transaction("5.00", end_to_end_id="A")),
    )
)
MT = mt940(
    ":61:2611201120D250,00NTRFOURREF-1//BANKREF-9",
    ":86:166?00TEXT?20EREF+A?21SVWZ+B",
    closing=":62F:C261120USD750,00",
)
REPORT = status_report(
    "<OrgnlPmtInfAndSts><PmtInfSts>PART</PmtInfSts><TxInfAndSts><TxSts>RJCT</TxSts>"
    "<StsRsnInf><Rsn><Cd>AC01</Cd></Rsn></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts>"
)
GOOD = [CAMT, MT, REPORT]


def refusal_of(data: bytes) -> UnreadableMessage:
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(data)
    assert refusal.value.code
    assert refusal.value.message
    return refusal.value


def survives(data: bytes) -> None:
    """Read; only a refusal may come out besides a record, any other exception fails the test."""
    identify(data)
    with contextlib.suppress(UnreadableMessage):
        read_message(data)


XXE = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
PARAMETER = b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>'


@pytest.mark.parametrize("doctype", [XXE, LAUGHS, PARAMETER, b"<!DOCTYPE x>"])
@pytest.mark.parametrize("lead", [b"", b"<!-- a comment -->", b"<?note x?>\n", b" \n"])
def test_a_document_type_definition_is_refused(doctype: bytes, lead: bytes) -> None:
    body = CAMT.replace(b"?>\n", b"?>\n" + lead + doctype)
    assert refusal_of(body).code == "doctype_refused"
    assert validate_schema(body) != ()


def test_a_definition_hidden_in_another_encoding_is_refused() -> None:
    body = CAMT.replace(b"?>\n", b"?>\n" + XXE).decode().replace("UTF-8", "UTF-16")
    assert refusal_of(body.encode("utf-16")).code == "doctype_refused"


def test_a_definition_inside_a_comment_is_only_a_comment() -> None:
    commented = CAMT.replace(b"?>\n", b"?>\n<!-- " + XXE + b" -->")
    assert isinstance(read_message(commented), ParsedMessage)


def test_an_undeclared_entity_is_refused_not_dropped() -> None:
    body = CAMT.replace(b"<EndToEndId>A<", b"<EndToEndId>A&secret;<")
    assert refusal_of(body).code == "xml_broken"


def test_deep_nesting_is_refused() -> None:
    body = CAMT.replace(b"<Ntry>", b"<Ntry>" + b"<a>" * 100_000)
    assert refusal_of(body).code == "nested_too_deeply"


@pytest.mark.parametrize("data", GOOD, ids=["camt", "mt", "pain"])
def test_every_truncation_gives_a_record_or_a_reason(data: bytes) -> None:
    for length in range(len(data)):
        survives(data[:length])


@pytest.mark.parametrize("data", [CAMT, REPORT], ids=["camt", "pain"])
def test_truncated_xml_is_never_taken_for_whole(data: bytes) -> None:
    for length in range(0, len(data.rstrip()) - 1, 7):
        refusal_of(data[:length])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
@example(b"<")
@example(b"\xff\xfe<\x00")
@example(b"\xef\xbb\xbf")
@example(b":20:")
@example(b"{1:}{4:\n:20:x")
def test_random_bytes_give_a_record_or_a_reason(data: bytes) -> None:
    survives(data)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), which=st.sampled_from(range(len(GOOD))))
def test_damaged_messages_give_a_record_or_a_reason(seed: int, which: int) -> None:
    rng = random.Random(seed)
    damaged = bytearray(GOOD[which])
    for _ in range(rng.randint(1, 12)):
        position = rng.randrange(len(damaged))
        if rng.random() < 0.4:
            del damaged[position : position + rng.randint(1, 20)]
        elif rng.random() < 0.5:
            damaged[position] = rng.randrange(256)
        else:
            start = rng.randrange(len(damaged))
            damaged[position:position] = damaged[start : start + rng.randint(1, 40)]
        damaged = damaged or bytearray(b"x")
    survives(bytes(damaged))


FIELDS = st.sampled_from(["20", "25", "28C", "60F", "60M", "61", "62F", "64", "86", "13D", "90C"])
VALUES = st.text(alphabet="CDRE0123456789,/NTRF?+:-{}\n éUSD", max_size=40)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(FIELDS, VALUES), max_size=12))
def test_arbitrary_fields_give_a_record_or_a_reason(fields: list[tuple[str, str]]) -> None:
    survives("\n".join(f":{tag}:{value}" for tag, value in fields).encode())


TEXTS = st.sampled_from(["", "1", "-1", "NaN", "9" * 30, "2026-13-45", "CRDT", "x" * 300, "\u0661"])


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["Amt", "CdtDbtInd", "Sts", "Dt", "Id", "IBAN", "Cd"]), TEXTS)
)
def test_any_text_in_any_field_gives_a_record_or_a_reason(texts: dict[str, str]) -> None:
    body = CAMT.decode()
    for name, text in texts.items():
        for before in ("5.00", "CRDT", "2026-11-20", "BOOK", "OPBD"):
            body = body.replace(f"{before}</{name}>", f"{text}</{name}>")
    survives(body.encode())


OPEN = CAMT.partition(b"<Bal>")[0]


def filled(unit: bytes, size: int = 20_000_000) -> bytes:
    return unit * (size // len(unit))


FLOODS: dict[str, tuple[Callable[[], bytes], str]] = {
    "elements": (lambda: OPEN + filled(b"<a/>"), "content_unexpected"),
    "attributes": (lambda: OPEN + b"<a " + filled(b"b='' ") + b"/>", "content_unexpected"),
    "one long text": (lambda: OPEN + b"<a>" + filled(b"x") + b"</a>", "content_unexpected"),
    "comments first": (lambda: filled(b"<!---->") + CAMT, "content_unexpected"),
    "elements between entries": (
        lambda: OPEN + filled(entry("1.00").encode() + b"<a/>" * 2_000),
        "content_unexpected",
    ),
    "entries in the wrong place": (
        lambda: OPEN + b"<Odd>" + filled(b"<Ntry/>"),
        "content_unexpected",
    ),
    "headers": (lambda: OPEN + filled(b"<GrpHdr/>"), "content_unexpected"),
    "statements": (
        lambda: OPEN.partition(b"<Stmt>")[0] + filled(b"<Stmt/>"), "too_many_records",
    ),
    "balances": (
        lambda: OPEN + balance("FWAV", "1.00").encode() * (BALANCES_MAX + 1),
        "too_many_records",
    ),
    "a huge entry": (lambda: OPEN + b"<Ntry>" + b"<a/>" * 6_000 + b"</Ntry>", "content_unexpected"),
    "angle brackets": (lambda: filled(b"<"), "kind_unknown"),
    "blanks": (lambda: filled(b" "), "message_empty"),
    "blank lines": (lambda: MT + b":86:" + b"\n" * (MT_BYTES_MAX // 2), "field_too_long"),
    "statements of lines": (lambda: b":20:X\n:25:1\n" * 30_000, "too_many_records"),
    "one long line": (lambda: b":20:X\n:25:" + b"1" * 10_000_000, "line_too_long"),
    "texts": (lambda: MT[:-3] + b":86:x\n" * 100_000, "field_too_long"),
    "too large": (lambda: b"<" + b" " * MESSAGE_BYTES_MAX, "message_too_large"),
    "too large for lines": (lambda: MT + b"x\n" * (MT_BYTES_MAX // 2), "message_too_large"),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_refused_soon_and_without_much_memory(name: str) -> None:
    build, code = FLOODS[name]
    data = build()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    refusal = refusal_of(data)
    assert refusal.code == code, refusal.message
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 200 * 1024


def test_without_the_silence_limit_a_flood_of_elements_would_be_swallowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(elements, "SILENCE_BYTES_MAX", MESSAGE_BYTES_MAX)
    assert refusal_of(OPEN + b"<a/>" * 1_000_000).code == "xml_broken"


def test_too_many_entries_are_refused() -> None:
    lines = b":61:261120C1,NTRFNONREF\n" * (ENTRIES_MAX + 1)
    assert refusal_of(b":20:X\n:25:1\n:60F:C261119USD1,\n" + lines).code == "too_many_records"


def test_the_list_of_findings_ends() -> None:
    odd = entry("1.00", dates="") * (FINDINGS_MAX + 100)
    found = read_message(message(statement(odd)))
    assert isinstance(found, ParsedMessage)
    assert len(found.findings) == FINDINGS_MAX + 1
    assert found.findings[-1].code == "more_findings"


def test_many_transactions_without_a_sign_indicator_in_between_stay_linear() -> None:
    body = b"<a/>" * 4_000 + b"<NtryDtls>" + b"<TxDtls/>" * 20_000 + b"</NtryDtls>"
    opened = b'<Ntry><Amt Ccy="USD">1</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
    started = time.process_time()
    read_message(OPEN + opened + body + b"</Ntry></Stmt></BkToCstmrStmt></Document>")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "message_empty"),
        (b"<html><body/></html>", "kind_unknown"),
        (b"<a>", "kind_unknown"),
        (b'<?xml version="1.0" encoding="ebcdic-x"?><a/>', "encoding_unsupported"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "encoding_unsupported"),
        (b"<Document><CstmrCdtTrfInitn/></Document>", "not_a_bank_message"),
        (CAMT.replace(b"Example Remit", b"\xff\xfe"), "xml_broken"),
    ],
)
def test_what_is_no_bank_message_is_named(data: bytes, code: str) -> None:
    assert refusal_of(data).code == code
    assert identify(data) in {None, MessageKind.CAMT053}
