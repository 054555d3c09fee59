"""Reading statements: camt.053 and MT940 of 20,000 entries (quick: 2,000).

Ours: `integrations.codecs.read_message`, from bytes to typed records with every check.
Limit (camt): lxml's `iterparse` over the same bytes, which stops at every entry, looks at nothing
and throws it away. Peer (camt): building lxml's whole tree, which a script would then search.
Limit (MT940): one regular expression that splits the file into its fields, nothing read.
"""

import io
import re
from collections.abc import Callable, Iterator
from datetime import date

from lxml import etree

from benchmarks.bank_files import camt053, movements, mt940
from benchmarks.measure import CPU, Contestant, Report, Role, race, timed
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage

REPEATS = 7
_ENTRY = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}Ntry"
_FIELD = re.compile(rb"^:(\d\d[A-Z]?):(.*?)(?=^:|^-)", re.MULTILINE | re.DOTALL)


def run(*, quick: bool) -> Iterator[Report]:
    """Yield the report for each format."""
    count = 2_000 if quick else 20_000
    listed = movements(count, seed=1, last_day=date(2026, 11, 20))
    yield _camt(camt053(listed), count)
    yield _mt940(mt940(listed), count)


def _camt(data: bytes, count: int) -> Report:
    def ours() -> None:
        found = read_message(data)
        assert isinstance(found, ParsedMessage)
        assert len(found.statements[0].entries) == count

    def iterate() -> None:
        seen = 0
        for _, element in etree.iterparse(io.BytesIO(data), events=("end",), tag=_ENTRY):
            seen += 1
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
        assert seen == count

    def tree() -> None:
        assert etree.fromstring(data).tag.endswith("Document")

    contestants = (
        _contestant("read_message", "ours", ours, data, count),
        _contestant("lxml tree, not read", "peer", tree, data, count),
        _contestant("lxml iterparse, not read", "limit", iterate, data, count),
    )
    return Report(
        name="parsing camt.053",
        what=f"{count:,} entries, {len(data) / 1e6:.1f} MB",
        clock="CPU",
        repeats=REPEATS,
        rows=race(contestants, repeats=REPEATS),
    )


def _mt940(data: bytes, count: int) -> Report:
    def ours() -> None:
        found = read_message(data)
        assert isinstance(found, ParsedMessage)
        assert len(found.statements[0].entries) == count

    def split() -> None:
        assert len(_FIELD.findall(data)) == 2 * count + 5

    contestants = (
        _contestant("read_message", "ours", ours, data, count),
        _contestant("regex split, not read", "limit", split, data, count),
    )
    return Report(
        name="parsing MT940",
        what=f"{count:,} entries, {len(data) / 1e6:.1f} MB",
        clock="CPU",
        repeats=REPEATS,
        rows=race(contestants, repeats=REPEATS),
    )


def _contestant(
    name: str, role: Role, work: Callable[[], None], data: bytes, count: int
) -> Contestant:
    return Contestant(
        name=name,
        role=role,
        work=lambda: timed(work, clock=CPU),
        units={"entries/s": count, "MB/s": len(data) / 1e6},
    )
