"""Many accounts decided in one statement: the very rows that the services write one by one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core import clock, policies
from core.audit.models import AuditEntry
from core.events.models import Delivery, OutboxEvent
from tests.scenes import scene
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import (
    NEW_YORK,
    QUARTER_PAST,
    Sweeping,
    make_mandate,
    read_risk,
    set_policy,
)
from treasury import policies as knobs
from treasury.models import (
    BankAccount,
    BankEntry,
    EntryObservation,
    ExpectedFlow,
    ReferenceCounter,
    Statement,
    SweepDecision,
    SweepEligibility,
    SweepLine,
    SweepMandate,
    SweepOrder,
    SweepProduct,
    Task,
)
from treasury.services import static, sweeps
from treasury.services.flows import FlowIn, put_expected_flow
from treasury.services.sweeps import Batch, batching

D = Decimal
NOW = QUARTER_PAST + timedelta(seconds=1)
# Names that the rows get anew in every run; who they belong to is told by other columns.
NEW_NAMES = {
    "id", "decision_id", "history_id", "history_date", "correlation_id", "trace_id", "event_id",
    "at",
}  # fmt: skip
WRITTEN: tuple[type[models.Model], ...] = (
    SweepDecision,
    SweepOrder,
    SweepOrder.history.model,
    ExpectedFlow,
    OutboxEvent,
    Delivery,
    Task,
    ReferenceCounter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the examples vary about one account; amounts in dollars."""

    balance: str = "1000000.00"
    code: str = "CLAV"
    # By how much the booked balance differs, and what was stated before: balance, code, minutes.
    apart: str = "0"
    before: tuple[str, str, int] | None = None
    age_minutes: int = 0
    payout: str = "800000.00"
    collection: str = "800000.00"
    transfer: str = "0"
    overdue: str = "0"
    floor: str = "0"
    booked: str = "0"
    pending: str = "0"
    announced: bool = False
    var_bps: str | None = "8"
    observations: int = 250
    risk_age_hours: int = 0
    risk_days_back: int = 1
    order_max: str = "5000000"
    day_max: str = "8000000"
    mandate_of: str = "any"
    pays_itself: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the examples vary about everything that the accounts share."""

    knobs: tuple[tuple[Any, str], ...] = ()
    bill: tuple[tuple[str, Any], ...] = ()
    note_for_all: bool = True
    overnight_for_all: bool = True
    at: datetime = NOW
    earlier: bool = False


def amounts(most: int) -> st.SearchStrategy[str]:
    """Return amounts in cents, the round ones often."""
    whole = st.sampled_from(["0", "49999.99", "50000.00", "240000.00", "290000.00", "1000000.00"])
    return whole | st.integers(0, most * 100).map(lambda cents: f"{D(cents) / 100:.2f}")


CASES = st.builds(
    Case,
    balance=amounts(9_000_000) | st.sampled_from(["-5.00", "1000000000000.00"]),
    code=st.sampled_from(["CLAV", "ITAV", "CLBD", "ITBD", "OPBD"]),
    apart=st.sampled_from(["0", "0", "-60000.01", "75000.50"]),
    before=st.none()
    | st.tuples(
        amounts(3_000_000),
        st.sampled_from(["ITAV", "CLAV", "ITBD", "OPAV"]),
        st.sampled_from([0, 5, 1440, 2880]),
    ),
    age_minutes=st.sampled_from([0, 0, 0, 59, 60, 61]),
    payout=amounts(2_000_000),
    collection=amounts(3_000_000),
    transfer=amounts(400_000),
    overdue=amounts(90_000),
    floor=amounts(90_000),
    booked=st.sampled_from(["0", "0", "125000.55", "-75000.10"]),
    pending=st.sampled_from(["0", "0", "-33000.33", "5000.00"]),
    announced=st.booleans(),
    var_bps=st.sampled_from([None, "0", "8", "10", "10.0001", "250.5"]),
    observations=st.sampled_from([99, 100, 250]),
    risk_age_hours=st.sampled_from([0, 0, 0, 36, 37]),
    risk_days_back=st.sampled_from([1, 1, 1, 5, 6, 7]),
    order_max=st.sampled_from(["5000000", "5000000", "300000"]),
    day_max=st.sampled_from(["8000000", "5000000"]),
    mandate_of=st.sampled_from(["any", "any", "TBILL_4W", "FED_RRP", "none"]),
    pays_itself=st.booleans(),
)
KNOBS = st.fixed_dictionaries(
    {},
    optional={
        knobs.LIQ_BUFFER_PCT.key: st.sampled_from(["0", "0.3333333", "1.5"]),
        knobs.VAR_LIMIT_BPS.key: st.sampled_from(["0", "8", "10.50"]),
        knobs.MIN_SWEEP_USD.key: st.sampled_from(["0.01", "1000", "240000.00"]),
        knobs.TARGET_LADDER_DAYS.key: st.sampled_from(["7", "14", "91"]),
        knobs.SWEEP_ESG_PREFERENCE.key: st.sampled_from(["true", "false"]),
        knobs.FALLBACK_KEEPS_BUFFER.key: st.just("true"),
        knobs.TERM_LIQUIDITY.key: st.just("false"),
        knobs.ALLOW_INCREMENTAL.key: st.just("true"),
    },
).map(lambda found: tuple(sorted(found.items())))
BILLS = st.fixed_dictionaries(
    {},
    optional={
        "rate": st.sampled_from([D(0), D("0.03"), D("0.05123457")]),
        "cap": st.sampled_from([D(0), D(1_000_000), D("1234567.89")]),
        "increment": st.sampled_from([D("0.01"), D("0.03"), D(1000), D("0.0001")]),
        "minimum": st.just(D(400_000)),
        "is_active": st.just(value=False),
        "calendar": st.just("UK_EW"),
        "settlement_days": st.sampled_from([0, 3]),
    },
).map(lambda found: tuple(sorted(found.items())))
WINDOWS = st.sampled_from(
    [
        NOW,
        NOW,
        datetime(2026, 11, 18, 0, 15, tzinfo=UTC),
        # The evening of Thanksgiving, and a Saturday morning.
        datetime(2026, 11, 27, 0, 20, tzinfo=UTC),
        datetime(2026, 11, 21, 15, 20, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 25, 15, 29, 0, 120000, tzinfo=UTC),
    ]
)
WORLDS = st.builds(
    World,
    knobs=KNOBS,
    bill=BILLS,
    note_for_all=st.booleans(),
    overnight_for_all=st.sampled_from([True, True, False]),
    at=WINDOWS,
    earlier=st.booleans(),
)


def apply_world(sweeping: Sweeping, world: World) -> None:
    """Set policies and products as the example wants them."""
    for key, value in world.knobs:
        set_policy(policies.named(key), value)
    SweepProduct.objects.filter(pk=sweeping.bill.pk).update(**dict(world.bill))
    for row, for_all in (
        (sweeping.note, world.note_for_all),
        (sweeping.overnight, world.overnight_for_all),
    ):
        SweepProduct.objects.filter(pk=row.pk).update(for_all_companies=for_all)
        if not for_all:
            SweepEligibility.objects.create(product=row, entity=sweeping.account.entity)


def open_accounts(sweeping: Sweeping, count: int) -> list[BankAccount]:
    """Open dollar accounts at the first one's bank; every other one of another company."""
    elsewhere = static.create_entity(
        entity=static.EntityIn(
            name="South Remit Limited",
            lei="5493001KJTIIGC8Y1R12",
            town="London",
            country="GB",
            street="Harbour Street",
            building_number="2",
            post_code="EC1A 1AA",
        )
    )
    return [
        static.open_account(
            account=static.AccountIn(
                entity=sweeping.account.entity if number % 2 else elsewhere,
                bank=sweeping.account.bank,
                label=f"Dollars {number}",
                currency="USD",
                number=f"700000000{number}",
                clearing_code="021000021",
                timezone=NEW_YORK,
            )
        )
        for number in range(count)
    ]


