"""Positions of 10,000 accounts with a year of daily entries (quick: 100 accounts, 90 days).

Ours: what all entries of every account come to by value date, from the daily balances that the
database keeps with every entry. Peer: Django's `Sum` over the entries, the same figures added up
when asked. Limit: SELECT of rows that hold the answer, one per account.
Part: `positions`: the newest stated balance of every account with its source and age, what moved
since by value date, what is pending and expected, as typed records.
A second report books 1,000 entries back and compares with adding all days up anew; both are run at
a hundredth, a tenth and the whole of the accounts, to show how cost grows.
"""

import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum

from benchmarks import database, house
from benchmarks.measure import Clock, Contestant, Report, Role, race, timed
from core import clock
from core.tenancy import bound
from treasury.models import BankEntry, BookingStatus, EntryState
from treasury.selectors import positions
from treasury.selectors.ledger import booked_sums
from treasury.services.days import rebuild_days

REPEATS = 5
BACK_VALUED = 1_000
TODAY = house.NOW.date()
_CURRENCIES = ("USD", "EUR", "GBP", "SGD", "INR")
_READY = "bench_position"
_LOADED = (
    "treasury_statement",
    "treasury_statementbalance",
    "treasury_bankentry",
    "treasury_daymovement",
    "treasury_dailybalance",
)

# One statement, one closing balance and one entry a day; the last day has no statement yet.
_LOAD = """
INSERT INTO treasury_statement (id, tenant_id, account_id, source, statement_ref, sequence, version,
    page, message_id, message_sha256, content_sha256, locator, statement_date, period_start,
    period_end, received_at, opening, closing, entries_count, state, proof, flags, reason)
SELECT gen_random_uuid(), a.tenant_id, a.id, 'CAMT053', 'S' || d, d, 1, 0, gen_random_uuid(), '',
       md5(a.id::text || d), 'line 1', day, day, day, day + interval '23 hours', 0, 0, 1, 'POSTED',
       'PROVEN', '{{}}', ''
  FROM treasury_bankaccount a, generate_series(1, {days}) d,
       LATERAL (SELECT date '{today}' - d AS day) x;
INSERT INTO treasury_statementbalance (id, tenant_id, statement_id, account_id, code, amount,
    credit_line_included, on_date, as_of)
SELECT gen_random_uuid(), tenant_id, id, account_id, 'CLBD', 1000 + sequence, 0, statement_date,
       received_at FROM treasury_statement;
INSERT INTO treasury_bankentry (id, tenant_id, account_id, identity, identity_rule, occurrence,
    amount, booking_date, value_date, status, state, best_source, is_reversal, bank_reference,
    end_to_end_id, uetr, transaction_code, counterparty, remittance, return_reason, statement_id,
    locator, first_seen_at, announced_at)
SELECT gen_random_uuid(), tenant_id, account_id, content_sha256, 'REFERENCE', 1,
       (sequence % 900) - 450 + 0.25, statement_date, statement_date + (sequence % 3)::int,
       'BOOK', 'COUNTED', 'CAMT053', false, 'BK' || sequence, '', '', 'PMNT/RCDT/ESCT',
       'Somebody', 'Invoice', '', id, 'line 2', received_at, received_at FROM treasury_statement;
"""


_BACK = """
INSERT INTO treasury_bankentry (id, tenant_id, account_id, identity, identity_rule, occurrence,
    amount, booking_date, value_date, status, state, best_source, is_reversal, bank_reference,
    end_to_end_id, uetr, transaction_code, counterparty, remittance, return_reason, statement_id,
    locator, first_seen_at, announced_at)
SELECT gen_random_uuid(), e.tenant_id, e.account_id, gen_random_uuid()::text, 'REFERENCE', 1, 1,
       e.booking_date, e.value_date - 60, 'BOOK', 'COUNTED', 'CAMT053', false, 'BACK', '', '', '',
       '', '', '', e.statement_id, '', e.first_seen_at, e.announced_at
  FROM (SELECT * FROM treasury_bankentry
         WHERE bank_reference IN ('BK1', 'BK2', 'BK3', 'BK4', 'BK5', 'BK6', 'BK7', 'BK8', 'BK9',
                                  'BK10') ORDER BY id LIMIT %s) e
"""


