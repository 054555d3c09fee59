"""What moves in a pool: worked examples, and what holds for every pool."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from treasury.engine.pool_records import inputs_of, outcome_of, record_of, replayed
from treasury.engine.pools import (
    Direction,
    Header,
    Inputs,
    Line,
    Member,
    Outcome,
    Reason,
    ShortfallRule,
    pool_moves,
)

D = Decimal
CENT: Final = D("0.01")
DAY: Final = date(2026, 11, 17)


def member(account: str, balance: str, target: str = "0", **more: Any) -> Member:
    facts: dict[str, Any] = {"minimum": D(0), "multiple": CENT, **more}
    for name in ("minimum", "multiple", "lower", "upper", "moved_today"):
        if isinstance(facts.get(name), str):
            facts[name] = D(facts[name])
    return Member(account=account, balance=D(balance), target=D(target), **facts)


def pool(*members: Member, header: str = "0", floor: str = "0", rule: str = "PRIORITY") -> Inputs:
    return Inputs(
        pool="P",
        day=DAY,
        decided_at=datetime(2026, 11, 17, 14, tzinfo=UTC),
        currency="GBP",
        rule=ShortfallRule(rule),
        header=Header(account="H", balance=D(header), floor=D(floor)),
        members=members,
    )


def by_account(outcome: Outcome) -> dict[str, Line]:
    return {line.account: line for line in outcome.lines}


def moved(outcome: Outcome) -> dict[str, str]:
    return {
        line.account: f"{line.direction.value} {line.amount}"
        for line in outcome.lines
        if line.amount
    }


def test_a_zero_balance_pool_leaves_nothing_below() -> None:
    """Two credit balances go up, the overdraft comes down; the header nets all three."""
    found = pool_moves(
        pool(member("A", "120000.50"), member("B", "-45000.25"), member("C", "3000"), header="10")
    )
    assert moved(found) == {"A": "UP 120000.50", "B": "DOWN 45000.25", "C": "UP 3000.00"}
    assert [line.after for line in found.lines] == [0, 0, 0]
    assert found.header_after == D("78010.25")


def test_a_target_balance_pool_leaves_each_its_target() -> None:
    found = pool_moves(
        pool(member("A", "80000", "50000"), member("B", "20000", "50000"), header="1000000")
    )
    assert moved(found) == {"A": "UP 30000.00", "B": "DOWN 30000.00"}
    assert found.header_after == D(1_000_000)


def test_what_goes_up_pays_for_what_comes_down() -> None:
    """The header itself has nothing above its floor: the surplus of A is all there is for B."""
    found = pool_moves(pool(member("A", "500"), member("B", "-400"), header="100", floor="100"))
    assert moved(found) == {"A": "UP 500.00", "B": "DOWN 400.00"}
    assert found.header_after == D(200)


def test_a_short_header_funds_by_priority_and_says_who_lacks() -> None:
    found = pool_moves(
        pool(
            member("A", "-300", priority=2),
            member("B", "-500", priority=1),
            member("C", "-200", priority=3),
            header="700",
            floor="100",
        )
    )
    lines = by_account(found)
    assert [line.account for line in found.lines] == ["B", "A", "C"]
    assert moved(found) == {"B": "DOWN 500.00", "A": "DOWN 100.00"}
    assert lines["A"].reason is Reason.PARTLY_FUNDED
    assert lines["C"].reason is Reason.NOT_FUNDED
    assert (lines["A"].short, lines["C"].short, found.short) == (D(200), D(200), D(400))
    assert found.header_after == D(100)


def test_a_short_header_funds_in_proportion() -> None:
    """600 for wants of 300, 500 and 200: sixty per cent each."""
    found = pool_moves(
        pool(
            member("A", "-300"), member("B", "-500"), member("C", "-200"),
            header="700", floor="100", rule="PRO_RATA",
        )
    )  # fmt: skip
    assert moved(found) == {"A": "DOWN 180.00", "B": "DOWN 300.00", "C": "DOWN 120.00"}
    assert found.header_after == D(100)


def test_shares_below_the_smallest_move_go_to_the_others() -> None:
    """100 for wants of 300 and 100: 75 and 25, but B takes no less than 50."""
    found = pool_moves(
        pool(
            member("A", "-300"), member("B", "-100", minimum="50"),
            header="100", rule="PRO_RATA",
        )
    )  # fmt: skip
    assert moved(found) == {"A": "DOWN 100.00"}
    assert by_account(found)["B"].reason is Reason.NOT_FUNDED


def test_a_header_below_its_floor_funds_nobody_and_still_takes_up() -> None:
    found = pool_moves(pool(member("A", "50"), member("B", "-20"), header="-500", floor="0"))
    assert moved(found) == {"A": "UP 50.00"}
    assert found.header_after == D(-450)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (member("A", "100", "100"), Reason.AT_TARGET),
        (member("A", "999.99", "0", minimum="1000"), Reason.BELOW_MINIMUM),
        (member("A", "-999.99", "0", minimum="1000"), Reason.BELOW_MINIMUM),
        (member("A", "999", "0", multiple="1000"), Reason.BELOW_MINIMUM),
        (member("A", "150", "100", lower="50", upper="150"), Reason.WITHIN_BAND),
        (member("A", "50", "100", lower="50", upper="150"), Reason.WITHIN_BAND),
        (member("A", "-5", is_one_way=True), Reason.ONE_WAY),
        (member("A", "500", obstacle=Reason.NOT_POOLABLE), Reason.NOT_POOLABLE),
        (member("A", "500", obstacle=Reason.STALE_BALANCE), Reason.STALE_BALANCE),
    ],
)
def test_what_stays_says_why(one: Member, reason: Reason) -> None:
    found = pool_moves(pool(one, header="1000000"))
    assert moved(found) == {}
    assert by_account(found)["A"].reason is reason
    assert by_account(found)["A"].after == one.balance


def test_outside_of_its_band_an_account_goes_back_to_its_target() -> None:
    band = {"lower": "50", "upper": "150"}
    found = pool_moves(
        pool(
            member("A", "150.01", "100", **band), member("B", "49.99", "100", **band),
            header="1000",
        )
    )  # fmt: skip
    assert moved(found) == {"A": "UP 50.01", "B": "DOWN 50.01"}


def test_multiples_round_a_sweep_down_and_a_funding_up() -> None:
    found = pool_moves(
        pool(
            member("A", "123456", multiple="1000"), member("B", "-1500", multiple="1000"),
            header="0",
        )
    )  # fmt: skip
    assert moved(found) == {"A": "UP 123000", "B": "DOWN 2000"}


@pytest.mark.parametrize(
    ("balance", "moved_today", "moves"),
    [
        ("-200", "-5000", False),
        ("-200.01", "-5000", True),
        ("200", "5000", False),
        ("200.01", "5000", True),
        # The same way again is no ping-pong.
        ("150", "-5000", True),
        ("-150", "5000", True),
    ],
)
def test_money_does_not_go_back_and_forth_on_one_day(
    balance: str, moved_today: str, moves: bool
) -> None:
    one = member("A", balance, minimum="100", moved_today=moved_today)
    found = pool_moves(pool(one, header="100000"))
    assert bool(moved(found)) is moves
    assert moves or by_account(found)["A"].reason is Reason.BACK_AND_FORTH


AMOUNTS = st.integers(-(10**12), 10**12).map(lambda cents: D(cents) / 100)
SIZES = st.integers(0, 10**8).map(lambda cents: D(cents) / 100)


@st.composite
def members(draw: st.DrawFn, account: str) -> Member:
    target = draw(SIZES)
    return Member(
        account=account,
        balance=draw(AMOUNTS),
        target=target,
        minimum=draw(SIZES),
        multiple=draw(st.sampled_from([CENT, D(1), D(1000), D("12.34")])),
        lower=draw(st.none() | st.just(target - draw(SIZES))),
        upper=draw(st.none() | st.just(target + draw(SIZES))),
        is_one_way=draw(st.booleans()),
        priority=draw(st.integers(0, 3)),
        moved_today=draw(st.just(D(0)) | AMOUNTS),
        obstacle=draw(st.none() | st.none() | st.just(Reason.STALE_BALANCE)),
    )


@st.composite
def pools(draw: st.DrawFn) -> Inputs:
    return Inputs(
        pool="P",
        day=DAY,
        decided_at=datetime(2026, 11, 17, 14, tzinfo=UTC),
        currency="GBP",
        rule=draw(st.sampled_from(ShortfallRule)),
        header=Header(account="H", balance=draw(AMOUNTS), floor=draw(SIZES)),
        members=tuple(draw(members(f"A{place}")) for place in range(draw(st.integers(0, 7)))),
    )


@given(pools())
def test_money_is_conserved(inputs: Inputs) -> None:
    found = pool_moves(inputs)
    before = inputs.header.balance + sum(one.balance for one in inputs.members)
    assert found.header_after + sum(line.after for line in found.lines) == before
    assert found.header_after == found.header_before + found.swept - found.funded


@given(pools())
def test_funding_never_takes_the_header_below_its_floor(inputs: Inputs) -> None:
    found = pool_moves(inputs)
    assert found.funded == 0 or found.header_after >= inputs.header.floor


@given(pools())
def test_moves_are_multiples_and_no_less_than_the_smallest(inputs: Inputs) -> None:
    found = by_account(pool_moves(inputs))
    for one in inputs.members:
        line = found[one.account]
        assert line.amount % one.multiple == 0
        assert line.amount == 0 or line.amount >= one.minimum
        assert (line.direction is Direction.NONE) == (line.wanted == 0)
        assert 0 <= line.amount <= line.wanted


@given(pools())
def test_nobody_is_swept_below_the_target_or_funded_past_one_multiple(inputs: Inputs) -> None:
    found = by_account(pool_moves(inputs))
    for one in inputs.members:
        line = found[one.account]
        if line.direction is Direction.UP:
            assert line.after >= one.target
        elif line.direction is Direction.DOWN:
            assert not one.is_one_way
            assert line.after < one.target + one.multiple
        if one.obstacle is not None:
            assert line.amount == 0


@given(pools(), st.randoms(use_true_random=False))
def test_the_order_of_members_changes_nothing(inputs: Inputs, random: Any) -> None:
    shuffled = list(inputs.members)
    random.shuffle(shuffled)
    assert pool_moves(replace(inputs, members=tuple(shuffled))) == pool_moves(inputs)


@given(pools())
def test_nobody_lacks_anything_while_the_header_can_pay(inputs: Inputs) -> None:
    found = pool_moves(inputs)
    wanted = sum(line.wanted for line in found.lines if line.direction is Direction.DOWN)
    if found.header_before + found.swept - inputs.header.floor >= wanted:
        assert found.short == 0


@given(pools())
def test_a_second_run_on_the_outcome_sweeps_nothing_back(inputs: Inputs) -> None:
    """What was just moved is known, and every balance is where it was brought."""
    first = by_account(pool_moves(inputs))
    again = tuple(
        replace(one, balance=first[one.account].after, moved_today=_signed(first[one.account]))
        for one in inputs.members
    )
    header = replace(inputs.header, balance=pool_moves(inputs).header_after)
    second = by_account(pool_moves(replace(inputs, members=again, header=header)))
    for one in inputs.members:
        opposite = {first[one.account].direction, second[one.account].direction} == {
            Direction.UP,
            Direction.DOWN,
        }
        assert not opposite or second[one.account].wanted > one.minimum


def _signed(line: Line) -> Decimal:
    return -line.amount if line.direction is Direction.UP else line.amount


@given(pools())
def test_a_record_replays_to_the_same_bytes(inputs: Inputs) -> None:
    record = record_of(inputs, pool_moves(inputs))
    assert replayed(record) == record
    assert outcome_of(record) == pool_moves(inputs_of(record))


@pytest.mark.parametrize("record", ["", "[]", '{"version":2}', '{"version":1,"inputs":{}}'])
def test_what_is_no_record_is_refused(record: str) -> None:
    with pytest.raises(Invalid):
        replayed(record)
