"""Settlement: two legs once a deal is dealt, one payment once confirmed, and the entries."""

from datetime import timedelta

import pytest

from core import clock
from core.errors import Forbidden
from core.events.models import OutboxEvent
from fx.errors import LegAlreadySent
from fx.models import DealLeg, SettlementAlarm
from fx.selectors import exposure
from fx.services import chasing, dealing, instructing, settling
from tests.fx.conftest import NOW
from tests.fx.settling import (
    D,
    Settling,
    book,
    flow_of,
    follow,
    fresh,
    leg,
    payment_of,
    say,
)
from treasury.models import Task
from treasury.selectors import positions
from treasury.services import flows


def test_a_deal_that_is_dealt_has_two_legs_and_two_flows(settles: Settling) -> None:
    deal = settles.desk.executed(tenor="CASH")
    pay, receive = leg(deal, 1), leg(deal, 2)
    assert (pay.direction, pay.currency, pay.amount, pay.state) == (
        "PAY", "USD", D(1_000_000), "EXPECTED",
    )  # fmt: skip
    assert (receive.direction, receive.currency, receive.amount) == (
        "RECEIVE", "INR", D(85_000_000),
    )  # fmt: skip
    assert pay.instruction_id == deal.instruction_id
    assert (flow_of(pay).amount, flow_of(receive).amount) == (D(-1_000_000), D(85_000_000))
    event = OutboxEvent.objects.filter(topic="fx.deal.instruction").latest("id").payload
    assert (event["dealt_ccy"], D(event["dealt_amount"]), D(event["contra_amount"])) == (
        "USD", D(1_000_000), D(85_000_000),
    )  # fmt: skip
    assert [(one["leg_no"], one["direction"], one["ccy"]) for one in event["legs"]] == [
        (1, "PAY", "USD"), (2, "RECEIVE", "INR"),
    ]  # fmt: skip
    assert D(event["legs"][0]["amount"]) == D(1_000_000)
    assert event["legs"][0]["ssi_id"] == str(deal.instruction_id)


def test_the_position_sees_both_legs_and_exposure_counts_what_was_bought_once(
    settles: Settling,
) -> None:
    before = exposure.of_currency("INR", now=NOW).exposure
    deal = settles.desk.executed(tenor="CASH")
    after = exposure.of_currency("INR", now=NOW).exposure
    assert after.prefunded == before.prefunded
    assert after.hedged == before.hedged + D(85_000_000)
    dollars = positions.available(
        account_id=deal.pay_account_id, on=deal.value_date, now=clock.now()
    )
    assert dollars.holds == D(1_000_000)


def test_nothing_is_paid_before_the_counterparty_confirmed(settles: Settling) -> None:
    deal = settles.desk.executed(tenor="CASH")
    assert not instructing.instruct_deal(deal_id=deal.pk)
    assert leg(deal, 1).proposal is None


def test_a_confirmed_deal_proposes_exactly_its_leg(settles: Settling) -> None:
    deal = settles.instructed()
    proposal = payment_of(deal)
    assert (proposal.state, proposal.purpose, proposal.maker) == ("PENDING", "FX_SETTLEMENT", None)
    assert proposal.reference == f"{deal.reference}P1"
    assert (proposal.amount, proposal.currency) == (D(1_000_000), "USD")
    assert deal.instruction is not None
    assert proposal.beneficiary == deal.instruction.beneficiary
    assert proposal.value_date == deal.value_date
    assert leg(deal, 1).state == "INSTRUCTED"
    assert instructing.instruct_due(now=clock.now()) == []


def test_what_is_due_later_is_proposed_on_its_day(settles: Settling) -> None:
    deal = settles.confirmed(tenor="SPOT")
    assert instructing.instruct_due(now=clock.now()) == []
    assert leg(deal, 1).state == "EXPECTED"


def test_from_the_deal_to_the_entries_that_settle_it(settles: Settling) -> None:
    deal = settles.sent()
    assert leg(deal, 1).state == "SENT"
    say(deal, "ACSC")
    book(leg(deal, 1))
    deal = follow(deal)
    assert (leg(deal, 1).state, deal.state) == ("SETTLED", "CONFIRMED")
    book(leg(deal, 2))
    deal = follow(deal)
    assert (leg(deal, 2).state, deal.state) == ("SETTLED", "SETTLED")
    debit = leg(deal, 1).entry
    assert debit is not None
    assert debit.amount == D(-1_000_000)
    assert {flow_of(one).state for one in DealLeg.objects.all()} == {"MATCHED"}


def test_one_leg_alone_rings_once_and_stands_until_the_other_came(settles: Settling) -> None:
    deal = settles.sent()
    book(leg(deal, 1))
    for _ in range(3):
        deal = follow(deal)
    alarm = SettlementAlarm.objects.get()
    assert (alarm.kind, alarm.closed_at) == ("ONE_LEG_SETTLED", None)
    assert "owes us" in alarm.words
    rung = OutboxEvent.objects.filter(topic="risk.alert", payload__kind="fx_one_leg_settled")
    assert rung.count() == 1
    book(leg(deal, 2))
    follow(deal)
    alarm.refresh_from_db()
    assert alarm.closed_at is not None


def test_a_rejection_withdraws_everything_at_once_and_is_instructed_anew(
    settles: Settling,
) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    deal = follow(deal)
    assert (deal.state, leg(deal, 1).state, leg(deal, 2).state) == ("FAILED", "FAILED", "FAILED")
    assert "AC04" in deal.closing_reason
    assert {flow_of(one).state for one in DealLeg.objects.all()} == {"CANCELLED"}
    deal = instructing.reinstruct_deal(
        deal_id=deal.pk, actor=settles.desk.back_office, reason="The account is open again."
    )
    assert (deal.state, leg(deal, 1).version, leg(deal, 2).version) == ("CONFIRMED", 2, 2)
    assert instructing.instruct_deal(deal_id=deal.pk)
    assert payment_of(deal).reference == f"{deal.reference}P2"
    settles.approve(deal)
    settles.send(deal)
    book(leg(deal, 1))
    book(leg(deal, 2))
    assert follow(deal).state == "SETTLED"