def run(*, quick: bool) -> Iterator[Report]:
    """Yield the reports of each size."""
    accounts, days = (100, 90) if quick else (10_000, 365)
    for share in (10, 1) if quick else (100, 10, 1):
        with tempfile.TemporaryDirectory() as folder, clock.frozen(house.NOW):
            tenant = _load(Path(folder), accounts=accounts // share, days=days)
            yield _race(tenant, accounts=accounts // share, days=days)
            yield _back_value(tenant, accounts=accounts // share, days=days)
        with database.administrator() as server:
            server.execute(f"DROP TABLE {_READY}")


def _back_value(tenant: UUID, *, accounts: int, days: int) -> Report:
    """Book entries with value dates of two months before, and take them back each time."""
    busy = database.busy_clock()

    def book() -> float:
        with bound(tenant, actor=house.ACTOR), connection.cursor() as cursor:
            taken = timed(lambda: cursor.execute(_BACK, [BACK_VALUED]), clock=busy)
            transaction.set_rollback(True)
        return taken

    def insert_only() -> float:
        with database.administrator() as server, server.transaction(force_rollback=True):
            server.execute("SET LOCAL session_replication_role = replica")
            own = database.busy_clock(server)
            return timed(lambda: server.execute(_BACK, [BACK_VALUED]), clock=own)

    def rebuild() -> float:
        with bound(tenant, actor=house.ACTOR):
            taken = timed(rebuild_days, clock=busy)
            transaction.set_rollback(True)
        return taken

    contestants = (
        Contestant(name="insert 1,000 back-valued", role="ours", work=book),
        Contestant(name="  of which the entries alone", role="part", work=insert_only),
        Contestant(name="rebuild all days", role="peer", work=rebuild),
    )
    return Report(
        name="positions: back value",
        what=f"{BACK_VALUED:,} entries into {accounts:,} accounts × {days} days",
        clock="processor (client and server)",
        repeats=REPEATS,
        rows=race(contestants, repeats=REPEATS),
    )


def _load(folder: Path, *, accounts: int, days: int) -> UUID:
    built = house.build(folder)
    with bound(built.tenant, actor=house.ACTOR):
        bank = house.make_bank("DBSSSGSGXXX", "Bank of many accounts")
        for number in range(accounts):
            currency = _CURRENCIES[number % len(_CURRENCIES)]
            house.open_account(built, bank, number=f"{10**9 + number}", currency=currency)
    with database.administrator() as server:
        # Rows for the reader to find; writing them is another benchmark's business.
        server.execute("SET session_replication_role = replica")
        server.execute("SET maintenance_work_mem = '512MB'")
        server.execute("SELECT set_config('app.tenant', %s, false)", [str(built.tenant)])
        with database.indexed_afterwards(server, _LOADED):
            server.execute(_LOAD.format(days=days, today=TODAY))
        # The same function as `rebuild_days` calls; the race begins by comparing its sums.
        server.execute("SELECT treasury_rebuild_days()")
    database.analyse(_LOADED)
    return built.tenant


def _race(tenant: UUID, *, accounts: int, days: int) -> Report:
    with bound(tenant, actor=house.ACTOR):
        found = positions.positions(on=TODAY)
        assert len(found) == accounts
        assert all(one.balance == Decimal(1001) for one in found)
        counted = BankEntry.objects.filter(state="COUNTED", status="BOOK", value_date__lte=TODAY)
        added = counted.order_by().values_list("account_id").annotate(total=Sum("amount"))
        assert booked_sums(on=TODAY) == dict(added), "equal figures, or no race"
    _make_ready(tenant)
    busy = database.busy_clock()

    def sums() -> None:
        with bound(tenant, actor=house.ACTOR):
            assert len(booked_sums(on=TODAY)) == accounts

    def records() -> None:
        with bound(tenant, actor=house.ACTOR):
            assert len(positions.positions(on=TODAY)) == accounts

    def totals() -> None:
        with bound(tenant, actor=house.ACTOR):
            assert len(positions.totals(on=TODAY).currencies) == min(accounts, len(_CURRENCIES))

    def aggregate() -> None:
        with bound(tenant, actor=house.ACTOR):
            booked = BankEntry.objects.filter(
                state=EntryState.COUNTED, status=BookingStatus.BOOK, value_date__lte=TODAY
            )
            sums = booked.order_by().values("account_id").annotate(total=Sum("amount"))
            assert len(sums) == accounts

    def select() -> None:
        with bound(tenant, actor=house.ACTOR), connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {_READY}")
            assert len(cursor.fetchall()) == accounts

    contestants = (
        _contestant("daily balances", "ours", sums, accounts, busy),
        _contestant("positions, full records", "part", records, accounts, busy),
        _contestant("totals per currency", "part", totals, accounts, busy),
        _contestant("ORM Sum per account", "peer", aggregate, accounts, busy),
        _contestant("SELECT of ready rows", "limit", select, accounts, busy),
    )
    return Report(
        name="positions",
        what=f"{accounts:,} accounts × {days} days, {accounts * days:,} entries",
        clock="processor (client and server)",
        repeats=REPEATS,
        rows=race(contestants, repeats=REPEATS),
    )


def _make_ready(tenant: UUID) -> None:
    """Store the finished answer, one row per account with as many columns as ours."""
    with database.administrator() as server:
        server.execute(
            f"CREATE TABLE {_READY} AS SELECT a.id, a.label, a.number_hint, a.currency,"
            " b.name AS bank, e.name AS entity, a.entity_id, s.source, s.id AS statement_id,"
            " s.message_id, s.flags,"
            " s.locator, 'CLBD' AS code, s.received_at, 1001.0 AS balance, 1.5 AS booked,"
            " 0.5 AS pending,"
            " 0.0 AS expected_in, 0.0 AS expected_out, 1002.0 AS projected, 0.0 AS floor,"
            " a.overdraft_limit, false AS is_stale"
            " FROM treasury_bankaccount a JOIN treasury_bank b ON b.id = a.bank_id"
            " JOIN treasury_legalentity e ON e.id = a.entity_id"
            " JOIN treasury_statement s ON s.account_id = a.id AND s.sequence = 1"
            " WHERE a.tenant_id = %s",
            [tenant],
        )
        server.execute(f"GRANT SELECT ON {_READY} TO PUBLIC")


def _contestant(
    name: str, role: Role, work: Callable[[], None], accounts: int, busy: Clock
) -> Contestant:
    return Contestant(
        name=name,
        role=role,
        work=lambda: timed(work, clock=busy),
        units={"accounts/s": accounts},
    )
