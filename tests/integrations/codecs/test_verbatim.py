"""Down from an entry to everything the bank wrote about it, known or not."""

import pytest

from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage
from integrations.codecs.verbatim import written_at
from integrations.dialects.reading import PLAIN, parse_dialect
from tests.integrations.codecs.camt_versions import VERSIONS, Layout, document
from tests.integrations.codecs.fuzzing import SHEET, targets


def _shown(data: bytes, number: int, profile: dict[str, object] | None = None) -> dict[str, str]:
    dialect = parse_dialect(profile) if profile else PLAIN
    found = read_message(data, dialect=dialect)
    assert isinstance(found, ParsedMessage)
    entries = [entry for statement in found.statements for entry in statement.entries]
    return dict(written_at(data, locator=entries[number].locator, dialect=dialect))


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_elements_and_codes_are_kept(version: int) -> None:
    data = document(Layout(kind="053", version=version))
    payment, reversal = _shown(data, 0), _shown(data, 1)
    assert payment["NewThing/OfNextYear"] == "kept"
    assert payment["BkTxCd/Prtry/Issr"] == "DK"
    assert payment["Amt Ccy=EUR"] == "90.00"
    assert reversal["BkTxCd/Prtry/Cd"] == "X-99"
    assert "NewThing/OfNextYear" not in reversal


def test_a_movement_of_mt940_keeps_its_lines() -> None:
    data = targets()["mt940"].seeds[0]
    shown = _shown(data, 0)
    assert shown[":61:"].startswith("2611201120D250,00NTRF")
    assert shown[":86:"].startswith("166?00TEXT")
    assert _shown(data, 1)[":61:"].startswith("261120RC1,5")


def test_a_transaction_of_bai2_keeps_its_continuations() -> None:
    data = targets()["bai2"].seeds[0]
    shown = _shown(data, 0)
    assert shown["16"].startswith("195,40000,V,261120")
    assert shown["88"] == "DBNM: Acme, Inc"


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_a_row_of_a_sheet_keeps_every_cell(name: str) -> None:
    shown = _shown(targets()[name].seeds[0], 0, {"sheet": SHEET})
    assert (shown["Name"], shown["Account"]) == ("Acme", "4711")


@pytest.mark.parametrize("locator", ["", "line 1, entry 99", "row 9", "nowhere", "line 99999"])
def test_where_nothing_is_nothing_is_shown(locator: str) -> None:
    for name in ("camt.053", "mt940", "bai2", "csv"):
        assert written_at(targets()[name].seeds[0], locator=locator) == ()