def put_entry(account: BankAccount, amount: str, status: str, *, announced: bool) -> None:
    """Book an entry, or announce one, on the day of the newest balance."""
    statement = Statement.objects.filter(account=account).order_by("-received_at")[0]
    on = statement.statement_date
    made = BankEntry.objects.create(
        account=account,
        identity=uuid4().hex,
        identity_rule="CONTENT",
        amount=D(amount),
        booking_date=on,
        value_date=on + timedelta(days=1 if announced else 0),
        status=status,
        best_source="CAMT052",
        statement=statement,
        first_seen_at=clock.now(),
        announced_at=clock.now() - timedelta(hours=2 if announced else 0),
    )
    if announced:
        EntryObservation.objects.create(entry=made, statement=statement, status=status)


def flow(account: BankAccount, source: str, amount: str, on: date) -> None:
    """Expect a movement; nothing where the amount is zero."""
    if D(amount):
        put_expected_flow(
            flow=FlowIn(
                account_id=account.pk,
                source=source,
                source_ref=f"{source} {amount} {on}",
                amount=D(amount),
                value_date=on,
                description=source,
            )
        )


def state(account: BankAccount, amount: str, *, code: str, at: datetime, apart: str = "0") -> None:
    """State a balance of a code, and beside it a closing booked one that differs by `apart`."""
    known = {*Statement.objects.filter(account=account).values_list("pk", flat=True)}
    put_balance(account, amount, at=at)
    stated = Statement.objects.exclude(pk__in=known).get(account=account)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE treasury_statementbalance SET code = CASE code WHEN 'CLAV' THEN %s ELSE code"
            " END, amount = amount + CASE code WHEN 'CLBD' THEN %s::numeric ELSE 0 END"
            " WHERE statement_id = %s",
            [code, apart, stated.pk],
        )


