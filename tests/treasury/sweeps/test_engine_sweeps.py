"""The sweep rule: requirements S1-18 to S1-28, worked examples, and what always holds."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from core.errors import Invalid
from tests.treasury.sweeps.givens import BILL, NOTE, NOW, OVERNIGHT, given
from treasury.engine import sweep_records as records
from treasury.engine.sweep_windows import Days, Window
from treasury.engine.sweeps import (
    Branch,
    Constraint,
    Held,
    Inputs,
    Money,
    Policy,
    Result,
    Risk,
    RiskState,
    decide,
    earned,
    emptiest_rung,
    excess_of,
    floor_to,
)

D = Decimal


@pytest.mark.parametrize(
    ("inputs", "product", "amount"),
    [
        (given(), "TBILL_4W", "760000"),
        (given(var_bps="10"), "TBILL_4W", "760000"),
        (given(var_bps="10.01"), "FED_RRP", "1000000"),
        (given(var_bps=None), "FED_RRP", "1000000"),
        (given(observations=99), "FED_RRP", "1000000"),
        (given(observations=100), "TBILL_4W", "760000"),
        (given(risk=Risk(state=RiskState.MISSING)), "FED_RRP", "1000000"),
        (given(risk=Risk(state=RiskState.STALE)), "FED_RRP", "1000000"),
        (given(var_bps="NaN"), "FED_RRP", "1000000"),
        (given(policy=Policy(prefers_green=True)), "CARBON_NOTE", "760000"),
        (given(policy=Policy(prefers_green=True), var_bps="11"), "FED_RRP", "1000000"),
        (given(policy=Policy(fallback_keeps_buffer=True), var_bps="11"), "FED_RRP", "760000"),
        (given(outflows="-5"), "TBILL_4W", "1000000"),
    ],
)
def test_the_worked_examples_of_the_rule(inputs: Inputs, product: str, amount: str) -> None:
    outcome = decide(inputs)
    assert (outcome.result, outcome.product, outcome.amount) == (Result.SWEEP, product, D(amount))


@pytest.mark.parametrize(
    ("excess", "reason"), [("200000", "NO_EXCESS"), ("289999.99", "BELOW_MINIMUM")]
)
def test_too_little_stays(excess: str, reason: str) -> None:
    outcome = decide(given(excess=excess))
    assert (outcome.result, outcome.reason, outcome.amount) == (Result.NO_SWEEP, reason, D(0))


def test_the_minimum_itself_is_swept_and_a_cent_less_is_not() -> None:
    assert decide(given(excess="50000.00", outflows="0")).amount == D("50000.00")
    assert decide(given(excess="49999.99", outflows="0")).reason == "BELOW_MINIMUM"


def test_a_closed_day_and_a_stale_balance_decide_nothing() -> None:
    shut = Window(cutoff=given().window.cutoff, day=date(2026, 11, 26), closure="Thanksgiving Day")
    closed = decide(given(window=shut))
    assert (closed.result, closed.reason) == (Result.NO_SWEEP, "CLOSED_DAY")
    old = Money(available=D(10**6), as_of=NOW - timedelta(minutes=60, microseconds=1))
    stale = decide(given(money=old))
    assert (stale.result, stale.reason) == (Result.NO_DECISION, "STALE_BALANCE")
    fresh = replace(old, as_of=NOW - timedelta(minutes=60))
    assert decide(given(money=fresh)).result is Result.SWEEP


def test_the_excess_leaves_out_what_is_committed_on_its_way_or_must_stay() -> None:
    money = Money(available=D(1000), as_of=NOW, committed=D(300), in_flight=D(200), minimum=D(100))
    assert excess_of(money) == D(400)
    assert excess_of(replace(money, available=D(-5))) == D(0)


def test_an_overdrawn_account_is_no_base_for_risk() -> None:
    outcome = decide(given(excess="-1"))
    assert (outcome.branch, outcome.reason) == (Branch.FALLBACK, "NO_EXCESS")
    assert {one.why for one in outcome.rejected} == {"BASE_NOT_POSITIVE"}


def test_every_product_that_was_not_taken_says_why() -> None:
    said = {one.product: one.why for one in decide(given()).rejected}
    assert said == {"FED_RRP": "RISK_ALLOWS_LONGER", "CARBON_NOTE": "GREEN_NOT_PREFERRED"}
    breach = {one.product: one.why for one in decide(given(var_bps="11")).rejected}
    assert breach == {"TBILL_4W": "VAR_ABOVE_LIMIT", "CARBON_NOTE": "VAR_ABOVE_LIMIT"}


def test_without_the_green_product_the_bill_is_bought() -> None:
    closed = replace(NOTE, is_open_to_us=False)
    outcome = decide(given(policy=Policy(prefers_green=True), products=(OVERNIGHT, BILL, closed)))
    assert outcome.product == "TBILL_4W"
    said = {one.product: one.why for one in outcome.rejected}
    assert said["CARBON_NOTE"] == "NOT_OPEN_TO_THIS_COMPANY"


def test_without_any_product_nothing_is_swept() -> None:
    outcome = decide(given(products=(BILL,), var_bps="11"))
    assert (outcome.result, outcome.reason) == (Result.NO_SWEEP, "NO_PRODUCT")


def test_increment_cap_and_term_liquidity_narrow_and_each_tells_its_cost() -> None:
    bill = replace(BILL, increment=D(100), cap=D(700_000), held=D(50_000), rate=D("0.036"))
    money = Money(
        available=D("1000055.55"), as_of=NOW, minimum=D(50), outflows=D(800_000), lowest=D(700_050)
    )
    outcome = decide(given(money=money, products=(OVERNIGHT, bill)))
    assert outcome.amount == D(650_000)
    said = {one.constraint: (one.amount, one.per_day) for one in outcome.costs}
    assert said == {
        Constraint.MINIMUM_BALANCE: (D(50), D("0.0050")),
        Constraint.BUFFER: (D(240_000), D("24.0000")),
        Constraint.TERM_LIQUIDITY: (D("60005.55"), D("6.0006")),
        Constraint.CAP: (D(50_000), D("5.0000")),
    }
    finer = replace(bill, cap=D("700050.5"))
    assert decide(given(money=money, products=(finer,))).amount == D(650_000)


def test_the_limit_on_risk_costs_the_difference_to_the_bill() -> None:
    low, high = replace(OVERNIGHT, rate=D("0.0350")), replace(BILL, rate=D("0.0386"))
    (cost,) = decide(given(var_bps="11", products=(low, high))).costs
    assert (cost.constraint, cost.rate, cost.per_day) == (
        Constraint.VAR_LIMIT,
        D("0.0036"),
        D("10.0000"),
    )


def test_a_bill_is_bought_below_its_face_and_a_deposit_earns_on_top() -> None:
    """Discount on 360 days: 1,000,000 at 3.6 % for 28 days costs 997,200.00."""
    days = Days(settles_on=date(2026, 11, 17), matures_on=date(2026, 12, 15))
    bill = replace(BILL, rate=D("0.036"))
    assert earned(bill, D(1_000_000), days) == (D("997200.00"), D("2800.00"))
    night = Days(settles_on=date(2026, 11, 20), matures_on=date(2026, 11, 23))
    assert earned(replace(OVERNIGHT, rate=D("0.036")), D(1_000_000), night) == (
        D(1_000_000),
        D("300.00"),
    )


def test_new_cash_goes_to_the_rung_that_lacks_most() -> None:
    rungs = [date(2026, 11, 24), date(2026, 12, 1), date(2026, 12, 8), date(2026, 12, 15)]
    assert emptiest_rung(rungs, (), D(400)) == rungs[3]
    full = (Held(matures_on=rungs[3], amount=D(100)), Held(matures_on=rungs[2], amount=D(40)))
    assert emptiest_rung(rungs, full, D(100)) == rungs[1]
    all_but_first = tuple(Held(matures_on=day, amount=D(100)) for day in rungs[1:])
    assert emptiest_rung(rungs, all_but_first, D(100)) == rungs[0]


def test_four_sweeps_of_the_same_size_fill_the_four_rungs() -> None:
    ladder: tuple[Held, ...] = ()
    for _ in range(4):
        outcome = decide(given(ladder=ladder))
        assert outcome.matures_on is not None
        ladder = (*ladder, Held(matures_on=outcome.matures_on, amount=outcome.amount))
    assert len({one.matures_on for one in ladder}) == 4


amounts = st.decimals(
    min_value=-(10**9), max_value=10**12, places=4, allow_nan=False, allow_infinity=False
)
positive = st.decimals(min_value=0, max_value=10**10, places=4)
increments = st.sampled_from([D("0.01"), D(1), D(100), D(1_000_000)])
readings = st.one_of(st.none(), st.decimals(min_value=0, max_value=100, places=4))


@st.composite
def situations(draw: st.DrawFn) -> Inputs:
    money = Money(
        available=draw(amounts),
        as_of=NOW,
        committed=draw(positive),
        in_flight=draw(positive),
        minimum=draw(positive),
        outflows=draw(amounts),
        lowest=draw(st.one_of(st.none(), amounts)),
    )
    products = tuple(
        replace(one, increment=draw(increments), cap=draw(st.one_of(st.none(), positive)))
        for one in (OVERNIGHT, BILL, NOTE)
    )
    policy = Policy(
        buffer_share=draw(st.decimals(min_value=0, max_value=1, places=2)),
        prefers_green=draw(st.booleans()),
        fallback_keeps_buffer=draw(st.booleans()),
    )
    risk = Risk(
        state=draw(st.sampled_from(RiskState)),
        var_bps=draw(readings),
        observations=draw(st.integers(min_value=0, max_value=250)),
    )
    return given(money=money, products=products, policy=policy, risk=risk)


@drawn(situations())
@settings(max_examples=300, deadline=None)
def test_never_more_than_the_excess_and_always_a_multiple(inputs: Inputs) -> None:
    outcome = decide(inputs)
    assert D(0) <= outcome.amount <= outcome.excess
    if outcome.result is Result.SWEEP:
        chosen = next(one for one in inputs.products if one.code == outcome.product)
        assert outcome.amount % chosen.increment == 0
        assert outcome.amount >= inputs.policy.minimum_sweep
        assert outcome.comes_back == outcome.paid_out + outcome.interest
        assert outcome.paid_out <= outcome.amount
        assert outcome.settles_on is not None
        assert outcome.matures_on is not None
        assert outcome.settles_on < outcome.matures_on
        if chosen.cap is not None:
            assert outcome.amount <= max(D(0), chosen.cap - chosen.held)
    else:
        assert outcome.amount == 0


@drawn(situations(), st.decimals(min_value=0, max_value=1, places=2))
@settings(max_examples=200, deadline=None)
def test_a_larger_buffer_never_sweeps_more(inputs: Inputs, more: Decimal) -> None:
    larger = replace(inputs.policy, buffer_share=inputs.policy.buffer_share + more)
    assert decide(replace(inputs, policy=larger)).amount <= decide(inputs).amount


@drawn(situations())
@settings(max_examples=200, deadline=None)
def test_a_breach_takes_the_overnight_product_or_nothing(inputs: Inputs) -> None:
    outcome = decide(replace(inputs, risk=replace(inputs.risk, state=RiskState.STALE)))
    assert outcome.product in ("", "FED_RRP")
    assert outcome.branch is Branch.FALLBACK


@drawn(situations())
@settings(max_examples=200, deadline=None)
def test_what_stays_and_what_goes_add_up(inputs: Inputs) -> None:
    """What the constraints kept back and what is swept is all that was free."""
    outcome = decide(inputs)
    kept = sum(
        (one.amount for one in outcome.costs if one.constraint is not Constraint.VAR_LIMIT), D(0)
    )
    money = inputs.money
    free = max(D(0), money.available - money.committed - money.in_flight)
    assert kept + outcome.amount == free


@drawn(situations())
@settings(max_examples=200, deadline=None)
def test_a_record_replays_to_the_same_bytes(inputs: Inputs) -> None:
    record, universe = records.record_of(inputs, decide(inputs)), records.universe_of(inputs)
    assert records.inputs_of(record, universe) == inputs
    assert records.outcome_of(record) == decide(inputs)
    assert records.replayed(record, universe) == record


def whole_record(inputs: Inputs) -> str:
    """Return a record as version 1 wrote it: it holds its products and calendars itself."""
    facts = {"version": 1, "inputs": inputs, "outcome": decide(inputs)}
    return records.canonical({name: records.plain(value) for name, value in facts.items()})


@drawn(situations())
@settings(max_examples=50, deadline=None)
def test_a_record_of_version_1_replays_to_the_same_bytes(inputs: Inputs) -> None:
    record = whole_record(inputs)
    assert records.inputs_of(record, "") == inputs
    assert records.replayed(record, "") == record


def test_a_record_is_read_with_the_universe_it_names_and_no_other() -> None:
    record, universe = records.record_of(given(), decide(given())), records.universe_of(given())
    for other in ("", universe.replace('"rate":"0.05"', '"rate":"0.5"') + " "):
        with pytest.raises(Invalid, match="not those that this record names"):
            records.inputs_of(record, other)


def test_a_changed_record_does_not_replay() -> None:
    """The negative control: one digit of the outcome, and the difference is named."""
    record, universe = records.record_of(given(), decide(given())), records.universe_of(given())
    forged = record.replace('"amount":"760000",', '"amount":"760000.01",')
    assert forged != record
    assert records.replayed(forged, universe) != forged
    ((path, was, now),) = records.differences(forged, records.replayed(forged, universe))
    assert (path, was, now) == ("outcome.amount", '"760000.01"', '"760000"')


@pytest.mark.parametrize(
    "broken",
    ["", "[]", '{"version":2}', '{"version":3}', '{"version":1,"inputs":{}}', '{"version":1}'],
)
def test_what_is_no_record_is_refused(broken: str) -> None:
    with pytest.raises(Invalid):
        records.replayed(broken, "")


def test_the_same_facts_a_minute_later_have_the_same_digest() -> None:
    later = replace(given(), decided_at=NOW + timedelta(minutes=1))
    assert records.facts_digest(later) == records.facts_digest(given())
    assert records.facts_digest(given(excess="1000001")) != records.facts_digest(given())


def test_rounding_down_never_rounds_up() -> None:
    assert floor_to(D("199.99"), D(100)) == D(100)
    assert floor_to(D("-1"), D(100)) == D(0)
    assert datetime(2026, 11, 17, 15, 15, tzinfo=UTC) == NOW
