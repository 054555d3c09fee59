"""Whatever arrives in whatever order, however often: the same entries, counted once."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.tenancy import bound
from tests.treasury.bank.paper import DAY, E, S, arrive, camt, day_statement, mt940
from treasury.engine.identity import Marks, Rung, same, shared_rung
from treasury.engine.merge import assign
from treasury.models import BankAccount, BankEntry
from treasury.selectors import positions

D1 = DAY + timedelta(days=1)


def state_of(account: BankAccount) -> Counter[tuple[Any, ...]]:
    rows = BankEntry.objects.filter(account=account, state="COUNTED")
    return Counter(
        rows.values_list(
            "amount", "booking_date", "value_date", "status", "bank_reference", "best_source"
        )
    )


TRUTH = (
    E(amount="250.00", ref="R1", e2e="E1", uetr="7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b", text="a"),
    E(amount="250.00", ref="R2", e2e="E2", text="a"),
    E(amount="-3.50", ref="R3", text="coffee"),
    E(amount="-3.50", ref="R4", text="coffee"),
    E(amount="90", ref="R5", e2e="SALARY", text="b"),
)


def shown(*marks: str, text: bool = True) -> tuple[E, ...]:
    """Return the entries as a source shows them that gives only some references."""
    from dataclasses import replace

    hidden = {name: "" for name in ("ref", "e2e", "uetr") if name not in marks}
    if not text:
        hidden["text"] = ""
    return tuple(replace(one, **hidden) for one in TRUTH)


MESSAGES = {
    "054 without references": camt("054", S(id="N1", entries=shown("e2e"))),
    "054 one by one": camt("054", *(S(id=f"N2{i}", entries=(one,)) for i, one in enumerate(TRUTH))),
    "052": camt("052", S(id="I1", entries=shown("e2e", "uetr"))),
    "052 with references": camt("052", S(id="I2", entries=shown("ref"))),
    "053": camt("053", day_statement(*TRUTH)),
    "053 of the next day": camt(
        "053", day_statement(E(amount="1", ref="X").on(D1), opening="1583.00", day=D1, seq=2)
    ),
    "MT940": mt940(*shown("ref")),
}
EXPECTED = Counter(
    [(Decimal(one.amount), DAY, DAY, "BOOK", one.ref, "CAMT053") for one in TRUTH]
    + [(Decimal(1), D1, D1, "BOOK", "X", "CAMT053")]
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    order=st.permutations(sorted(MESSAGES)),
    repeats=st.lists(st.sampled_from(sorted(MESSAGES)), max_size=4),
)
def test_any_order_and_repetition_gives_the_same_entries(
    account: BankAccount, order: list[str], repeats: list[str]
) -> None:
    with transaction.atomic():
        for name in (*order, *repeats):
            arrive(MESSAGES[name])
        assert state_of(account) == EXPECTED
        assert positions.position_ladder(account_id=account.pk, start=D1, days=1)[0].closing == (
            Decimal("1584.00")
        )
        transaction.set_rollback(True)


@pytest.mark.parametrize("order", list(itertools.permutations(["054", "052", "MT940"])))
def test_before_the_statement_comes_each_entry_counts_once_too(
    account: BankAccount, order: tuple[str, ...]
) -> None:
    data = {
        "054": camt("054", S(id="N1", entries=TRUTH)),
        "052": camt("052", S(id="I1", entries=shown("ref", "e2e"))),
        "MT940": mt940(*shown("ref")),
    }
    for name in order:
        arrive(data[name])
    found = Counter(BankEntry.objects.filter(state="COUNTED").values_list("amount", flat=True))
    assert found == Counter(Decimal(one.amount) for one in TRUTH)


# --- the ladder by itself --------------------------------------------------------------------

words = st.sampled_from(["", "", "A", "B", "C"])
marks = st.builds(
    Marks,
    amount=st.sampled_from([Decimal(1), Decimal(2)]),
    booking_date=st.just(DAY),
    value_date=st.sampled_from([DAY, D1]),
    bank_reference=words,
    uetr=words,
    end_to_end_id=words,
    content=words,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(marks, max_size=12), st.lists(marks, max_size=12))
def test_every_assignment_is_sound(sightings: list[Marks], known: list[Marks]) -> None:
    found = assign(sightings, known).found
    used = [index for index in found if index is not None]
    assert len(used) == len(set(used))
    for one, index in zip(sightings, found, strict=True):
        if index is not None:
            assert same(one, known[index])
            assert one.amount == known[index].amount


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(marks, max_size=12))
def test_a_source_shown_again_brings_nothing_new(sightings: list[Marks]) -> None:
    again = assign(sightings, sightings)
    assert None not in again.found
    assert again.doubles == ()


@given(marks, marks)
def test_sameness_does_not_depend_on_who_came_first(one: Marks, other: Marks) -> None:
    assert same(one, other) == same(other, one)
    assert shared_rung(one, other) in Rung


def test_the_strongest_shared_mark_decides() -> None:
    base: dict[str, Any] = {"amount": Decimal(1), "booking_date": DAY, "value_date": DAY}
    one = Marks(**base, bank_reference="A", end_to_end_id="E")
    assert not same(one, Marks(**base, bank_reference="B", end_to_end_id="E"))
    assert same(one, Marks(**base, end_to_end_id="E", content="other words"))
    assert not same(one, Marks(**{**base, "booking_date": date(2026, 1, 1)}, bank_reference="A"))
    assert not same(one, Marks(**{**base, "amount": Decimal(-1)}, bank_reference="A"))


def test_many_equal_entries_are_assigned_in_linear_time() -> None:
    one = Marks(amount=Decimal(1), booking_date=DAY, value_date=DAY)
    started = datetime.now(UTC)  # noqa: TID251 - measures this test, not the domain
    found = assign([one] * 30_000, [one] * 30_000).found
    assert found == tuple(range(30_000))
    assert (datetime.now(UTC) - started).total_seconds() < 20  # noqa: TID251


def test_another_tenant_sees_nothing_and_shares_nothing(
    account: BankAccount, other_tenant: Any
) -> None:
    arrive(camt("053", day_statement(*TRUTH)))
    with bound(other_tenant.id, actor="system:test"):
        assert BankEntry.objects.count() == 0
        assert positions.positions(on=DAY) == []
    assert len(positions.positions(on=DAY)) == 1
