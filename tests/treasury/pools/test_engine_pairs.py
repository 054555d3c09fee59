"""Both sides of a bank's own sweep are found, or nobody guesses; and where pooling may go."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasury.engine.pool_pairs import Side, pair_up
from treasury.engine.pool_picture import WIDTH, picture
from treasury.engine.pool_rules import Place, crosses, forbidden

DAY = date(2026, 11, 17)


def side(entry: str, account: str, amount: str, reference: str = "", day: date = DAY) -> Side:
    return Side(entry=entry, account=account, day=day, amount=Decimal(amount), reference=reference)


def named(headers: list[Side], members: list[Side]) -> set[tuple[str, str]]:
    return {(pair.debit.entry, pair.credit.entry) for pair in pair_up(headers, members).pairs}


def test_opposite_amounts_of_one_day_are_one_sweep() -> None:
    headers = [side("h1", "H", "100"), side("h2", "H", "-40")]
    members = [side("a", "A", "-100"), side("b", "B", "40")]
    assert named(headers, members) == {("a", "h1"), ("h2", "b")}
    assert pair_up(headers, members).alone == ()


def test_another_day_or_amount_is_another_sweep() -> None:
    found = pair_up(
        [side("h", "H", "100")],
        [side("a", "A", "-100", day=date(2026, 11, 16)), side("b", "B", "-99.99")],
    )
    assert found.pairs == ()
    assert {one.entry for one in found.alone} == {"h", "a", "b"}


def test_two_companies_with_one_amount_are_not_guessed() -> None:
    headers = [side("h1", "H", "100"), side("h2", "H", "100")]
    members = [side("a", "A", "-100"), side("b", "B", "-100")]
    found = pair_up(headers, members)
    assert found.pairs == ()
    assert len(found.alone) == 4


def test_a_shared_reference_tells_them_apart() -> None:
    headers = [side("h1", "H", "100", "Z1"), side("h2", "H", "100")]
    members = [side("a", "A", "-100", "Z1"), side("b", "B", "-100")]
    assert named(headers, members) == {("a", "h1"), ("b", "h2")}


@given(st.lists(st.tuples(st.sampled_from("HABC"), st.integers(-3, 3)), max_size=12))
def test_no_entry_is_in_two_pairs_and_none_is_lost(rows: list[tuple[str, int]]) -> None:
    sides = [
        side(str(place), account, str(amount))
        for place, (account, amount) in enumerate(rows)
        if amount
    ]
    headers = [one for one in sides if one.account == "H"]
    members = [one for one in sides if one.account != "H"]
    found = pair_up(headers, members)
    used = [one.entry for pair in found.pairs for one in (pair.debit, pair.credit)]
    assert len(used) == len(set(used))
    assert sorted([*used, *(one.entry for one in found.alone)]) == sorted(
        one.entry for one in sides
    )
    assert all(pair.debit.amount == -pair.credit.amount < 0 for pair in found.pairs)


def place(bank: str, entity: str) -> Place:
    return Place(bank_country=bank, entity_country=entity)


@pytest.mark.parametrize(
    ("places", "allowed"),
    [
        ([place("GB", "GB"), place("GB", "DE")], True),
        ([place("AE", "AE"), place("GB", "GB")], True),
        ([place("IN", "IN"), place("IN", "IN")], True),
        ([place("IN", "IN"), place("GB", "GB")], False),
        # An Indian company's account in London, and a London company's accounts in Mumbai.
        ([place("GB", "IN"), place("GB", "GB")], False),
        ([place("IN", "GB"), place("IN", "IN")], False),
        ([place("IN", "GB"), place("IN", "GB")], True),
    ],
)
def test_nothing_is_pooled_across_indias_border(places: list[Place], allowed: bool) -> None:
    assert (forbidden(places) == "") is allowed
    if not allowed:
        assert "IN allows no cross-border pooling" in forbidden(places)


def test_other_borders_are_said_and_not_forbidden() -> None:
    assert crosses(place("GB", "GB"), place("GB", "GB")) == ""
    assert "DE to GB" in crosses(place("GB", "DE"), place("GB", "GB"))


@given(
    st.lists(st.tuples(st.just("A"), *[st.integers(-(10**9), 10**9).map(Decimal)] * 2), max_size=8)
)
def test_every_bar_is_inside_the_picture(rows: list[tuple[str, Decimal, Decimal]]) -> None:
    drawn = picture(rows)
    for bar in drawn.bars:
        for x, width in ((bar.before_x, bar.before_width), (bar.after_x, bar.after_width)):
            assert x >= 0
            assert width >= 0
            assert x + width <= WIDTH + 1
