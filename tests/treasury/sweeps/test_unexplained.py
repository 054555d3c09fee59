"""A debit that looks like a sweep through our own bank, and that no order of ours explains."""

from datetime import timedelta
from decimal import Decimal

import pytest

from core import clock
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.sweeps.conftest import CUTOFF, Sweeping
from tests.treasury.sweeps.paying import FUND, Paying, hear, make_paying
from tests.treasury.sweeps.test_paying import acknowledged, booked
from treasury.models import BankEntry, SweepLine, Task
from treasury.services import sweeps, tasks
from treasury.services.sweeps import unexplained
from treasury.services.sweeps.unexplained import UNEXPLAINED

D = Decimal


@scene
def paying(sweeping: Sweeping, user_with: MakeUser) -> Paying:
    return make_paying(sweeping, user_with)


def told() -> int:
    """Look for unexplained debits as beat does on the day after; return how many tasks stand."""
    with clock.frozen(CUTOFF + timedelta(days=1)):
        sweeps.tell_unexplained(now=clock.now())
    return Task.objects.open().filter(kind=UNEXPLAINED).count()


def test_what_an_order_explains_is_no_question(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(booked(order, -order.paid_out))
    assert told() == 0


@pytest.mark.parametrize("e2e", ["", "SWP-2026-11-17-9999"])
def test_the_same_money_once_more_is_a_persons(paying: Paying, e2e: str) -> None:
    order = acknowledged(paying)
    hear(booked(order, -order.paid_out))
    hear(booked(order, -order.paid_out, number=2, e2e=e2e))
    assert told() == told() == 1
    task = Task.objects.get(kind=UNEXPLAINED)
    assert f"{order.paid_out:,.2f} USD left like a sweep" in task.title
    # What a person has looked into is not asked again.
    tasks.answer_task(kind=UNEXPLAINED, key=task.key, note="The bank took it back.")
    assert told() == 0


def test_what_goes_to_the_payee_of_the_line_needs_an_order(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(booked(order, D(-4711), e2e="", number=3))
    assert told() == 0
    BankEntry.objects.filter(amount=-4711).update(counterparty=FUND["name"].upper())
    assert told() == 1


def test_other_business_of_the_account_and_accounts_without_a_line_are_left_alone(
    paying: Paying,
) -> None:
    order = acknowledged(paying)
    hear(booked(order, D("-1234.56"), e2e="INVOICE-7", number=4))
    hear(booked(order, -order.paid_out, e2e="", number=5))
    SweepLine.objects.update(is_active=False)
    assert told() == 0
    # The control: with the line in force the second one is asked about, the first is not.
    SweepLine.objects.update(is_active=True)
    assert told() == 1


def test_an_entry_that_counts_no_more_is_no_question_any_more(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(booked(order, D(-4711), e2e="SWP-2026-11-17-9999", number=6))
    assert told() == 1
    BankEntry.objects.filter(amount=-4711).update(state="WITHDRAWN")
    assert told() == 0
    assert Task.objects.get(kind=UNEXPLAINED).note == "It is explained, or gone."


def test_beyond_the_most_of_one_look_the_next_ones_are_told_later(
    paying: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unexplained, "ENTRIES_MAX", 2)
    order = acknowledged(paying)
    for number in range(2, 5):
        e2e = f"SWP-2026-11-17-999{number}"
        hear(booked(order, Decimal(-4_700 - number), number=number, e2e=e2e))
    assert [told(), told(), told()] == [2, 3, 3]
