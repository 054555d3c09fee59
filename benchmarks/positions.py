"""Positions of 1,000 accounts with a year of daily statements (quick: 100 accounts, 90 days).

Ours: `treasury.selectors.positions.positions`: the newest stated balance of every account with its
source and age, what moved since by value date, what is pending and expected, as typed records.
Peer: Django's `Sum` over all booked entries per account, the position a reporting script would take
(no statement, no age, no pending or expected money).
Limit: SELECT of rows that hold the finished answer already, one per account.
"""

import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from benchmarks import database, house
from benchmarks.measure import Clock, Contestant, Report, Role, race, timed
from core import clock
from core.tenancy import bound
from treasury.models import BankEntry, BookingStatus, EntryState
from treasury.selectors import positions

REPEATS = 7
TODAY = house.NOW.date()
_CURRENCIES = ("USD", "EUR", "GBP", "SGD", "INR")
_READY = "bench_position"

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


def run(*, quick: bool) -> Iterator[Report]:
    """Yield the report."""
    accounts, days = (100, 90) if quick else (1_000, 365)
    with tempfile.TemporaryDirectory() as folder, clock.frozen(house.NOW):
        tenant = _load(Path(folder), accounts=accounts, days=days)
        yield _race(tenant, accounts=accounts, days=days)
    with database.administrator() as server:
        server.execute(f"DROP TABLE {_READY}")


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
        server.execute(_LOAD.format(days=days, today=TODAY))
    database.analyse(["treasury_statement", "treasury_statementbalance", "treasury_bankentry"])
    return built.tenant


def _race(tenant: UUID, *, accounts: int, days: int) -> Report:
    with bound(tenant, actor=house.ACTOR):
        found = positions.positions(on=TODAY)
        assert len(found) == accounts
        assert all(one.balance == Decimal(1001) for one in found)
    _make_ready(tenant)
    busy = database.busy_clock()

    def ours() -> None:
        with bound(tenant, actor=house.ACTOR):
            assert len(positions.positions(on=TODAY)) == accounts

    def totals() -> None:
        with bound(tenant, actor=house.ACTOR):
            assert len(positions.totals(on=TODAY).currencies) == len(_CURRENCIES)

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
        _contestant("positions", "ours", ours, accounts, busy),
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
