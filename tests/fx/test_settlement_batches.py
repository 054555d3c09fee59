"""A bank books the payments of several deals as one entry: each leg is settled by its part."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from fx.models import Deal, DealLeg
from tests.fx.settling import Settling, book, follow, leg
from treasury.models import BankEntry, EntryPart
from treasury.services import answers, flows


def batch(legs: Sequence[DealLeg], **more: Any) -> BankEntry:
    """Let the bank book these legs as one entry, and list them."""
    sign = -1 if legs[0].is_pay else 1
    total = sum((one.amount for one in legs), Decimal(0)) * sign
    entry = book(legs[0], f"{total:f}", end_to_end_id="", **more)
    for number, one in enumerate(legs, start=1):
        name = one.reference if one.is_pay else one.deal.counterparty_reference
        EntryPart.objects.create(
            entry=entry, number=number, source="BANK", amount=one.amount * sign, end_to_end_id=name
        )
    answers.apply_entries(entries=[entry])
    flows.match_entries(entries=[entry])
    return entry


@pytest.fixture
def two(settles: Settling) -> list[Deal]:
    """Two deals whose payments the bank has."""
    return [settles.sent(dealt=f"{amount} USD") for amount in ("1000000.00", "250000.00")]


@pytest.mark.parametrize("number", [1, 2], ids=["paid", "received"])
def test_each_leg_is_settled_by_its_part(two: list[Deal], number: int) -> None:
    legs = [leg(deal, number) for deal in two]
    entry = batch(legs)
    for deal in two:
        follow(deal)
    for deal, one in zip(two, legs, strict=True):
        settled = leg(deal, number)
        assert (settled.state, settled.entry) == ("SETTLED", entry)
        assert settled.entry_part is not None
        assert abs(settled.entry_part.amount) == one.amount
        assert not follow(deal).closing_reason


def test_both_sides_in_batches_settle_both_deals(two: list[Deal]) -> None:
    for number in (1, 2):
        batch([leg(deal, number) for deal in two])
    assert {follow(deal).state for deal in two} == {"SETTLED"}


def test_a_leg_is_no_part_of_another_entry(two: list[Deal]) -> None:
    first, second = (leg(deal, 2) for deal in two)
    entry = batch([first, second])
    for deal in two:
        follow(deal)
    held = DealLeg.objects.filter(pk=leg(two[0], 2).pk)
    other = leg(two[1], 2).entry_part
    with pytest.raises(IntegrityError, match="no entry of its bank"), transaction.atomic():
        held.update(entry_part=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        held.update(entry_part=other)
    assert held.update(entry=entry) == 1
