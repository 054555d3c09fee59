"""Make demo tenants: people, static data, a year of statements, two weeks of plans, a need."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from core import clock
from core.changes.services import open_tenant
from core.errors import Invalid
from core.tenancy import bound
from liquidity.services.forecasting import run_daily_forecast
from risk.services.measuring import measure_risk
from tms.demo import (
    dealing,
    fixings,
    history,
    payees,
    people,
    plans,
    pooling,
    pricing,
    statics,
    sweeping,
    valuing,
)
from tms.demo.accounts import DemoAccount, demo_accounts
from tms.demo.places import (
    PEOPLE_FACTS,
    PEOPLE_TEXT,
    TENANTS_MAX,
    bank_place,
    people_facts,
    refuse_outside_demo,
    slug_of,
)
from tms.demo.roll import as_roll, private_file
from tms.ops.tenants import all_tenants
from treasury.selectors import accounts as treasury_accounts
from treasury.services import pools

QUICK_DAYS: Final = 35
DAYS_DEFAULT: Final = 365
RISK_DAYS: Final = 10
ACTOR: Final = "system:demo"
TOKENS_FRESH_SECONDS: Final = 12 * 3_600
COMPLETE: Final = "complete"
RECENT: Final = "recent"
BEGUN: Final = "begun"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What demo is wanted."""

    tenants: int = 1
    seed: int = 7
    days: int = DAYS_DEFAULT


