"""What a batch leaves to the services, and what happens when something changes beside it."""

import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from structlog.testing import capture_logs

from core import clock
from core.audit.models import AuditEntry
from core.events.drain import drain
from core.events.models import Delivery, OutboxEvent
from core.ids import uuid7_texts
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import (
    QUARTER_PAST,
    Sweeping,
    make_mandate,
    read_risk,
    set_policy,
)
from treasury import policies as knobs
from treasury.models import (
    BankAccount,
    Release,
    SweepDecision,
    SweepMandate,
    SweepOrder,
    SweepProduct,
    SweepUniverse,
    Task,
)
from treasury.selectors import sweeps as reads
from treasury.selectors.sweep_plans import unfit
from treasury.services import announcing, reported, static, sweeps
from treasury.services.sweeps import batching

D = Decimal


def decide(sweeping: Sweeping, *more: UUID) -> sweeps.Batch:
    """Decide the account, and more of them, in one statement."""
    return sweeps.decide_many(accounts=[sweeping.account.pk, *more], now=clock.now())


def second_account(sweeping: Sweeping) -> BankAccount:
    """Open another account like the one that sweeps, with a balance, a risk and a mandate."""
    like = sweeping.account
    other = static.open_account(
        account=static.AccountIn(
            entity=like.entity, bank=like.bank, label="Other", currency="USD",
            number="7700000001", clearing_code="021000021", timezone=like.timezone,
        )
    )  # fmt: skip
    put_balance(other, "700000.00")
    read_risk(other)
    make_mandate(other)
    return other


def why_handed_over(batch: sweeps.Batch) -> list[str]:
    return [one.why for one in batch.handed_over]


def _unsigned(sweeping: Sweeping) -> None:
    sweeping.decide()
    put_balance(sweeping.account, "900000.00", at=QUARTER_PAST + timedelta(microseconds=2))


def _stale(sweeping: Sweeping) -> None:
    set_policy(knobs.MAX_BALANCE_AGE_MINUTES, 1)


def _beyond(sweeping: Sweeping) -> None:
    SweepMandate.objects.filter(pk=sweeping.mandate.pk).update(order_max=D(100))


def _large(sweeping: Sweeping) -> None:
    put_balance(sweeping.account, "1000000000000.00", at=clock.now())


def _fractions(sweeping: Sweeping) -> None:
    SweepProduct.objects.filter(pk=sweeping.overnight.pk).update(increment=D("0.0007"))
    read_risk(sweeping.account, "11")


def _negative(sweeping: Sweeping) -> None:
    SweepProduct.objects.filter(pk=sweeping.note.pk).update(rate=D("-0.01"))


def _shut_for(days: int) -> Callable[[Sweeping], None]:
    """Let the bill follow a calendar that is shut for so many days: its ladder begins later."""

    def prepare(sweeping: Sweeping) -> None:
        SweepProduct.objects.filter(pk=sweeping.bill.pk).update(calendar="UK_EW")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO calendars_holiday SELECT (jsonb_populate_record(h, jsonb_build_object("
                "'id', gen_random_uuid(), 'date', d::date))).*"
                " FROM (SELECT h FROM calendars_holiday h JOIN calendars_calendar c"
                " ON c.id = h.calendar_id WHERE c.code = 'UK_EW' LIMIT 1) x(h),"
                " generate_series(%s::date, %s::date, '1 day') d"
                " WHERE NOT EXISTS (SELECT FROM calendars_holiday o"
                " WHERE o.calendar_id = (x.h).calendar_id AND o.date = d::date)",
                ["2026-11-18", f"{date(2026, 11, 18) + timedelta(days=days):%Y-%m-%d}"],
            )

    return prepare


def _by_calendar(code: str) -> Callable[[Sweeping], None]:
    """Let the note follow a calendar."""

    def prepare(sweeping: Sweeping) -> None:
        SweepProduct.objects.filter(pk=sweeping.note.pk).update(calendar=code)

    return prepare


def _known_until(day: str) -> Callable[[Sweeping], None]:
    """Let the note follow a calendar that says nothing of later days."""

    def prepare(sweeping: Sweeping) -> None:
        _by_calendar("UK_EW")(sweeping)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE calendars_calendar SET coverage_end = %s WHERE code = 'UK_EW'", [day]
            )

    return prepare


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (_shut_for(45), "DAYS_UNKNOWN"),
        (_by_calendar("NOWHERE"), "calendar_unknown"),
        (_known_until("2026-11-30"), "calendar_not_covered"),
        (_unsigned, "UNSIGNED_ORDER"),
        (_beyond, "BEYOND_MANDATE"),
        (_large, "LARGE_AMOUNT"),
        (_fractions, "NO_WHOLE_CENTS"),
        (_negative, "NEGATIVE_RATE"),
    ],
)
def test_what_is_rare_is_handed_over_by_name_and_leaves_no_row(
    sweeping: Sweeping, prepare: Callable[[Sweeping], None], why: str
) -> None:
    prepare(sweeping)
    before = SweepDecision.objects.count()
    batch = decide(sweeping)
    assert (why_handed_over(batch), batch.settled) == ([why], ())
    assert SweepDecision.objects.count() == before