def apply_case(sweeping: Sweeping, account: BankAccount, case: Case) -> None:
    """Give an account what the example wants it to have."""
    now = clock.now()
    day = now.astimezone(UTC).date()
    BankAccount.objects.filter(pk=account.pk).update(min_balance=D(case.floor))
    # A later instant than the one that opening the account has stated.
    at = now - timedelta(minutes=case.age_minutes)
    if case.before is not None:
        balance, code, minutes = case.before
        state(account, balance, code=code, at=at - timedelta(minutes=minutes))
    state(account, case.balance, code=case.code, at=at, apart=case.apart)
    for amount, status in ((case.booked, "BOOK"), (case.pending, "PDNG")):
        if D(amount):
            put_entry(account, amount, status, announced=case.announced)
    flow(account, "PAYOUT", f"-{case.payout}", day + timedelta(days=1))
    flow(account, "PATTERN", case.collection, day + timedelta(days=9))
    flow(account, "TRANSFER", f"-{case.transfer}", day)
    flow(account, "FORECAST", f"-{case.overdue}", day - timedelta(days=2))
    if case.var_bps is not None or case.observations != 250:
        with clock.frozen(now - timedelta(hours=case.risk_age_hours)):
            read_risk(
                account,
                case.var_bps or "0",
                case.observations,
                days_back=case.risk_days_back,
            )
    products = {"TBILL_4W": sweeping.bill, "FED_RRP": sweeping.overnight}
    if case.pays_itself:
        SweepLine.objects.create(
            name=account.label,
            account=account,
            product=sweeping.bill,
            credit_account=sweeping.account,
            ends="a" * 64,
        )
    if case.mandate_of != "none":
        product = products.get(case.mandate_of)
        make_mandate(
            account,
            order_max=D(case.order_max),
            day_max=D(case.day_max),
            product=product.code if product else "",
        )


