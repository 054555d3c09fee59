"""Lists on the desk and in the admin over 5,000,000 entries (quick: 100,000).

Each entry has its observation and each account its days; there are a fiftieth as many proposals
with transfers. The rows are written as the server's administrator, with the triggers asleep.

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
from benchmarks.measure import Clock, Contestant, Report, Role, race, timed
from core import clock
from core.identity.models import User
from core.identity.views import BACKEND
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import bound
from treasury.models import BankEntry, Proposal, Statement, Transfer
from treasury.services.days import rebuild_days

REPEATS = 5
DAYS = 365
GOAL_SECONDS = 0.3
TODAY = house.NOW.date()
_TABLES = (
    "core_tenant",
    "core_user",
    "integrations_bankconnection",
    "treasury_bank",
    "treasury_bankaccount",
    "treasury_legalentity",
    "treasury_statementbalance",
    "treasury_newestbalance",
    "integrations_message",
    "treasury_statement",
    "treasury_bankentry",
    "treasury_entryobservation",
    "treasury_daymovement",
    "treasury_dailybalance",
    "treasury_proposal",
    "treasury_transfer",
)
_CURRENCIES = ("USD", "EUR", "GBP", "SGD", "INR")

_MESSAGES = """
INSERT INTO integrations_message (id, tenant_id, direction, connection_id, kind, name, body, sha256,
    size_bytes, state, reason, created_at, seen_count, put_away, handled_at, rail, reference,
    message_reference, attempt, attempts, enquiries, fence, bank_receipt, routed_account)
SELECT md5('message' || a.id::text || d)::uuid, a.tenant_id, 'IN', l.id, 'camt.053',
       'day' || d || '_' || a.number_hint, '\\x3c', md5(a.id::text || d) || md5(d::text), 1,
       'HANDLED', '', day, 1, '', day, '', '', '', 0, 0, 0, 0, '{{}}', ''
  FROM treasury_bankaccount a, integrations_bankconnection l, generate_series(1, {days}) d,
       LATERAL (SELECT date '{today}' - d + interval '23 hours' AS day) x;
INSERT INTO treasury_statement (id, tenant_id, account_id, source, statement_ref, sequence, version,
    page, message_id, message_sha256, content_sha256, locator, statement_date, period_start,
    period_end, received_at, opening, closing, entries_count, state, proof, flags, reason)
SELECT gen_random_uuid(), a.tenant_id, a.id, 'CAMT053', 'S' || d, d, 1, 0,
       md5('message' || a.id::text || d)::uuid, '',
       md5(a.id::text || d), 'line 1', day, day, day, day + interval '23 hours', 0, 0, {each},
       CASE WHEN d % 97 = 0 THEN 'QUARANTINED' ELSE 'POSTED' END, 'PROVEN', '{{}}', ''
  FROM treasury_bankaccount a, generate_series(1, {days}) d,
       LATERAL (SELECT date '{today}' - d AS day) x;
"""
_BALANCES = """
INSERT INTO treasury_statementbalance (id, tenant_id, statement_id, account_id, code, amount,
    credit_line_included, on_date, as_of)