@pytest.mark.parametrize(
    "prepare", [_shut_for(5), _by_calendar("UK_EW"), _known_until("2027-12-31")]
)
def test_days_that_are_known_are_decided_in_the_batch(
    sweeping: Sweeping, prepare: Callable[[Sweeping], None]
) -> None:
    """The negative control: a little nearer, or a calendar that reaches, hands nothing over."""
    prepare(sweeping)
    (decided,) = decide(sweeping).settled
    assert decided.result == "SWEEP"


def test_days_that_nobody_knows_become_a_task(sweeping: Sweeping) -> None:
    _shut_for(45)(sweeping)
    sweeps.decide_arrived(accounts=[sweeping.account.pk])
    assert Task.objects.open().filter(kind="sweep_undecided").exists()
    assert not SweepOrder.objects.exists()


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (["BILL", "BILL_4W", "NOTE"], ""),
        # As a collation that passes over underscores puts them.
        (["BILL_A", "BILLS", "NOTE"], "UNSORTED_PRODUCTS"),
    ],
)
def test_products_in_an_order_that_records_do_not_have_are_left_to_the_services(
    codes: list[str], why: str
) -> None:
    assert unfit([SweepProduct(code=code, rate=D("0.01")) for code in codes]) == why


# Somebody renames a product each time just before the statement compares its ground.
_RENAMED = (
    "WITH renamed AS (UPDATE treasury_sweepproduct SET name = name || '.' {} RETURNING 1)"
    " SELECT d.* FROM (SELECT count(*) FROM renamed) r"
    " CROSS JOIN LATERAL treasury_decide_sweeps("
    "%s::text::jsonb, %s, %s, %s::uuid[], %s::uuid[]) d WHERE r.count >= 0"
)


@pytest.mark.parametrize(
    ("while_named", "why"),
    [("", ["CHANGING"]), ("WHERE name NOT LIKE '%%.'", [])],
)
def test_a_ground_that_changes_again_and_again_is_left_to_the_services(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch, while_named: str, why: list[str]
) -> None:
    """And the negative control: what changes once is decided on the second try."""
    batching.next_plan(now=clock.now())
    monkeypatch.setattr(batching, "_DECIDE", _RENAMED.format(while_named))
    batch = decide(sweeping)
    assert (why_handed_over(batch), len(batch.settled)) == (why, 1 - len(why))


def test_an_old_balance_is_handed_over_and_becomes_a_task(sweeping: Sweeping) -> None:
    _stale(sweeping)
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        assert why_handed_over(decide(sweeping)) == ["STALE_BALANCE"]
        sweeps.decide_arrived(accounts=[sweeping.account.pk])
    assert Task.objects.open().filter(kind="sweep_balance_stale").exists()
    with clock.frozen(clock.now() + timedelta(minutes=3)):
        put_balance(sweeping.account, "10.00", at=clock.now())
        assert why_handed_over(decide(sweeping)) == []
    assert not Task.objects.open().filter(kind="sweep_balance_stale").exists()


