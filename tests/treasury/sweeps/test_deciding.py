"""Deciding in the room: gathered, recorded, ordered, once per window."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from core import clock
from core.errors import Invalid
from core.events.models import OutboxEvent
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import (
    CUTOFF,
    QUARTER_PAST,
    Sweeping,
    expect_payout,
    make_mandate,
    read_risk,
    set_policy,
)
from treasury import policies as knobs
from treasury.models import (
    ExpectedFlow,
    Release,
    SweepDecision,
    SweepMandate,
    SweepOrder,
    SweepState,
    Task,
)
from treasury.selectors import positions
from treasury.selectors import sweeps as reads
from treasury.services import sweeps
from treasury.services.flows import FlowIn, put_expected_flow

D = Decimal


def order_of(sweeping: Sweeping) -> SweepOrder:
    """Decide and return the order that must have come of it."""
    made = sweeping.decide().order
    assert made is not None
    return made


def test_excess_beyond_the_buffer_is_ordered_into_bills(sweeping: Sweeping) -> None:
    decided = sweeping.decide()
    assert decided.order is not None
    order = decided.order
    assert (decided.decision.reason, order.amount) == ("WITHIN_LIMIT", D(760_000))
    assert (order.product.code, order.release, order.state) == ("TBILL_4W", "MANDATE", "NEW")
    assert order.order_id == "SWP-2026-11-17-0001"
    assert (order.settles_on, order.matures_on) == (date(2026, 11, 18), date(2026, 12, 15))
    assert order.paid_out + (order.comes_back - order.paid_out) == D(760_000)
    topics = set(OutboxEvent.objects.values_list("topic", flat=True))
    assert "sweep.order.created" in topics


def test_the_window_and_day_are_those_of_new_york(sweeping: Sweeping) -> None:
    decided = sweeping.decide().decision
    assert (decided.cutoff_at, decided.day) == (CUTOFF, date(2026, 11, 17))


def test_deciding_again_changes_nothing(sweeping: Sweeping) -> None:
    first = sweeping.decide()
    with clock.frozen(QUARTER_PAST + timedelta(minutes=2)):
        again = sweeping.decide()
    assert (again.decision.pk, again.is_new) == (first.decision.pk, False)
    assert (SweepDecision.objects.count(), SweepOrder.objects.count()) == (1, 1)
    flow = ExpectedFlow.objects.get(source="SWEEP")
    assert (flow.state, -flow.amount) == ("EXPECTED", order_of(sweeping).paid_out)


def test_other_facts_replace_an_order_that_nobody_can_have_seen(sweeping: Sweeping) -> None:
    first = order_of(sweeping)
    put_balance(sweeping.account, "900000.00", at=QUARTER_PAST + timedelta(microseconds=2))
    second = order_of(sweeping)
    first.refresh_from_db()
    assert (first.state, first.reason) == ("FAILED", "SUPERSEDED")
    assert (second.amount, second.order_id) == (D(660_000), "SWP-2026-11-17-0002")
    held = ExpectedFlow.objects.filter(source="SWEEP", state="EXPECTED")
    assert [-flow.amount for flow in held] == [second.paid_out]


def test_a_signed_order_stays_whatever_changes(sweeping: Sweeping) -> None:
    first = order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    put_balance(sweeping.account, "5000000.00", at=QUARTER_PAST + timedelta(microseconds=2))
    again = sweeping.decide()
    assert (again.order, again.is_new) == (first, False)
    assert SweepOrder.objects.count() == 1


def test_what_came_since_is_swept_only_where_policy_allows(sweeping: Sweeping) -> None:
    first = order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    set_policy(knobs.ALLOW_INCREMENTAL, "true")
    put_balance(sweeping.account, "1500000.00", at=QUARTER_PAST + timedelta(microseconds=2))
    second = order_of(sweeping)
    assert (first.part, second.part) == (1, 2)
    # 1,500,000 less the bill's price on its way, less the buffer, in whole hundreds.
    assert second.amount == (D(1_500_000) - first.paid_out - D(240_000)) // 100 * 100


def test_money_on_its_way_is_not_swept_twice(sweeping: Sweeping) -> None:
    first = order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    with clock.frozen(datetime(2026, 11, 18, 0, 15, tzinfo=UTC)):
        put_balance(sweeping.account, "1000000.00", at=clock.now())
        later = sweeping.decide()
    assert later.order is None
    inputs = reads.records_inputs(later.decision)
    assert inputs.money.in_flight == first.paid_out


def test_transfers_and_the_floor_are_not_excess(sweeping: Sweeping) -> None:
    put_expected_flow(
        flow=FlowIn(
            account_id=sweeping.account.pk,
            source="TRANSFER",
            source_ref="FMP-1",
            amount=D(-100_000),
            value_date=date(2026, 11, 17),
            description="Approved, not booked",
        )
    )
    assert order_of(sweeping).amount == D(660_000)


def test_a_breach_takes_everything_overnight_and_it_is_back_tomorrow(sweeping: Sweeping) -> None:
    with clock.frozen(QUARTER_PAST + timedelta(seconds=1)):
        read_risk(sweeping.account, "10.01")
        order = order_of(sweeping)
    assert (order.product.code, order.amount) == ("FED_RRP", D(1_000_000))
    assert (order.settles_on, order.matures_on) == (date(2026, 11, 17), date(2026, 11, 18))
    assert order.comes_back == D("1000097.22")


@pytest.mark.parametrize(("hours", "reason"), [(36, "WITHIN_LIMIT"), (37, "VAR_STALE")])
def test_an_old_reading_is_none(sweeping: Sweeping, hours: int, reason: str) -> None:
    later = QUARTER_PAST + timedelta(hours=hours)
    set_policy(knobs.MAX_BALANCE_AGE_MINUTES, 2_880)
    with clock.frozen(later):
        assert sweeping.decide().decision.reason == reason


def test_a_stale_balance_stops_with_an_alert_and_a_fresh_one_ends_it(sweeping: Sweeping) -> None:
    with clock.frozen(datetime(2026, 11, 18, 15, 15, tzinfo=UTC)):
        stopped = sweeping.decide()
        assert (stopped.decision.result, stopped.order) == ("NO_DECISION", None)
        task = Task.objects.get(kind="sweep_balance_stale")
        assert task.done_at is None
        put_balance(sweeping.account, "100.00", at=clock.now())
        assert sweeping.decide().decision.reason == "NO_EXCESS"
        task.refresh_from_db()
        assert task.done_at is not None


def test_a_closed_day_is_recorded_and_sweeps_nothing(sweeping: Sweeping) -> None:
    with clock.frozen(datetime(2026, 11, 26, 15, 15, tzinfo=UTC)):
        put_balance(sweeping.account, "1000000.00", at=clock.now())
        decided = sweeping.decide()
    assert (decided.decision.reason, decided.order) == ("CLOSED_DAY", None)


def test_only_accounts_with_a_mandate_in_force_are_swept(sweeping: Sweeping) -> None:
    assert [one.decision.account for one in sweeps.decide_window(tenant=sweeping.tenant.id)] == [
        sweeping.account
    ]
    SweepMandate.objects.update(valid_until=date(2026, 11, 16))
    assert sweeps.decide_window(tenant=sweeping.tenant.id) == []


def test_nothing_is_decided_before_the_window_is_near(sweeping: Sweeping) -> None:
    with clock.frozen(QUARTER_PAST - timedelta(seconds=1)):
        assert sweeps.decide_sweeps(tenant=sweeping.tenant.id) == []
    assert len(sweeps.decide_sweeps(tenant=sweeping.tenant.id)) == 1


def test_the_projected_balance_of_four_weeks_bounds_bills(sweeping: Sweeping) -> None:
    expect_payout(sweeping.account, "500000.00", date(2026, 12, 1), "december")
    assert order_of(sweeping).amount == D(500_000)
    set_policy(knobs.TERM_LIQUIDITY, "false")
    assert order_of(sweeping).amount == D(760_000)


def test_a_product_that_is_not_open_to_the_company_is_passed_by(sweeping: Sweeping) -> None:
    set_policy(knobs.SWEEP_ESG_PREFERENCE, "true")
    assert order_of(sweeping).product == sweeping.note
    sweeping.note.for_all_companies = False
    sweeps.save_product(product=sweeping.note)
    assert order_of(sweeping).product == sweeping.bill


def test_every_decision_replays_to_its_own_bytes(sweeping: Sweeping) -> None:
    decided = sweeping.decide().decision
    replay = sweeps.replay_decision(decision_id=decided.pk)
    assert replay.is_identical
    assert replay.record == decided.record


def test_the_available_balance_of_the_house_counts_the_sweep_as_held(sweeping: Sweeping) -> None:
    before = positions.available(
        account_id=sweeping.account.pk, on=date(2026, 11, 17), now=clock.now()
    )
    order = order_of(sweeping)
    after = positions.available(
        account_id=sweeping.account.pk, on=date(2026, 11, 17), now=clock.now()
    )
    assert before.amount - after.amount == order.paid_out


def test_beyond_the_mandate_an_order_waits(sweeping: Sweeping) -> None:
    SweepMandate.objects.update(order_max=D(759_999), day_max=D(759_999))
    order = order_of(sweeping)
    assert (order.release, order.mandate) == (Release.WAITING, None)
    assert sweeps.sign_due(tenant=sweeping.tenant.id) == 0


def test_a_mandate_counts_its_day(sweeping: Sweeping) -> None:
    SweepMandate.objects.update(day_max=D(800_000), order_max=D(800_000))
    order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    set_policy(knobs.ALLOW_INCREMENTAL, "true")
    put_balance(sweeping.account, "2000000.00", at=QUARTER_PAST + timedelta(microseconds=2))
    assert order_of(sweeping).release == Release.WAITING


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE treasury_sweepdecision SET amount = 1",
        "DELETE FROM treasury_sweepdecision",
        "DELETE FROM treasury_sweeporder",
        "UPDATE treasury_sweeporder SET amount = 1",
        "UPDATE treasury_sweeporder SET state = 'ACK', acked_at = now(), bank_ref = 'x'",
        "UPDATE treasury_sweeporder SET state = 'SENT'",
        "UPDATE treasury_sweeporder SET release = 'APPROVED'",
        "UPDATE treasury_sweeporder SET jws = 'a.b.c'",
        "UPDATE treasury_sweeporder SET settlement = 'RETURNED'",
    ],
)
def test_the_database_refuses_what_no_service_does(sweeping: Sweeping, attack: str) -> None:
    sweeping.decide()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


def test_the_database_counts_the_mandate_too(sweeping: Sweeping) -> None:
    """The guard by itself: an order that claims a mandate which does not reach."""
    order = order_of(sweeping)
    SweepMandate.objects.update(order_max=D(759_999))
    values = {field.attname: getattr(order, field.attname) for field in order._meta.local_fields}
    values |= {"id": order.tenant_id, "order_id": "SWP-2026-11-17-0009", "part": 2}
    payload = order.payload.replace(order.order_id, "SWP-2026-11-17-0009")
    values |= {"payload": payload, "payload_sha256": _digest(payload)}
    with pytest.raises(DatabaseError, match="beyond its mandate"), transaction.atomic():
        SweepOrder.objects.bulk_create([SweepOrder(**values)])
    SweepMandate.objects.update(order_max=D(760_000))
    with pytest.raises(IntegrityError, match="decision"), transaction.atomic():
        SweepOrder.objects.bulk_create([SweepOrder(**values)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{usd}", "{usd_far}"),
        ("TBILL_4W", "CARBON_NOTE"),
        ('"maturity_date":"2026', '"maturity_date":"2027'),
        ('"var_limit_bps":10', '"var_limit_bps":99'),
        (',"created_ts"', ',"source_account":"{usd_far}","created_ts"'),
        (',"created_ts"', ', "created_ts"'),
    ],
)
def test_the_bytes_of_an_order_are_its_decisions_word_for_word(
    sweeping: Sweeping, old: str, new: str
) -> None:
    """What is signed is these bytes: no other account, product, day or second key gets in."""
    order = order_of(sweeping)
    values = {field.attname: getattr(order, field.attname) for field in order._meta.local_fields}
    names = {"usd": sweeping.house.usd.pk, "usd_far": sweeping.house.usd_far.pk}
    payload = order.payload.replace(old.format(**names), new.format(**names))
    assert payload != order.payload
    values |= {"id": order.tenant_id, "payload": payload, "payload_sha256": _digest(payload)}
    with pytest.raises(DatabaseError, match="what was decided"), transaction.atomic():
        SweepOrder.objects.bulk_create([SweepOrder(**values)])


@pytest.mark.parametrize(
    "more",
    [
        {"paid_out": D("0.01")},
        {"matures_on": date(2026, 12, 31)},
        {"created_at": datetime(2026, 11, 10, tzinfo=UTC)},
    ],
)
def test_an_order_reserves_what_was_decided(sweeping: Sweeping, more: dict[str, Any]) -> None:
    order = order_of(sweeping)
    values = {field.attname: getattr(order, field.attname) for field in order._meta.local_fields}
    with pytest.raises(DatabaseError, match="what was decided"), transaction.atomic():
        SweepOrder.objects.bulk_create([SweepOrder(**values | {"id": order.tenant_id} | more)])


@pytest.mark.parametrize(
    "more",
    [
        {"day": date(2026, 11, 18)},
        {"cutoff_at": datetime(2026, 11, 18, 15, 30, tzinfo=UTC)},
        {"decided_at": datetime(2026, 11, 16, tzinfo=UTC)},
    ],
)
def test_a_decision_belongs_to_the_window_of_its_record(
    sweeping: Sweeping, more: dict[str, Any]
) -> None:
    """Days that nobody decided about would each have a mandate's whole day to spend."""
    kept = sweeping.decide().decision
    values = {field.attname: getattr(kept, field.attname) for field in kept._meta.local_fields}
    forged = SweepDecision(**values | {"id": kept.tenant_id, "sequence": 2} | more)
    with pytest.raises(DatabaseError, match="what its record says"), transaction.atomic():
        SweepDecision.objects.bulk_create([forged])


