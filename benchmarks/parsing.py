"""Reading statements of 1,000, 10,000 and 100,000 entries (quick: 500 and 5,000).

Ours: `integrations.codecs.read_message`, from bytes to typed records with every check.
Peers: the packages `camt053` and `mt-940`, each in a process of its own; they must find the same
amounts and value days. Limit (camt): lxml's `iterparse` over the same bytes, which stops at every
entry, looks at nothing and throws it away. Limit (MT940): one regular expression that splits the
file into its fields, nothing read.
"""

import io
import multiprocessing
import re
import resource
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from lxml import etree

from benchmarks.bank_files import camt053, movements, mt940
from benchmarks.measure import CPU, Contestant, Report, Role, race, timed
from benchmarks.peer_worker import digest
from benchmarks.peers import ABSENT, Peers
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage

REPEATS = 5
_ENTRY = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}Ntry"
_FIELD = re.compile(rb"^:(\d\d[A-Z]?):(.*?)(?=^:|^-)", re.MULTILINE | re.DOTALL)


def run(*, quick: bool) -> Iterator[Report]:
    """Yield the report for each format and size."""
    peers = Peers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for count in (500, 5_000) if quick else (1_000, 10_000, 100_000):
                listed = movements(count, seed=1, last_day=date(2026, 11, 20))
                yield _camt(camt053(listed), count, peers, Path(folder))
                yield _mt940(mt940(listed), count, peers, Path(folder))
    finally:
        peers.close()


def _camt(data: bytes, count: int, peers: Peers, folder: Path) -> Report:
    def iterate() -> None:
        seen = 0
        for _, element in etree.iterparse(io.BytesIO(data), events=("end",), tag=_ENTRY):
            seen += 1
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
        assert seen == count

    contestants = [
        _contestant("read_message", "ours", lambda: _ours(data, count), data, count),
        _contestant("lxml iterparse, not read", "limit", iterate, data, count),
    ]
    return _report("camt.053", data, count, peers, folder / "file.xml", contestants)


def _mt940(data: bytes, count: int, peers: Peers, folder: Path) -> Report:
    def split() -> None:
        assert len(_FIELD.findall(data)) == 2 * count + 5

    contestants = [
        _contestant("read_message", "ours", lambda: _ours(data, count), data, count),
        _contestant("regex split, not read", "limit", split, data, count),
    ]
    return _report("mt940", data, count, peers, folder / "file.sta", contestants)


def _ours(data: bytes, count: int) -> None:
    found = read_message(data)
    assert isinstance(found, ParsedMessage)
    assert len(found.statements[0].entries) == count


def _report(
    form: str,
    data: bytes,
    count: int,
    peers: Peers,
    path: Path,
    contestants: list[Contestant],
) -> Report:
    path.write_bytes(data)
    notes = [f"our peak of memory: {_peak_mb(path):.0f} MB, the file's bytes included"]
    if peers.are_here:
        name = {"camt.053": "camt053", "mt940": "mt-940"}[form]
        first = peers.read(name, path)
        assert first.digest == _own_digest(data), "equal results, or no race"
        notes.append(f"{name} finds the same amounts and days; peak {first.peak_kb / 1024:.0f} MB")
        contestants.append(
            Contestant(
                name=f"package {name}",
                role="peer",
                work=lambda: peers.read(name, path).seconds,
                units=_units(data, count),
            )
        )
    else:
        notes.append(ABSENT)
    return Report(
        name=f"parsing {form}",
        what=f"{count:,} entries, {len(data) / 1e6:.1f} MB",
        clock="CPU",
        repeats=REPEATS,
        rows=race(contestants, repeats=REPEATS),
        notes=tuple(notes),
    )


def _own_digest(data: bytes) -> str:
    found = read_message(data)
    assert isinstance(found, ParsedMessage)
    return digest((one.amount, one.value_date) for one in found.statements[0].entries)


def _peak_mb(path: Path) -> float:
    """Return the peak of a fresh process that reads the file and keeps all of it."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_read_and_look, (str(path),)) / 1024


def _read_and_look(path: str) -> int:
    found = read_message(Path(path).read_bytes())
    assert isinstance(found, ParsedMessage)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _units(data: bytes, count: int) -> dict[str, float]:
    return {"entries/s": count, "MB/s": len(data) / 1e6}


def _contestant(
    name: str, role: Role, work: Callable[[], None], data: bytes, count: int
) -> Contestant:
    return Contestant(
        name=name,
        role=role,
        work=lambda: timed(work, clock=CPU),
        units=_units(data, count),
    )