def test_without_a_mandate_an_account_is_left_out(sweeping: Sweeping) -> None:
    SweepMandate.objects.update(is_active=False)
    assert (decide(sweeping).settled, SweepDecision.objects.count()) == ((), 0)


def _switched_off(window: date) -> dict[str, Any]:
    return {"is_active": False}


def _expired(window: date) -> dict[str, Any]:
    return {"valid_until": window - timedelta(days=1)}


def _not_begun(window: date) -> dict[str, Any]:
    return {"valid_from": window + timedelta(days=1), "valid_until": window + timedelta(days=9)}


@pytest.mark.parametrize("mandate", [_switched_off, _expired, _not_begun])
@pytest.mark.parametrize("is_kept", [True, False])
def test_what_is_handed_over_without_a_mandate_in_force_is_not_decided(
    sweeping: Sweeping, mandate: Callable[[date], dict[str, Any]], *, is_kept: bool
) -> None:
    """A plan that was kept asks nobody for a mandate beforehand: it is asked for afterwards."""
    if is_kept:
        batching.next_plan(now=clock.now())
    _negative(sweeping)
    window = reads.next_window(now=clock.now())
    SweepMandate.objects.update(**mandate(window.day))
    sweeps.decide_arrived(accounts=[sweeping.account.pk])
    assert (SweepDecision.objects.count(), SweepOrder.objects.count()) == (0, 0)


def test_what_is_handed_over_with_a_mandate_is_decided(sweeping: Sweeping) -> None:
    """The negative control: nothing but the mandate kept it from being decided."""
    _negative(sweeping)
    sweeps.decide_arrived(accounts=[sweeping.account.pk])
    assert SweepOrder.objects.get().release == Release.MANDATE


def test_the_same_facts_decide_nothing_anew(sweeping: Sweeping) -> None:
    decide(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    (again,) = decide(sweeping).settled
    assert (again.decision, SweepDecision.objects.count()) == (None, 1)


@pytest.mark.parametrize(("cap", "counted"), [(None, D(0)), (D(5_000_000), D(760_000))])
def test_what_others_hold_changes_a_decision_only_where_a_cap_counts_it(
    sweeping: Sweeping, cap: Decimal | None, counted: Decimal
) -> None:
    """Without a cap an order of one account is no new fact for any other."""
    SweepProduct.objects.filter(pk=sweeping.bill.pk).update(cap=cap)
    other = second_account(sweeping)
    decide(sweeping)
    assert SweepOrder.objects.get().amount == D(760_000)
    (settled,) = sweeps.decide_many(accounts=[other.pk], now=clock.now()).settled
    assert settled.decision is not None
    named = SweepDecision.objects.get(pk=settled.decision).universe_sha256
    universe = json.loads(SweepUniverse.objects.get(sha256=named).content)
    held = {one["code"]: D(one["held"]) for one in universe["products"]}
    assert held == {"CARBON_NOTE": D(0), "FED_RRP": D(0), "TBILL_4W": counted}
    assert sweeps.replay_decision(decision_id=settled.decision).is_identical


def test_the_trail_names_the_digest_of_a_record_and_does_not_repeat_it(
    sweeping: Sweeping,
) -> None:
    decide(sweeping)
    decision = SweepDecision.objects.get()
    entry = AuditEntry.objects.get(table_name="treasury_sweepdecision", action="INSERT")
    assert entry.after is not None
    assert entry.after["record_sha256"] == sha256(decision.record.encode()).hexdigest()
    left_out = {field.column for field in SweepDecision._meta.local_fields} - {*entry.after}
    assert left_out == {"record"}


def test_a_policy_changed_after_the_plan_was_made_counts(sweeping: Sweeping) -> None:
    batching.next_plan(now=clock.now())
    set_policy(knobs.MIN_SWEEP_USD, D(2_000_000))
    (decided,) = decide(sweeping).settled
    assert (decided.result, decided.reason) == ("NO_SWEEP", "BELOW_MINIMUM")


def test_without_the_ground_an_old_plan_would_be_followed(sweeping: Sweeping) -> None:
    """The negative control: the statement told that its plan is new follows the old policy."""
    text = batching.next_plan(now=clock.now()).text
    set_policy(knobs.MIN_SWEEP_USD, D(2_000_000))
    names = [UUID(int=number) for number in range(1, 5)]
    facts: list[Any] = [[sweeping.account.pk], clock.now(), names]
    with connection.cursor() as cursor:
        cursor.execute("SELECT what FROM treasury_decide_sweeps(%s, %s, %s, %s)", [text, *facts])
        assert cursor.fetchall() == [("OLD_PLAN",)]
        cursor.execute(
            "SELECT treasury_sweep_ground((p ->> 'keys')::text[], (p ->> 'codes')::text[],"
            " (p ->> 'ground_from')::date, (p ->> 'ground_until')::date)"
            " FROM (SELECT %s::jsonb) g(p)",
            [text],
        )
        forged = json.dumps(json.loads(text) | {"ground": cursor.fetchone()[0]})
        cursor.execute(
            "SELECT result FROM treasury_decide_sweeps(%s, %s, %s, %s)", [forged, *facts]
        )
        assert cursor.fetchall() == [("SWEEP",)]


@pytest.mark.parametrize("what", ["product", "holiday"])
def test_a_product_or_a_holiday_that_changes_makes_the_plan_an_old_one(
    sweeping: Sweeping, what: str
) -> None:
    first = batching.next_plan(now=clock.now())
    if what == "product":
        SweepProduct.objects.filter(pk=sweeping.bill.pk).update(rate=D("0.01"))
        # Changed and changed back is another ground too.
        SweepProduct.objects.filter(pk=sweeping.bill.pk).update(rate=sweeping.bill.rate)
    else:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE calendars_holiday SET name = name || '.' WHERE date = '2026-11-26'"
            )
    decide(sweeping)
    assert batching.next_plan(now=clock.now()) is not first