@dataclass(slots=True, kw_only=True)
class Seeded:
    """A tenant as it was seeded; kept in a file, so that an interrupted seeding goes on."""

    slug: str
    tenant: str
    name: str
    seed: int
    days: int
    until: str
    stage: str
    bank_url: str
    bank_home: str
    made_at: str
    tokens_at: str
    people: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What seeding did."""

    tenants: list[dict[str, Any]]
    made: tuple[str, ...]
    kept: tuple[str, ...]
    seconds: float


def seed_demo(*, wish: Wish, say: Say) -> Report:
    """Make the demo tenants that are missing, finish unfinished ones, refresh the others.

    Raises:
        Forbidden: not a local or test system.
        Invalid: a number out of range.
        HistoryNotWritten, BankRefused: the sandbox bank does not play along.
    """
    refuse_outside_demo()
    _check(wish)
    started = time.monotonic()
    known = {one["slug"]: Seeded(**one) for one in people_facts().get("tenants", [])}
    present = {tenant.slug for tenant in all_tenants()}
    made: list[str] = []
    kept: list[str] = []
    rows: list[Seeded] = []
    for number in range(1, wish.tenants + 1):
        slug = slug_of(number)
        row = known.get(slug) if slug in present else None
        if row is None and slug in present:
            raise Invalid(
                f"The tenant {slug} exists, but not from a seeding here.", field="tenants"
            )
        (kept if row and row.stage == COMPLETE else made).append(slug)
        rows.append(row or _begin(number, wish))
        _write_roll(rows, known)
        _finish(rows[-1], number, lambda: _write_roll(rows, known), say)
    _write_roll(rows, known)
    return Report(
        tenants=[asdict(row) for row in rows],
        made=tuple(made),
        kept=tuple(kept),
        seconds=round(time.monotonic() - started, 1),
    )


def _check(wish: Wish) -> None:
    if not 1 <= wish.tenants <= TENANTS_MAX:
        raise Invalid(f"Make 1 to {TENANTS_MAX} tenants.", field="tenants")
    if not 1 <= wish.days <= 3_660:  # noqa: PLR2004 - the bank's own limit
        raise Invalid("A past has 1 to 3660 days.", field="days")


def is_complete(*, tenants: int) -> bool:
    """Return whether that many demo tenants are there, completely."""
    rows = people_facts().get("tenants", [])
    complete = {row["slug"] for row in rows if row["stage"] == COMPLETE}
    wanted = {slug_of(number) for number in range(1, tenants + 1)}
    return wanted <= complete and wanted <= {tenant.slug for tenant in all_tenants()}


@transaction.atomic
def _begin(number: int, wish: Wish) -> Seeded:
    """Make tenant, static data and people, then open it; all of it or nothing."""
    place, slug, now = bank_place(number), slug_of(number), clock.now()
    tenant = statics.make_tenant(slug=slug, number=number)
    with bound(tenant, actor=ACTOR, reason="a demo tenant"):
        ids = statics.make_static_data(
            accounts=demo_accounts(number),
            place=place,
            tenant_number=number,
            secret=settings.TMS_BANK_HTTP_SECRET,
        )
        sweeping.make_sweeps(accounts=demo_accounts(number), ids=ids, today=now.date())
        pooling.make_pools(accounts=demo_accounts(number), ids=ids)
        pricing.take_the_past(now=now)
        pricing.tick(now=now)
        cast = people.create_people(seed=wish.seed)
        payees.make_payees()
        sweeping.make_line(accounts=demo_accounts(number), ids=ids)
        dealing.make_counterparties()
        valuing.make_month(now=now, with_fixings=wish.days >= fixings.HISTORY_DAYS_MIN)
        dealing.make_deals()
        dealing.make_settlements(cast)
        open_tenant(actor=None)
    return Seeded(
        slug=slug,
        tenant=str(tenant),
        name="Demo Remit" if number == 1 else f"Demo Remit {number}",
        seed=wish.seed,
        days=wish.days,
        until=history.yesterday().isoformat(),
        stage=BEGUN,
        bank_url=place.base_url,
        bank_home=str(place.home),
        made_at=now.isoformat(),
        tokens_at=now.isoformat(),
        people=[one.as_json() for one in cast],
    )


def _finish(row: Seeded, number: int, store: Callable[[], None], say: Say) -> None:
    """Go on from the stage that was reached; every step may be repeated."""
    accounts, tenant = demo_accounts(number), UUID(row.tenant)
    if row.stage != COMPLETE:
        _take_in_the_past(row, number, accounts, store, say)
    keep_fresh(tenant=tenant, accounts=accounts, seed=row.seed, now=clock.now())
    _renew_tokens(row, tenant)


def _take_in_the_past(
    row: Seeded,
    number: int,
    accounts: list[DemoAccount],
    store: Callable[[], None],
    say: Say,
) -> None:
    place, tenant = bank_place(number), UUID(row.tenant)
    running = place.client().answers()
    until = date.fromisoformat(row.until)
    span = history.Span(until=until, days=row.days, seed=row.seed)
    _let_commits_be_quick()
    with bound(tenant, actor=ACTOR):
        described = fixings.paid_by_bank(accounts)
    with history.written_past(described, span, book=None if running else place.home) as past:
        say(f"{row.slug}: the bank wrote {len(past.recent) + len(past.older):,} statements")
        took = history.take_in(past.recent, tenant=tenant, progress=_progress(row, "recent", say))
        say(f"{row.slug}: the last weeks are in the books after {took.seconds} s")
        with bound(tenant, actor=ACTOR, reason="a demo tenant"):
            fixings.take_receipts()
        if running:
            say(f"{row.slug}: accounts at the bank {history.load_book(place, past)}")
        made = keep_fresh(tenant=tenant, accounts=accounts, seed=row.seed, now=clock.now())
        say(f"{row.slug}: {made}")
        row.stage = RECENT
        store()
        took = history.take_in(past.older, tenant=tenant, progress=_progress(row, "older", say))
        say(f"{row.slug}: the time before is in the books after {took.seconds} s")
    if past.older:
        say(f"{row.slug}: {forecast(tenant=tenant, now=clock.now())}")
    say(f"{row.slug}: {measure(tenant=tenant, now=clock.now())}")
    say(f"{row.slug}: {pools.pair_all(tenant=tenant)} sweeps of the bank are lent money")
    history.seal_all(tenant=tenant)
    row.stage = COMPLETE
    store()


def keep_fresh(*, tenant: UUID, accounts: list[DemoAccount], seed: int, now: datetime) -> str:
    """Bring rates, plans and forecast of a demo tenant up to date; say what there was to do."""
    with bound(tenant, actor=ACTOR, reason="the demo is kept fresh"):
        rates = pricing.tick(now=now) + valuing.keep_curves(now=now)
        ids = {account.number: account.pk for account in treasury_accounts.accounts()}
        planned = plans.plan_ahead(accounts=accounts, ids=ids, seed=seed, now=now)
    words = f"{rates} rates, {planned.plans_new} plans, {planned.patterns_new} patterns"
    if not planned.plans_new:
        return f"nothing to refresh ({words} new)"
    return f"{words}; {forecast(tenant=tenant, now=now)}"


def forecast(*, tenant: UUID, now: datetime) -> str:
    """Run the daily forecast and let everybody hear of it; say what it sees."""
    with bound(tenant, actor=ACTOR, reason="the demo's forecast"):
        run = run_daily_forecast(now=now).run
    history.settle_events(tenant=tenant)
    with bound(tenant, actor=ACTOR, reason="the demo's suggestions"):
        dealing.make_suggestions(now=now)
    return f"{run.shortfalls_count} of {run.accounts_count} accounts will run short"


def measure(*, tenant: UUID, now: datetime) -> str:
    """Measure the accounts as on each of the last days and today; say how many have a figure."""
    with bound(tenant, actor=ACTOR, reason="the demo's risk"):
        for back in range(RISK_DAYS, 0, -1):
            measure_risk(now=now, day=now.date() - timedelta(days=back))
        run = measure_risk(now=now).run
    history.settle_events(tenant=tenant)
    return f"{run.measured_count} of {run.accounts_count} accounts have a value at risk"


def refresh_all() -> Report:
    """Refresh every demo tenant that is complete."""
    started = time.monotonic()
    rows = [Seeded(**facts) for facts in people_facts().get("tenants", [])]
    for number, row in enumerate(rows, start=1):
        if row.stage == COMPLETE:
            _finish(row, number, lambda: None, lambda _text: None)
    _write_roll(rows, {})
    return Report(
        tenants=[asdict(row) for row in rows],
        made=(),
        kept=tuple(row.slug for row in rows),
        seconds=round(time.monotonic() - started, 1),
    )


def _renew_tokens(row: Seeded, tenant: UUID) -> None:
    now = clock.now()
    if (now - datetime.fromisoformat(row.tokens_at)).total_seconds() < TOKENS_FRESH_SECONDS:
        return
    with bound(tenant, actor=ACTOR):
        tokens = people.fresh_tokens([one["username"] for one in row.people])
    for one in row.people:
        one["access"], one["refresh"] = tokens.get(one["username"], ("", ""))
    row.tokens_at = now.isoformat()


def _let_commits_be_quick() -> None:
    """Do not wait for the disk at every commit: what a power cut would lose is seeded again."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")


def _progress(row: Seeded, name: str, say: Say) -> history.Progress:
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 2:  # noqa: PLR2004 - seconds between two lines
            last = time.monotonic()
            say(f"{row.slug}: {name} statements {done:,} of {total:,}")

    return tell


def _write_roll(rows: list[Seeded], known: dict[str, Seeded]) -> None:
    """Write people and state, readable for nobody else, tenants of earlier seedings included."""
    slugs = {row.slug for row in rows}
    every = [*rows, *(row for slug, row in known.items() if slug not in slugs)]
    facts = {"tenants": [asdict(row) for row in every]}
    home = Path(settings.TMS_HOME)
    private_file(home / PEOPLE_FACTS, json.dumps(facts, indent=1) + os.linesep)
    private_file(home / PEOPLE_TEXT, as_roll(facts))