def test_money_that_comes_back_fails_a_deal_that_was_settled(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "ACSC")
    book(leg(deal, 1))
    book(leg(deal, 2))
    assert follow(deal).state == "SETTLED"
    paid = leg(deal, 1)
    book(paid, "1000000.00", end_to_end_id=paid.reference, return_reason="AC04")
    settling.follow_open()
    deal = fresh(deal)
    assert (deal.state, leg(deal, 1).state, leg(deal, 2).state) == ("FAILED", "FAILED", "SETTLED")
    assert SettlementAlarm.objects.filter(closed_at=None).count() == 1


def test_a_cut_off_that_passed_fails_the_deal(settles: Settling) -> None:
    deal = settles.confirmed()
    with clock.frozen(NOW + timedelta(days=1)):
        assert not instructing.instruct_deal(deal_id=deal.pk)
    deal = fresh(deal)
    assert (deal.state, leg(deal, 1).state) == ("FAILED", "FAILED")
    assert "cut-off" in deal.closing_reason


def test_who_dealt_does_not_check_the_payment(settles: Settling, user_with: object) -> None:
    from django.contrib.auth.models import Group

    deal = settles.instructed()
    dealer = settles.desk.dealer
    dealer.groups.add(Group.objects.get(name="treasury_checker"))
    with pytest.raises(Forbidden):
        settles.approve(deal, by=dealer)


def test_legs_are_replaced_until_they_left(settles: Settling) -> None:
    deal = settles.instructed()
    old = payment_of(deal)
    instructing.replace_legs(
        deal_id=deal.pk, actor=settles.desk.back_office, reason="They gave another account."
    )
    old.refresh_from_db()
    assert (old.state, leg(deal, 1, version=1).state) == ("CANCELLED", "VOID")
    assert leg(deal, 1).version == 2
    assert instructing.instruct_deal(deal_id=deal.pk)
    settles.approve(deal)
    settles.send(deal)
    with pytest.raises(LegAlreadySent, match="has left or come already"):
        instructing.replace_legs(
            deal_id=deal.pk, actor=settles.desk.back_office, reason="Too late."
        )


def test_what_does_not_come_is_chased_once(settles: Settling) -> None:
    deal = settles.confirmed()
    receive = leg(deal, 2)
    assert chasing.chase_overdue(now=receive.due_at - timedelta(seconds=1)) == []
    chasing.chase_overdue(now=receive.due_at)
    chasing.chase_overdue(now=receive.due_at + timedelta(hours=1))
    assert Task.objects.open().filter(kind=chasing.MISSING).count() == 1
    book(receive)
    follow(deal)
    assert not Task.objects.open().filter(kind=chasing.MISSING).exists()


def test_another_amount_settles_nothing(settles: Settling) -> None:
    deal = settles.confirmed()
    book(leg(deal, 2), "84999999.99")
    follow(deal)
    assert leg(deal, 2).state == "EXPECTED"


def test_a_person_fails_a_deal_and_its_payment_is_not_approved_any_more(settles: Settling) -> None:
    deal = settles.instructed()
    dealing.fail_deal(deal_id=deal.pk, reason="They are bust.", actor=settles.desk.back_office)
    deal = fresh(deal)
    assert (deal.state, leg(deal, 1).state) == ("FAILED", "FAILED")
    assert payment_of(deal).state == "CANCELLED"


def test_what_was_never_confirmed_is_told_when_its_day_is_over(settles: Settling) -> None:
    deal = settles.desk.executed(tenor="CASH")
    late = leg(deal, 1).due_at
    assert f"{deal.reference}P1" in chasing.chase_overdue(now=late)
    assert Task.objects.open().filter(kind=chasing.UNCONFIRMED).count() == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_any_order_of_the_banks_words_ends_settled(
    settles: Settling, order: tuple[int, ...]
) -> None:
    deal = settles.sent()
    words = (
        lambda: say(deal, "ACSC"),
        lambda: book(leg(deal, 1)),
        lambda: book(leg(deal, 2)),
    )
    for number in order:
        words[number]()
        follow(deal)
        follow(deal)
    assert fresh(deal).state == "SETTLED"
    assert not SettlementAlarm.objects.filter(closed_at=None).exists()


def test_a_refusal_that_was_none_takes_the_deal_up_again(settles: Settling) -> None:
    """The bank rejects the payment, and then books it: what was withdrawn is expected again."""
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    assert follow(deal).state == "FAILED"
    book(leg(deal, 1))
    deal = follow(deal)
    assert (deal.state, leg(deal, 1).state, leg(deal, 2).version) == ("CONFIRMED", "SETTLED", 2)
    assert flow_of(leg(deal, 1)).state == "MATCHED"
    book(leg(deal, 2))
    assert follow(deal).state == "SETTLED"


def test_an_entry_that_is_gone_opens_the_deal_again(settles: Settling) -> None:
    deal = settles.sent()
    book(leg(deal, 1))
    came = book(leg(deal, 2))
    assert follow(deal).state == "SETTLED"
    came.state = "WITHDRAWN"
    came.save()
    flows.release_flows(entry_ids=[came.pk])
    settling.follow_open()
    assert (fresh(deal).state, leg(deal, 2).state) == ("CONFIRMED", "EXPECTED")
    assert SettlementAlarm.objects.filter(closed_at=None).count() == 1