def order_again(numbers: Sequence[int]) -> None:
    """Copy the one decision and its order under other names: all orders in one statement."""
    names = [str(one.column) for one in SweepDecision._meta.local_fields]
    changed = {"id": "gen_random_uuid()", "sequence": "n"}
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO treasury_sweepdecision ({', '.join(names)})"
            f" SELECT {', '.join(changed.get(one, one) for one in names)}"
            " FROM treasury_sweepdecision, unnest(%s::int[]) n",
            [list(numbers)],
        )
        names = [str(one.column) for one in SweepOrder._meta.local_fields]
        written = "replace(o.payload, o.order_id, 'SWP-2026-11-17-000' || d.sequence)"
        changed = {
            "id": "gen_random_uuid()",
            "decision_id": "d.id",
            "part": "d.sequence",
            "order_id": "'SWP-2026-11-17-000' || d.sequence",
            "payload": written,
            "payload_sha256": f"encode(sha256(convert_to({written}, 'UTF8')), 'hex')",
        }
        cursor.execute(
            f"INSERT INTO treasury_sweeporder ({', '.join(names)})"
            f" SELECT {', '.join(changed.get(one, f'o.{one}') for one in names)}"
            " FROM treasury_sweeporder o, treasury_sweepdecision d WHERE d.sequence = ANY(%s)",
            [list(numbers)],
        )


def test_orders_of_one_statement_share_their_mandate(sweeping: Sweeping) -> None:
    """The guard counts what the same statement has let through: a batch is no way around it."""
    order = sweeping.decide().order
    assert order is not None
    SweepMandate.objects.filter(pk=sweeping.mandate.pk).update(day_max=order.amount * 2)
    with transaction.atomic():
        order_again([2])
        assert SweepOrder.objects.count() == 2
        transaction.set_rollback(True)
    with pytest.raises(DatabaseError, match="beyond its mandate"), transaction.atomic():
        order_again([2, 3])


