"""Two thousand generated payments: valid against the schemas, and read back field by field.

The reader below knows nothing of ours: paths into the XML, and the record they must equal.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from integrations.codecs.orders import prepare, write_order
from integrations.codecs.schemas import validate_schema
from integrations.codecs.text import SWIFT_X
from integrations.dialects.writing import Format
from tests.integrations.codecs.payments import Case, corpus

COUNT: Final = 2_000
XSD: Final = Path(__file__).resolve().parents[4] / "shared" / "data" / "payments" / "xsd"
SCHEMAS: Final = {
    Format.PAIN_001_09: "pain001__pain.001.001.09.xsd",
    Format.PAIN_001_03: "pain001__pain.001.001.03.xsd",
    Format.PACS_008_08: "pacs008__pacs.008.001.08.xsd",
    Format.PACS_009_09: "moov__pacs.009.001.09.xsd",
}
Field = str | tuple[str, ...] | None


@cache
def written_corpus() -> list[tuple[Case, Any, bytes]]:
    """Every payment beside the order as prepared and its bytes."""
    found = []
    for case in corpus(COUNT):
        prepared = prepare(case.instruction, rail=case.rail, writing=case.writing)
        assert prepared.errors == (), (case, prepared.errors)
        data = write_order([prepared.instruction], writing=case.writing)
        found.append((case, prepared.instruction, data))
    return found


class Reader:
    """Texts of a message by local path."""

    def __init__(self, data: bytes) -> None:
        self._root = etree.fromstring(data)

    def __call__(self, path: str) -> Field:
        steps = "/".join(f"*[local-name()='{step}']" for step in path.split("/"))
        found = self._root.xpath(f"//{steps}/text()")
        if len(found) > 1:
            return tuple(map(str, found))
        return str(found[0]) if found else None

    def attribute(self, element: str, name: str) -> str:
        """Return an attribute of the only element of this name."""
        (found,) = self._root.xpath(f"//*[local-name()='{element}']/@{name}")
        return str(found)


def _party(read: Reader, side: str) -> dict[str, Field]:
    at = f"{side}/FinInstnId" if read(f"{side}/FinInstnId/Nm") else side
    lines = read(f"{at}/PstlAdr/AdrLine")
    return {
        "name": read(f"{at}/Nm"),
        "iban": read(f"{side}Acct/Id/IBAN"),
        "number": read(f"{side}Acct/Id/Othr/Id"),
        "street": read(f"{at}/PstlAdr/StrtNm"),
        "building_number": read(f"{at}/PstlAdr/BldgNb"),
        "post_code": read(f"{at}/PstlAdr/PstCd"),
        "town": read(f"{at}/PstlAdr/TwnNm"),
        "country": read(f"{at}/PstlAdr/Ctry"),
        "lines": (lines,) if isinstance(lines, str) else lines or (),
    }


def _agent(read: Reader, side: str) -> dict[str, Field]:
    bank = f"{side}/FinInstnId"
    return {
        "bic": read(f"{bank}/BICFI") or read(f"{bank}/BIC"),
        "clearing_system": read(f"{bank}/ClrSysMmbId/ClrSysId/Cd"),
        "clearing_member": read(f"{bank}/ClrSysMmbId/MmbId"),
    }


def _expected(record: Any, names: tuple[str, ...]) -> dict[str, Field]:
    return {name: getattr(record, name) or None for name in names}


AGENT = ("bic", "clearing_system", "clearing_member")
ADDRESS = ("street", "building_number", "post_code", "town", "country")


def assert_party(read: Reader, side: str, party: Any) -> None:
    expected = {**_expected(party, ("name", "iban", "number")), "lines": party.address.lines}
    found = _party(read, side)
    assert found == {**expected, **_expected(party.address, ADDRESS)}


def assert_reads_back(case: Case, order: Any, data: bytes) -> None:
    read, style = Reader(data), case.writing.format
    is_pain = style.startswith("pain.")
    amount = "InstdAmt" if is_pain else "IntrBkSttlmAmt"
    assert read("MsgId") == order.message_id
    assert read("PmtId/InstrId") == order.instruction_id
    assert read("PmtId/EndToEndId") == order.end_to_end_id
    assert read("PmtId/UETR") == (None if style == Format.PAIN_001_03 else order.uetr)
    assert (read(amount), read.attribute(amount, "Ccy")) == (f"{order.amount:f}", order.currency)
    day = read("ReqdExctnDt/Dt") or read("ReqdExctnDt/DtTm") or read("ReqdExctnDt")
    assert str(day or read("IntrBkSttlmDt"))[:10] == order.execution_date.isoformat()
    for name, code in (
        ("SvcLvl", order.service_level),
        ("LclInstrm", order.local_instrument),
        ("CtgyPurp", order.category_purpose),
    ):
        assert read(f"PmtTpInf/{name}/Cd") == code
    purpose = read("Purp/Cd") or read("Purp/Prtry")
    assert purpose == (None if order.purpose_is_reported else order.purpose)
    assert_party(read, "Cdtr", order.creditor)
    assert _agent(read, "DbtrAgt") == _expected(order.debtor_agent, AGENT)
    assert _agent(read, "CdtrAgt") == _expected(order.creditor_agent, AGENT)
    assert read("RmtInf/Ustrd") == order.remittance
    if style != Format.PACS_009_09:
        assert_party(read, "Dbtr", order.debtor)
        assert read("ChrgBr") == order.charge_bearer
        assert read("RmtInf/Strd/CdtrRefInf/Ref") == order.creditor_reference
        codes = tuple(report.code for report in order.regulatory if report.code)
        found = read("RgltryRptg/Dtls/Cd") or ()
        assert ((found,) if isinstance(found, str) else found) == codes


def test_every_payment_reads_back_equal() -> None:
    for case, order, data in written_corpus():
        assert_reads_back(case, order, data)


def test_a_changed_byte_would_be_found() -> None:
    """The negative control of the reader."""
    case, order, data = next(one for one in written_corpus() if one[1].creditor.iban)
    for said, changed in (
        (order.creditor.iban, order.creditor.iban[:-1] + "0"),
        (f"{order.amount:f}", f"{order.amount + 1:f}"),
        (order.creditor.address.town, "Elsewhere"),
    ):
        forged = data.replace(f">{said}<".encode(), f">{changed}<".encode())
        assert forged != data
        with pytest.raises(AssertionError):
            assert_reads_back(case, order, forged)


def test_every_payment_instruction_validates() -> None:
    counted = Counter(case.writing.format for case, _, _ in written_corpus())
    assert min(counted.values()) > COUNT // 10
    assert [
        (case.number, findings)
        for case, _, data in written_corpus()
        if (findings := validate_schema(data))
    ] == []


def test_no_letter_outside_the_charset_is_sent() -> None:
    for case, order, _ in written_corpus():
        texts = (order.creditor.name, order.creditor.address.town, order.remittance or "")
        if case.writing.charset == "swift-x":
            assert SWIFT_X.issuperset("".join(texts))
        elif case.writing.charset != "utf-8":
            "".join(texts).encode(case.writing.charset)


def test_the_corpus_is_the_same_every_time() -> None:
    again = [case.instruction for case in corpus(50)]
    assert again == [case.instruction for case, _, _ in written_corpus()[:50]]
    rails = Counter(case.rail for case, _, _ in written_corpus())
    assert len(rails) == 11
    assert len({order.currency for _, order, _ in written_corpus()}) >= 10


@pytest.mark.skipif(not XSD.is_dir(), reason="The published schemas are not beside the project.")
def test_every_payment_validates_against_the_published_schemas() -> None:
    schemas = {
        style: etree.XMLSchema(etree.parse(str(XSD / name))) for style, name in SCHEMAS.items()
    }
    objections = {
        case.number: schemas[case.writing.format].error_log.last_error
        for case, _, data in written_corpus()
        if not schemas[case.writing.format].validate(etree.fromstring(data))
    }
    assert objections == {}