@pytest.mark.parametrize(("more", "is_refused"), [("0.01", True), ("0.00", False)])
def test_no_more_leaves_than_the_mandate_counts(
    sweeping: Sweeping, more: str, is_refused: bool
) -> None:
    """A forged record that pays out above the amount, each digest right; one cent less may go."""
    order = order_of(sweeping)
    paid = order.amount + D(more)
    facts = {one.attname: getattr(order.decision, one.attname) for one in _columns(SweepDecision)}
    said = f'"paid_out":"{order.paid_out.normalize():f}"'
    assert said in order.decision.record
    record = order.decision.record.replace(said, f'"paid_out":"{paid}"')
    facts |= {"id": order.tenant_id, "sequence": 2, "record": record}
    SweepDecision.objects.bulk_create([SweepDecision(**facts | {"record_sha256": _digest(record)})])
    values = {one.attname: getattr(order, one.attname) for one in _columns(SweepOrder)}
    payload = order.payload.replace(order.order_id, "SWP-2026-11-17-0009")
    values |= {
        "id": order.tenant_id,
        "decision_id": order.tenant_id,
        "order_id": "SWP-2026-11-17-0009",
        "part": 2,
        "paid_out": paid,
        "payload": payload,
        "payload_sha256": _digest(payload),
    }
    refused = pytest.raises(DatabaseError, match="was decided") if is_refused else nullcontext()
    with refused, transaction.atomic():
        SweepOrder.objects.bulk_create([SweepOrder(**values)])