def test_what_the_database_refuses_is_decided_one_by_one(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that meets a refusal leaves nothing; each account is then decided by itself."""
    monkeypatch.setattr(batching, "_DECIDE", "SELECT 1 / 0, %s, %s, %s, %s, %s")
    batch = sweeps.decide_arrived(accounts=[sweeping.account.pk])
    assert batch is not None
    assert len(batch.handed_over) == 1
    assert SweepOrder.objects.get().amount == D(760_000)


def report(sweeping: Sweeping, name: str, amount: str, **more: Any) -> reported.ReportedBalance:
    return reported.ReportedBalance(
        **{
            "event_id": name,
            "account": "3000000001",
            "currency": "USD",
            "balance_type": "ITAV",
            "amount": D(amount),
            "as_of": clock.now(),
            **more,
        }
    )


def test_a_balance_that_arrives_near_its_window_is_decided_by_the_drain(
    sweeping: Sweeping,
) -> None:
    reported.record_balances(balances=[report(sweeping, "ev-1", "900000.00")])
    assert drain(tenant=sweeping.tenant.id) >= 1
    order = SweepOrder.objects.get()
    assert (order.amount, order.release) == (D(660_000), "MANDATE")
    # No entries came with it: nobody looks for the legs of deals among them.
    told = Delivery.objects.filter(event__topic="ops.nostro.balance.update")
    assert {*told.values_list("consumer", flat=True)} == {"treasury.sweeps"}
    assert sweeps.replay_decision(decision_id=order.decision_id).is_identical


def consumers_of_newest() -> set[str]:
    """Return whom the newest balance that was told of is delivered to."""
    told = OutboxEvent.objects.filter(topic="ops.nostro.balance.update").latest("id")
    return {*Delivery.objects.filter(event=told).values_list("consumer", flat=True)}


def test_entries_are_told_of_although_a_reported_balance_is_newer(sweeping: Sweeping) -> None:
    """What is told is the newest balance; who looks for entries hears of them all the same."""
    reported.record_balances(balances=[report(sweeping, "ev-1", "900000.00")])
    assert consumers_of_newest() == {"treasury.sweeps"}
    announcing.tell_balance(sweeping.account)
    assert consumers_of_newest() == {"treasury.sweeps", "fx.entries"}
    announcing.tell_balance(sweeping.account, brings_entries=False)
    assert consumers_of_newest() == {"treasury.sweeps"}


def test_a_process_of_the_version_before_records_balances_too(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives three ids for a report, and none for deliveries."""
    monkeypatch.setattr(reported, "uuid7_texts", lambda _: uuid7_texts(3 * 2))
    at = clock.now()
    reports = [
        report(sweeping, name, "900000.00", as_of=at - timedelta(milliseconds=number))
        for number, name in enumerate(("ev-2", "ev-1"))
    ]
    told = reported.record_balances(balances=reports[::-1])
    assert [one.why for one in told] == ["", ""]
    assert len({one.statement_id for one in told}) == 2
    assert Delivery.objects.filter(consumer="treasury.sweeps", state="WAITING").count() >= 2


def test_an_order_names_the_balance_that_caused_it(sweeping: Sweeping) -> None:
    """Also where the services decide what the batch handed over; decided by hand it names none."""
    reported.record_balances(balances=[report(sweeping, "ev-1", "900000.00")])
    drain(tenant=sweeping.tenant.id)
    told = OutboxEvent.objects.get(topic="ops.nostro.balance.update", payload__source="API")
    made = OutboxEvent.objects.filter(topic="sweep.order.created")
    assert [(one.causation_id, one.correlation_id) for one in made] == [(told.id, told.id)]
    with clock.frozen(clock.now() + timedelta(seconds=1)):
        newer = report(sweeping, "ev-2", "800000.00")
        reported.record_balances(balances=[newer])
        # The order is not signed yet: that is for the services.
        drain(tenant=sweeping.tenant.id)
        told_next = OutboxEvent.objects.filter(topic="ops.nostro.balance.update").latest("id")
    assert made.latest("id").causation_id == told_next.id


def test_several_balances_of_an_account_are_decided_once_on_the_newest(
    sweeping: Sweeping,
) -> None:
    names = ("700000.00", "800000.00", "900000.00")
    for number, amount in enumerate(names):
        at = clock.now() - timedelta(milliseconds=10 - number)
        reported.record_balances(balances=[report(sweeping, amount, amount, as_of=at)])
    with capture_logs() as lines:
        assert drain(tenant=sweeping.tenant.id) >= len(names)
    assert [one.amount for one in SweepDecision.objects.all()] == [D(660_000)]
    told = [one for one in lines if one["event"] == "balance_decided_with"]
    assert len(told) == len(names) - 1


def test_several_that_the_database_refuses_together_are_decided_each_alone(
    sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrived together pays for no savepoint: refused, each is delivered again by itself."""
    for number, amount in enumerate(("800000.00", "900000.00")):
        at = clock.now() - timedelta(milliseconds=10 - number)
        reported.record_balances(balances=[report(sweeping, amount, amount, as_of=at)])
    monkeypatch.setattr(batching, "_DECIDE", "SELECT 1 / 0, %s, %s, %s, %s, %s")
    with capture_logs() as lines:
        drain(tenant=sweeping.tenant.id)
    events = [line["event"] for line in lines]
    assert events.index("batch_failed") < events.index("sweep_batch_refused")
    assert SweepOrder.objects.get().amount == D(660_000)
    swept = Delivery.objects.filter(consumer="treasury.sweeps")
    assert set(swept.values_list("state", flat=True)) == {"DONE"}


def test_keys_of_a_set_are_asked_for_by_index_and_still_wait_for_the_commit(
    sweeping: Sweeping,
) -> None:
    """However small a table was when the connection first asked: nothing is read end to end."""
    reported.record_balances(balances=[report(sweeping, "ev-1", "900000.00")])
    sweeps.decide_arrived(accounts=[sweeping.account.pk])
    assert SweepOrder.objects.exists()
    orphan = (
        "INSERT INTO core_delivery (id, tenant_id, event_id, consumer, aggregate, state, attempts,"
        " fence, due_at, last_error) VALUES (gen_random_uuid(), %s, gen_random_uuid(), 'nobody',"
        " '', 'WAITING', 0, 0, now(), '')"
    )
    settled = "SET CONSTRAINTS {0} IMMEDIATE; SET CONSTRAINTS {0} DEFERRED"
    asked = "SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'core_outboxevent'"
    with connection.cursor() as cursor:
        cursor.execute(asked)
        before = cursor.fetchone()
        # Nothing of theirs waits any more.
        cursor.execute(settled.format("core_delivery_event_id_same_tenant"))
        cursor.execute(asked)
        assert cursor.fetchone() == before
        # A key that leads nowhere waits, and is refused in the end.
        cursor.execute(orphan, [sweeping.tenant.id])
        with pytest.raises(DatabaseError, match="same_tenant"), transaction.atomic():
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DELETE FROM core_delivery WHERE consumer = 'nobody'")


def test_far_from_its_window_a_balance_is_recorded_only(sweeping: Sweeping) -> None:
    with clock.frozen(QUARTER_PAST - timedelta(hours=2)):
        told = reported.record_balances(balances=[report(sweeping, "ev-1", "900000.00")])
        drain(tenant=sweeping.tenant.id)
    assert (told[0].is_newest, SweepDecision.objects.count()) == (True, 0)


def test_the_window_is_decided_both_ways_alike(sweeping: Sweeping) -> None:
    make_mandate(sweeping.house.usd_far)
    with transaction.atomic():
        one_by_one = sweeps.decide_window(tenant=sweeping.tenant.id, one_by_one=True)
        records = {one.decision.account_id: one.decision.record for one in one_by_one}
        transaction.set_rollback(True)
    together = sweeps.decide_window(tenant=sweeping.tenant.id)
    assert {one.decision.account_id: one.decision.record for one in together} == records
