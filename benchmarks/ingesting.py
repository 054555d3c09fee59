"""Ingesting 100,000 entries of daily statements (quick: 5,000), first time and again.

Ours: `treasury.services.ingest` of archived camt.053 messages, from bytes to entries, observations,
balances, proof, settled days and events, committed. The same messages once more, and the same
statements under new message ids, must add nothing.
Limit: COPY of the finished entry rows, ready as text, into an empty copy of the same table with the
same indexes and checks; no reading, no walls, no observations.
Peer: Django's `bulk_create(ignore_conflicts=True)` of finished entry objects into the table itself;
no reading, no observations, no recognition beyond the unique key.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from uuid import UUID

from benchmarks import database, house
from benchmarks.bank_files import ACCOUNT, CURRENCY, OPENING, camt053, iban, movements
from benchmarks.measure import Contestant, Report, rows, timed
from core import clock
from core.ids import uuid7
from core.tenancy import bound
from integrations import services as archive
from integrations.codecs.reading import read_message
from treasury.models import BankEntry
from treasury.services.ingest import ingest_message

_DAY_ENTRIES_MAX = 25_000
_LAST_DAY = date(2026, 11, 16)
_BATCH_ROWS = 1_000
_TABLE = "treasury_bankentry"
_COPY = "bench_entry"

OURS = "ingest_message"
PARSE = "  of which reading the bytes"
AGAIN = "ingest_message, same messages"
COPIES = "ingest_message, same statements"
LIMIT = "bare COPY"
PEER = "bulk_create"
PEER_AGAIN = "bulk_create, same rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    first: list[bytes]
    second: list[bytes]


def run(*, quick: bool) -> Iterator[Report]:
    """Yield the report."""
    count = 5_000 if quick else 100_000
    repeats = 3
    files = _files(count)
    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, taken in _round(files, count).items():
            seconds.setdefault(name, []).append(taken)
    roles = {OURS: "ours", LIMIT: "limit"}
    contestants = [
        Contestant(
            name=name,
            role=roles.get(name, "peer" if name.startswith(PEER) else "part"),
            work=float,
            units={"entries/s": count},
        )
        for name in (OURS, PARSE, AGAIN, COPIES, PEER, PEER_AGAIN, LIMIT)
    ]
    yield Report(
        name="ingesting",
        what=f"{count:,} entries in {len(files.first)} camt.053 messages",
        clock="processor (client and server)",
        repeats=repeats,
        rows=rows(contestants, seconds),
        notes=("bulk_create and COPY get finished rows; ours begins with the bank's bytes.",),
    )


def _files(count: int) -> _Files:
    days = -(-count // _DAY_ENTRIES_MAX)
    listed = movements(count, seed=2, last_day=_LAST_DAY, days=days)
    opening, found = OPENING, _Files(first=[], second=[])
    for sequence, (_, group) in enumerate(groupby(listed, key=lambda one: one.day), start=1):
        moved = list(group)
        for data, message in ((found.first, "FIRST"), (found.second, "SECOND")):
            made = camt053(
                moved, opening=opening, sequence=sequence, message=f"{message}{sequence}"
            )
            data.append(made)
        opening += sum((one.amount for one in moved), Decimal(0))
    return found


def _round(files: _Files, count: int) -> dict[str, float]:
    """Do every job once on an empty house."""
    taken: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, clock.frozen(house.NOW):
        built = house.build(Path(folder))
        with bound(built.tenant, actor=house.ACTOR):
            bank = house.make_bank("COBADEFFXXX", "First Bank")
            house.open_account(built, bank, number=ACCOUNT, currency=CURRENCY)
            other = house.open_account(built, bank, number=iban(1), currency=CURRENCY)
        first = _archived(built.tenant, files.first, "first")
        second = _archived(built.tenant, files.second, "second")
        busy = database.busy_clock()
        taken[OURS] = timed(lambda: _ingest(built.tenant, first), clock=busy)
        _expect(built.tenant, count)
        taken[LIMIT] = _bare_copy(built.tenant)
        taken[PARSE] = timed(lambda: [read_message(data) for data in files.first], clock=busy)
        taken[AGAIN] = timed(lambda: _ingest(built.tenant, first), clock=busy)
        taken[COPIES] = timed(lambda: _ingest(built.tenant, second), clock=busy)
        _expect(built.tenant, count)
        taken[PEER] = _bulk_create(built.tenant, other.pk)
        _expect(built.tenant, 2 * count)
        taken[PEER_AGAIN] = _bulk_create(built.tenant, other.pk)
        _expect(built.tenant, 2 * count)
    return taken


def _archived(tenant: UUID, files: Sequence[bytes], name: str) -> list[UUID]:
    with bound(tenant, actor=house.ACTOR):
        return [
            archive.archive_inbound(connection_code=house.LINE, name=f"{name}{n}.xml", data=data).pk
            for n, data in enumerate(files)
        ]


def _ingest(tenant: UUID, messages: Sequence[UUID]) -> None:
    for message_id in messages:
        with bound(tenant, actor=house.ACTOR):
            result = ingest_message(message_id=message_id)
            assert not result.refusals, result.refusals


def _expect(tenant: UUID, count: int) -> None:
    with bound(tenant, actor=house.ACTOR):
        assert BankEntry.objects.count() == count


def _bare_copy(tenant: UUID) -> float:
    blocks = database.copied_out(_TABLE, tenant=tenant)
    with database.administrator() as server:
        server.execute(f"DROP TABLE IF EXISTS {_COPY}")
        server.execute(f"CREATE TABLE {_COPY} (LIKE {_TABLE} INCLUDING ALL)")

        def copy() -> None:
            with server.cursor() as cursor, cursor.copy(f"COPY {_COPY} FROM STDIN") as stream:
                for block in blocks:
                    stream.write(block)

        return timed(copy, clock=database.busy_clock(server))


def _bulk_create(tenant: UUID, account: UUID) -> float:
    """Insert finished objects for another account; only the inserting counts."""
    with bound(tenant, actor=house.ACTOR):
        found = list(BankEntry.objects.exclude(account_id=account).order_by("id"))
        for entry in found:
            entry.pk, entry.account_id = uuid7(), account

    def insert() -> None:
        with bound(tenant, actor=house.ACTOR):
            BankEntry.objects.bulk_create(found, batch_size=_BATCH_ROWS, ignore_conflicts=True)

    return timed(insert, clock=database.busy_clock())