def _columns(model: Any) -> Any:
    return model._meta.local_fields


def test_the_same_balance_told_again_leaves_the_order_to_its_checkers(sweeping: Sweeping) -> None:
    SweepMandate.objects.update(order_max=D(100))
    waiting = sweeping.decide().order
    assert waiting is not None
    assert waiting.release == Release.WAITING
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        put_balance(sweeping.account, "1000000.00", at=clock.now())
        again = sweeping.decide()
    assert (again.order, again.is_new) == (waiting, False)
    sweeps.fail_unreleased(order_pk=waiting.pk, reason="Not today.")
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        put_balance(sweeping.account, "1000100.00", at=clock.now())
        assert sweeping.decide().order is None


def test_a_part_that_is_decided_anew_keeps_its_place(sweeping: Sweeping) -> None:
    set_policy(knobs.ALLOW_INCREMENTAL, value=True)
    first = order_of(sweeping)
    assert sweeps.sign_due(tenant=sweeping.tenant.id) == 1
    parts = []
    for minutes, balance in ((1, "2000000.00"), (2, "2500000.00")):
        with clock.frozen(clock.now() + timedelta(minutes=minutes)):
            put_balance(sweeping.account, balance, at=clock.now())
            order = sweeping.decide().order
            assert order is not None
            parts.append((order.part, order.pk != first.pk))
    assert parts == [(2, True), (2, True)]