@contextmanager
def undone() -> Iterator[None]:
    """Take back what the block writes."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def rows_now() -> dict[str, list[Any]]:
    """Return what the tables hold, but for the names that are new in every run."""
    found: dict[str, list[Any]] = {}
    for model in WRITTEN:
        names = [one.attname for one in model._meta.local_fields if one.attname not in NEW_NAMES]
        listed = model._default_manager.values(*names)
        found[model.__name__] = sorted(_plain(row) for row in listed if not _is_asked(row))
    # What is put before checkers names the order by its new key, and only services ask.
    entries = AuditEntry.objects.filter(table_name__startswith="treasury_")
    audited = entries.values("table_name", "action", "actor", "before", "after")
    found["AuditEntry"] = sorted(_plain(dict(row)) for row in audited)
    return found


def _is_asked(row: dict[str, Any]) -> bool:
    return str(row.get("topic", "")).startswith(("maker_checker.", "risk.alert"))


def _plain(row: dict[str, Any]) -> str:
    cleaned = {
        name: {key: item for key, item in value.items() if key not in NEW_NAMES}
        if name in {"before", "after"} and value
        else value
        for name, value in row.items()
    }
    return repr(sorted(cleaned.items()))


def by_batch(accounts: Sequence[UUID], sweeping: Sweeping) -> Batch:
    """Decide in one statement, then let the services decide what was handed over."""
    batch = sweeps.decide_many(accounts=accounts, now=clock.now())
    assert batch.window == sweeping.window()
    by_services([one.account for one in batch.handed_over], sweeping)
    return batch


def by_services(accounts: Sequence[UUID], sweeping: Sweeping) -> None:
    """Decide one after the other; what a service refuses leaves nothing."""
    for pk in accounts:
        account = BankAccount.objects.select_related("entity", "bank").get(pk=pk)
        sweeps.decide_account(account=account, window=sweeping.window())


def both_ways(accounts: Sequence[UUID], sweeping: Sweeping) -> Batch:
    """Decide both ways from the same start and hold the rows against each other."""
    with undone():
        batch = by_batch(accounts, sweeping)
        mine = rows_now()
        for row in SweepDecision.objects.all():
            assert sweeps.replay_decision(decision_id=row.pk).is_identical
    order = [
        *(one.account for one in batch.settled),
        *(one.account for one in batch.handed_over),
    ]
    with undone():
        by_services(order, sweeping)
        theirs = rows_now()
    for name, rows in theirs.items():
        assert [row for row in mine[name] if row not in rows] == [], name
        assert [row for row in rows if row not in mine[name]] == [], name
        assert mine[name] == rows, name
    return batch


@scene
def everybody(sweeping: Sweeping) -> list[BankAccount]:
    """Three more accounts without anything, beside the first."""
    return open_accounts(sweeping, 3)


@given(world=WORLDS, cases=st.tuples(CASES, CASES, CASES))
@example(world=World(), cases=(Case(), Case(var_bps="10.01"), Case(balance="10.00")))
@example(
    world=World(),
    cases=(
        # Less is booked than is available; something better was stated before; and at one instant.
        Case(apart="-700000.00", payout="0", collection="0"),
        Case(code="CLBD", before=("2000000.00", "ITAV", 1440)),
        Case(code="CLAV", before=("1500000.00", "ITAV", 0)),
    ),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_batch_writes_the_rows_of_the_services(
    sweeping: Sweeping, everybody: list[BankAccount], world: World, cases: tuple[Case, ...]
) -> None:
    with undone(), clock.frozen(world.at):
        apply_world(sweeping, world)
        for account, case in zip(everybody, cases, strict=True):
            apply_case(sweeping, account, case)
        accounts = [one.pk for one in (sweeping.account, *everybody)]
        swept = [
            pk
            for pk in accounts
            if SweepMandate.objects.filter(account=pk, is_active=True).exists()
        ]
        if world.earlier:
            by_services(swept[:2], sweeping)
        batching.forget_plan()
        both_ways(swept, sweeping)
