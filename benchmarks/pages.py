"""Lists on the desk and in the admin over 5,000,000 entries (quick: 100,000).

Ours: the server's answer to a page as a signed-in person asks for it: session, rights, queries and
template. Every page is to stay below 300 ms of the server's time.
Limit: the bare SELECT of the fifty newest entries with their accounts.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from benchmarks import database, house
from benchmarks.measure import WALL, Contestant, Report, Role, race, timed
from core import clock
from core.identity.models import User
from core.identity.views import BACKEND
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import bound
from treasury.models import BankEntry, Statement

REPEATS = 5
DAYS = 365
GOAL_SECONDS = 0.3
TODAY = house.NOW.date()
_CURRENCIES = ("USD", "EUR", "GBP", "SGD", "INR")

_MESSAGES = """
INSERT INTO integrations_message (id, tenant_id, direction, connection_id, kind, name, body, sha256,
    size_bytes, state, reason, created_at, seen_count, put_away, handled_at, rail, reference,
    message_reference, attempt, attempts, enquiries, fence, bank_receipt, routed_account)
SELECT gen_random_uuid(), a.tenant_id, 'IN', l.id, 'camt.053', 'day' || d || '_' || a.number_hint,
       '\\x3c', md5(a.id::text || d) || md5(d::text), 1, 'HANDLED', '', day, 1, '', day, '', '', '',
       0, 0, 0, 0, '{{}}', ''
  FROM treasury_bankaccount a, integrations_bankconnection l, generate_series(1, {days}) d,
       LATERAL (SELECT date '{today}' - d + interval '23 hours' AS day) x;
INSERT INTO treasury_statement (id, tenant_id, account_id, source, statement_ref, sequence, version,
    page, message_id, message_sha256, content_sha256, locator, statement_date, period_start,
    period_end, received_at, opening, closing, entries_count, state, proof, flags, reason)
SELECT gen_random_uuid(), a.tenant_id, a.id, 'CAMT053', 'S' || d, d, 1, 0, gen_random_uuid(), '',
       md5(a.id::text || d), 'line 1', day, day, day, day + interval '23 hours', 0, 0, {each},
       CASE WHEN d % 97 = 0 THEN 'QUARANTINED' ELSE 'POSTED' END, 'PROVEN', '{{}}', ''
  FROM treasury_bankaccount a, generate_series(1, {days}) d,
       LATERAL (SELECT date '{today}' - d AS day) x;
"""
_ENTRIES = """
INSERT INTO treasury_bankentry (id, tenant_id, account_id, identity, identity_rule, occurrence,
    amount, booking_date, value_date, status, state, best_source, is_reversal, bank_reference,
    end_to_end_id, uetr, transaction_code, counterparty, remittance, return_reason, statement_id,
    locator, first_seen_at, announced_at)
SELECT gen_random_uuid(), tenant_id, account_id, content_sha256 || to_char(n, 'FM0000000'),
       'REFERENCE', 1, (sequence * 7 + n) % 900 - 450 + 0.25, statement_date,
       statement_date + (n % 3)::int, CASE WHEN n % 997 = 0 THEN 'PDNG' ELSE 'BOOK' END,
       CASE WHEN n % 991 = 0 THEN 'HELD' ELSE 'COUNTED' END, 'CAMT053', false, 'BK' || sequence,
       CASE WHEN n % 2 = 0 THEN 'E2E' || sequence || '-' || n || '-' || left(id::text, 8)
            ELSE '' END,
       '', 'PMNT/RCDT/ESCT', 'Customer ' || n, 'Invoice ' || n, '', id, 'line 2', received_at,
       received_at
  FROM treasury_statement, generate_series(1, {each}) n
 ORDER BY statement_date;