def _digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()


def test_a_decision_that_is_not_its_record_is_refused(sweeping: Sweeping) -> None:
    kept = sweeping.decide().decision
    values = {field.attname: getattr(kept, field.attname) for field in kept._meta.local_fields}
    forged = SweepDecision(**values | {"id": kept.tenant_id, "sequence": 2, "amount": D(1)})
    with pytest.raises(DatabaseError, match="what its record says"), transaction.atomic():
        SweepDecision.objects.bulk_create([forged])


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        (knobs.SWEEP_CUTOFFS_UTC, "25:00"),
        (knobs.SWEEP_CUTOFFS_UTC, ""),
        (knobs.TARGET_LADDER_DAYS, 27),
        (knobs.LIQ_BUFFER_PCT, "-0.1"),
        (knobs.VAR_LIMIT_BPS, "NaN"),
    ],
)
def test_a_knob_that_makes_no_sense_is_refused(
    sweeping: Sweeping, policy: Any, value: object
) -> None:
    with pytest.raises(Invalid):
        set_policy(policy, value)


def test_mandates_are_for_dollars_and_make_sense(sweeping: Sweeping) -> None:
    with pytest.raises(Invalid):
        make_mandate(sweeping.house.home)
    with pytest.raises(Invalid):
        make_mandate(sweeping.house.usd_far, day_max=D(1))
    assert SweepState.NEW == "NEW"