SELECT gen_random_uuid(), tenant_id, id, account_id, 'CLBD', 1000 + sequence, 0, statement_date,
       received_at FROM treasury_statement;
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
_OBSERVATIONS = """
INSERT INTO treasury_entryobservation (id, tenant_id, entry_id, statement_id, status, locator)
SELECT gen_random_uuid(), tenant_id, id, statement_id, status, locator FROM treasury_bankentry;
"""
# Most payments are done with; some are open.
_PAYMENTS = """
INSERT INTO treasury_proposal (id, tenant_id, reference, version, purpose, debit_account_id,
    credit_account_id, amount, currency, rail, charge_bearer, value_date, cutoff_at, state,
    maker_label, why, content_hash, order_seal, created_at, closing_reason)
SELECT md5('proposal' || n)::uuid, a.tenant_id, 'P' || n, 1, 'MANUAL', a.id, a.other, n, 'USD',
       'FEDWIRE', 'DEBT', day, day + interval '17 hours',
       CASE WHEN n % 200 = 0 THEN 'SENT' WHEN n % 201 = 0 THEN 'PENDING' ELSE 'SETTLED' END,
       'Maker', 'Prefunding', md5('proposal' || n), '', day, ''
  FROM generate_series(1, {payments}) n,
       LATERAL (SELECT id, tenant_id, lead(id, 1, id) OVER (ORDER BY id) AS other,
                       row_number() OVER (ORDER BY id) AS place FROM treasury_bankaccount) a,
       LATERAL (SELECT date '{today}' - n % {days} AS day) x
 WHERE a.place = 1 + n % ({accounts} - 1);
INSERT INTO treasury_transfer (id, tenant_id, proposal_id, end_to_end_id, uetr, attempt,
    bank_status, bank_status_rank, bank_reference, reason_code, created_at, sent_at)
SELECT md5('transfer' || id::text)::uuid, tenant_id, id, 'T' || reference, overlay(overlay(
       md5(id::text)::uuid::text PLACING '4' FROM 15) PLACING 'a' FROM 20), 1, 'ACSC', 5, '', '',
       created_at, created_at
  FROM treasury_proposal WHERE state <> 'PENDING';
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
        sizes = {"accounts": accounts, "each": each, "days": DAYS, "today": TODAY}
        sizes["payments"] = accounts * each * DAYS // 50
        for statement in (_MESSAGES, _BALANCES, _ENTRIES, _OBSERVATIONS, _PAYMENTS):
            server.execute(statement.format(**sizes))
    with bound(built.tenant, actor=house.ACTOR):
        rebuild_days()
    database.analyse(_TABLES)
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
        transfer = Transfer.objects.filter(proposal__state="SETTLED").order_by("id").first()
        proposal = Proposal.objects.filter(state="SETTLED").order_by("id").first()
    assert entry is not None
    assert transfer is not None
    assert proposal is not None
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
        "proposals, closed": f"{reverse('treasury:proposals')}?show=closed",
        "one proposal": reverse("treasury:proposal", args=[proposal.pk]),
        "transfers": reverse("treasury:transfers"),
        "transfers, closed": f"{reverse('treasury:transfers')}?show=closed",
        "transfers by UETR": f"{reverse('treasury:transfers')}?show=all&reference={transfer.uetr}",
        "one account": reverse("treasury:account", args=[entry.account_id]),
        "position": reverse("treasury:position"),
        "proofs": reverse("treasury:proofs"),
        "admin: entries": admin_entries,
        "admin: entries, page 50": f"{admin_entries}?p=50",
        "admin: entries by end-to-end id": f"{admin_entries}?q={entry.end_to_end_id}",
        "admin: entries kept aside": f"{admin_entries}?state__exact=HELD",
        "admin: one entry": reverse("admin:treasury_bankentry_change", args=[entry.pk]),
        "admin: statements": admin_statements,
        "admin: one statement": reverse("admin:treasury_statement_change", args=[statement.pk]),
        "admin: proposals": reverse("admin:treasury_proposal_changelist"),
        "admin: one proposal": reverse("admin:treasury_proposal_change", args=[proposal.pk]),
        "admin: transfers": reverse("admin:treasury_transfer_changelist"),
        "admin: one transfer": reverse("admin:treasury_transfer_change", args=[transfer.pk]),
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
    busy = database.all_busy_clock()
    contestants = [
        _contestant(name, "ours" if name == "entries" else "part", opened(address), busy)
        for name, address in pages.items()
    ]
    contestants.append(_contestant("SELECT of fifty entries", "limit", select, busy))
    found = race(contestants, repeats=REPEATS)
    late = [row.name for row in found if row.role != "limit" and row.seconds > GOAL_SECONDS]
    return Report(
        name="pages",
        what=f"{entries:,} entries, {entries // DAYS:,} a day; goal {GOAL_SECONDS * 1000:.0f} ms",
        clock="processor (client and server)",
        repeats=REPEATS,
        rows=found,
        notes=(f"above the goal: {', '.join(late) or 'none'}",),
    )


def _contestant(name: str, role: Role, work: Callable[[], None], busy: Clock) -> Contestant:
    return Contestant(name=name, role=role, work=lambda: timed(work, clock=busy))