"""


def run(*, quick: bool) -> Iterator[Report]:
    """Yield the report."""
    accounts, each = (20, 14) if quick else (200, 69)
    with tempfile.TemporaryDirectory() as folder, clock.frozen(house.NOW):
        built = _load(Path(folder), accounts=accounts, each=each)
        yield _race(built, entries=accounts * each * DAYS)


def _load(folder: Path, *, accounts: int, each: int) -> house.House:
    built = house.build(folder)
    with bound(built.tenant, actor=house.ACTOR):
        bank = house.make_bank("DBSSSGSGXXX", "Bank of many accounts")
        for number in range(accounts):
            currency = _CURRENCIES[number % len(_CURRENCIES)]
            house.open_account(built, bank, number=f"{10**9 + number}", currency=currency)
    with database.administrator() as server:
        # Rows for the pages to find; writing them is another benchmark's business.
        server.execute("SET session_replication_role = replica")
        for statement in (_MESSAGES, _ENTRIES):
            server.execute(statement.format(days=DAYS, today=TODAY, each=each))
    tables = ("integrations_message", "treasury_statement", "treasury_bankentry")
    database.analyse(tables)
    return built


def _client(person: User) -> Client:
    client = Client(SERVER_NAME="localhost")
    with bound(person.tenant_id, actor=house.ACTOR):
        client.force_login(person, backend=BACKEND)
    session = client.session
    session[TENANT_SESSION_KEY] = str(person.tenant_id)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


def _pages(tenant: UUID) -> dict[str, str]:
    with bound(tenant, actor=house.ACTOR):
        entry = BankEntry.objects.exclude(end_to_end_id="").order_by("value_date").first()
        statement = Statement.objects.order_by("statement_date").first()
    assert entry is not None
    assert statement is not None
    entries, statements = reverse("treasury:entries"), reverse("treasury:statements")
    admin_entries = reverse("admin:treasury_bankentry_changelist")
    admin_statements = reverse("admin:treasury_statement_changelist")
    month = f"since={TODAY.replace(day=1)}"
    return {
        "entries": entries,
        "entries of an account": f"{entries}?account={entry.account_id}",
        "entries of an amount in a month": f"{entries}?amount=12.25&{month}",
        "entries by end-to-end id": f"{entries}?reference={entry.end_to_end_id}",
        "entries kept aside": f"{entries}?state=HELD",
        "entries of a year ago": f"{entries}?until={entry.value_date}",
        "one entry": reverse("treasury:entry", args=[entry.pk]),
        "statements": statements,
        "statements kept aside": f"{statements}?state=QUARANTINED",
        "one statement": reverse("treasury:statement", args=[statement.pk]),
        "messages": reverse("integrations:messages"),
        "quarantine": reverse("integrations:quarantine"),
        "connectivity": reverse("integrations:connections"),
        "proposals": reverse("treasury:proposals"),
        "transfers": reverse("treasury:transfers"),
        "admin: entries": admin_entries,
        "admin: entries, page 50": f"{admin_entries}?p=50",
        "admin: entries by end-to-end id": f"{admin_entries}?q={entry.end_to_end_id}",
        "admin: entries kept aside": f"{admin_entries}?state__exact=HELD",
        "admin: one entry": reverse("admin:treasury_bankentry_change", args=[entry.pk]),
        "admin: statements": admin_statements,
        "admin: messages": reverse("admin:integrations_message_changelist"),
        "admin: audit trail": reverse("admin:core_auditentry_changelist"),
    }


def _race(built: house.House, *, entries: int) -> Report:
    client = _client(built.maker)
    staff = _client(house.auditor(built))

    def opened(address: str) -> Callable[[], None]:
        asking = staff if address.startswith("/admin/") else client

        def work() -> None:
            answer = asking.get(address)
            assert answer.status_code == 200, (address, answer.status_code)

        return work

    def select() -> None:
        with bound(built.tenant, actor=house.ACTOR), connection.cursor() as cursor:
            cursor.execute(
                "SELECT e.*, a.* FROM treasury_bankentry e"
                " JOIN treasury_bankaccount a ON a.id = e.account_id"
                " ORDER BY e.tenant_id, e.value_date DESC, e.id DESC LIMIT 50"
            )
            assert len(cursor.fetchall()) == 50

    pages = _pages(built.tenant)
    contestants = [
        _contestant(name, "ours" if name == "entries" else "part", opened(address))
        for name, address in pages.items()
    ]
    contestants.append(_contestant("SELECT of fifty entries", "limit", select))
    found = race(contestants, repeats=REPEATS)
    late = [row.name for row in found if row.role != "limit" and row.seconds > GOAL_SECONDS]
    return Report(
        name="pages",
        what=f"{entries:,} entries, {entries // DAYS:,} a day; goal {GOAL_SECONDS * 1000:.0f} ms",
        clock="wall",
        repeats=REPEATS,
        rows=found,
        notes=(f"above the goal: {', '.join(late) or 'none'}",),
    )


def _contestant(name: str, role: Role, work: Callable[[], None]) -> Contestant:
    return Contestant(name=name, role=role, work=lambda: timed(work, clock=WALL))
