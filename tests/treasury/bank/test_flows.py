"""What is expected gives way to what is booked; what does not come is said aloud."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import clock
from core.errors import Invalid
from core.events.models import OutboxEvent
from tests.treasury.bank.conftest import NOW
from tests.treasury.bank.paper import DAY, IBAN, E, S, arrive, camt, day_statement
from treasury.errors import AccountUnknown
from treasury.models import BankAccount, BankEntry, ExpectedFlow
from treasury.selectors import flows as reads
from treasury.services import flows

TODAY = NOW.date()


def wish(account: BankAccount, ref: str = "f1", **more: Any) -> flows.FlowIn:
    facts: dict[str, Any] = {
        "account_id": account.pk, "source": "PAYOUT", "source_ref": ref, "amount": Decimal(-100),
        "value_date": DAY, "description": "payout", **more,
    }  # fmt: skip
    return flows.FlowIn(**facts)


def state(ref: str = "f1") -> str:
    return ExpectedFlow.objects.get(source_ref=ref).state


def test_a_flow_is_written_once_and_brought_up_to_date(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account))
    flows.put_expected_flow(flow=wish(account, amount=Decimal(-120)))
    assert ExpectedFlow.objects.get().amount == -120


@pytest.mark.parametrize("amount", ["0", "NaN", "Infinity", "1e17", "-1.001"])
def test_an_impossible_amount_is_refused(account: BankAccount, amount: str) -> None:
    with pytest.raises(Invalid):
        flows.put_expected_flow(flow=wish(account, amount=Decimal(amount)))
    assert not ExpectedFlow.objects.exists()


def test_a_manual_flow_needs_an_expiry(account: BankAccount) -> None:
    with pytest.raises(Invalid):
        flows.put_expected_flow(flow=wish(account, source="MANUAL"))


def test_an_unknown_account_is_refused(account: BankAccount) -> None:
    with pytest.raises(AccountUnknown):
        flows.put_expected_flow(flow=wish(account, account_id=account.entity_id))


def test_an_entry_with_the_same_end_to_end_id_fulfils_a_flow(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account, source="DEAL", end_to_end_id="E1"))
    arrive(camt("053", day_statement(E(amount="-100", ref="R", e2e="E1"))))
    assert state() == "MATCHED"
    assert ExpectedFlow.objects.get().matched_entry == BankEntry.objects.get()


def test_a_fee_kept_on_the_way_does_not_hide_the_payment(account: BankAccount) -> None:
    flows.put_expected_flow(
        flow=wish(account, source="DEAL", end_to_end_id="E1", amount=Decimal(5000))
    )
    arrive(camt("053", day_statement(E(amount="4980", ref="R", e2e="E1"))))
    assert state() == "MATCHED"


@pytest.mark.parametrize("amount", ["100", "-80"])
def test_another_amount_or_direction_is_another_payment(account: BankAccount, amount: str) -> None:
    flows.put_expected_flow(flow=wish(account, source="DEAL", end_to_end_id="E1"))
    arrive(camt("053", day_statement(E(amount=amount, ref="R", e2e="E1"))))
    assert state() == "EXPECTED"


def test_a_payout_is_matched_by_amount_when_only_one_fits(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account, value_date=DAY + timedelta(days=1)))
    arrive(camt("053", day_statement(E(amount="-100", ref="R"))))
    assert state() == "MATCHED"


def test_two_payouts_that_fit_are_left_to_a_person(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account, "f1"))
    flows.put_expected_flow(flow=wish(account, "f2"))
    arrive(camt("053", day_statement(E(amount="-100", ref="R"))))
    assert {state("f1"), state("f2")} == {"EXPECTED"}


def test_two_entries_that_fit_are_left_to_a_person(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account))
    arrive(camt("053", day_statement(E(amount="-100", ref="R"), E(amount="-100", ref="S"))))
    assert state() == "EXPECTED"


def test_only_payouts_are_matched_by_amount(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account, source="FORECAST"))
    arrive(camt("053", day_statement(E(amount="-100", ref="R"))))
    assert state() == "EXPECTED"


def test_pending_fulfils_nothing(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account, source="DEAL", end_to_end_id="E1"))
    arrive(camt("052", S(id="I1", entries=(E(amount="-100", e2e="E1", status="PDNG"),))))
    assert state() == "EXPECTED"
    arrive(camt("053", day_statement(E(amount="-100", e2e="E1"))))
    assert state() == "MATCHED"


def test_a_withdrawn_entry_gives_its_flow_back(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account, source="DEAL", end_to_end_id="E1"))
    arrive(camt("053", day_statement(E(amount="-100", ref="R", e2e="E1"))))
    corrected = day_statement(created="2026-11-21T08:00:00+01:00")
    arrive(camt("053", corrected))
    assert BankEntry.objects.get().state == "WITHDRAWN"
    assert state() == "EXPECTED"


def test_a_matched_flow_stays_as_it_was(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account))
    arrive(camt("053", day_statement(E(amount="-100", ref="R"))))
    flows.put_expected_flow(flow=wish(account, amount=Decimal(-5)))
    flows.cancel_flow(account_id=account.pk, source="PAYOUT", source_ref="f1")
    assert (state(), ExpectedFlow.objects.get().amount) == ("MATCHED", Decimal(-100))


def test_replacing_cancels_what_is_no_longer_expected(account: BankAccount) -> None:
    start, end = DAY, DAY + timedelta(days=5)
    plans = [wish(account, f"p{n}", value_date=DAY + timedelta(days=n)) for n in range(3)]
    flows.replace_flows(account_id=account.pk, source="PAYOUT", flows=plans, start=start, end=end)
    flows.replace_flows(
        account_id=account.pk, source="PAYOUT", flows=plans[1:], start=start, end=end
    )
    assert [state(f"p{n}") for n in range(3)] == ["CANCELLED", "EXPECTED", "EXPECTED"]
    found = reads.expected(account_id=account.pk, start=start, end=end, sources=["PAYOUT"])
    assert found.count() == 2


def test_replacing_needs_as_many_queries_for_many_as_for_few(
    account: BankAccount, django_assert_max_num_queries: Any
) -> None:
    plans = [wish(account, f"p{n}", amount=Decimal(-n - 1)) for n in range(300)]
    with django_assert_max_num_queries(12):
        flows.replace_flows(account_id=account.pk, source="PAYOUT", flows=plans, start=DAY, end=DAY)


def test_replacing_refuses_what_is_not_its_own(account: BankAccount, open_account: Any) -> None:
    other = open_account("DE75512108001245126199", label="other")
    with pytest.raises(Invalid):
        flows.replace_flows(
            account_id=account.pk, source="PAYOUT", flows=[wish(other)], start=DAY, end=DAY
        )


def test_an_overdue_flow_stops_counting_and_is_announced(account: BankAccount) -> None:
    flows.put_expected_flow(flow=wish(account, value_date=TODAY - timedelta(days=4)))
    flows.put_expected_flow(flow=wish(account, "f2", value_date=TODAY - timedelta(days=3)))
    assert len(flows.mark_stale(now=clock.now())) == 1
    assert (state("f1"), state("f2")) == ("STALE", "EXPECTED")
    assert OutboxEvent.objects.filter(payload__kind="flows_stale").count() == 1
    assert flows.mark_stale(now=clock.now()) == []


def test_a_payment_that_may_have_left_never_goes_stale(account: BankAccount) -> None:
    long_ago = TODAY - timedelta(days=20)
    flows.put_expected_flow(flow=wish(account, source="TRANSFER", value_date=long_ago))
    assert flows.mark_stale(now=clock.now()) == []


def test_a_manual_flow_ends_with_its_expiry(account: BankAccount) -> None:
    flow = wish(account, source="MANUAL", value_date=TODAY, expires_on=TODAY)
    flows.put_expected_flow(flow=flow)
    assert flows.mark_stale(now=clock.now()) == []
    with clock.frozen(NOW + timedelta(days=1)):
        assert len(flows.mark_stale(now=clock.now())) == 1


def test_a_stale_flow_is_still_matched_when_it_comes_late(account: BankAccount) -> None:
    flow = wish(account, source="DEAL", end_to_end_id="E1", value_date=date(2026, 11, 10))
    flows.put_expected_flow(flow=flow)
    flows.mark_stale(now=clock.now())
    arrive(camt("053", day_statement(E(amount="-100", ref="R", e2e="E1"))))
    assert state() == "MATCHED"
    assert IBAN


@pytest.mark.parametrize(
    ("more", "found"),
    [({"return_reason": "AC04"}, "EXPECTED"), ({"is_reversal": True}, "EXPECTED"), ({}, "MATCHED")],
)
def test_a_nameless_bounce_is_not_the_money_that_matured(
    account: BankAccount, more: dict[str, Any], found: str
) -> None:
    """An order at no rate brings back what went out: only what the bank says tells them apart."""
    flows.put_expected_flow(flow=wish(account, source="SWEEP", amount=Decimal(100)))
    arrive(camt("053", day_statement(E(amount="100", ref="R"))))
    entry = BankEntry.objects.get()
    ExpectedFlow.objects.update(state="EXPECTED", matched_entry=None)
    BankEntry.objects.update(**more)
    entry.refresh_from_db()
    flows.match_entries(entries=[entry])
    assert state() == found
