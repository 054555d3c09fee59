"""What a bank says after the opposite: nothing is paid twice, nothing stays settled unproven."""

import pytest
from django.db import DatabaseError

from core import clock
from fx.errors import LegAlreadySent
from fx.models import Deal, SettlementNet
from fx.services import closing, instructing, rejoining, settling
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
    transfer_of,
)
from tests.fx.test_deals_guards import sql
from tests.fx.test_netting import book_net, net_of, pay, two
from treasury.models import ExpectedFlow, Proposal, Task, Transfer
from treasury.selectors.invariants import invariants
from treasury.services import answers, flows, transfers
from treasury.services.outcomes import REFUSED_BY_LINE

__all__ = ["two"]
WHY = "We try again."


def refused(settles: Settling) -> SettlementNet:
    """Return a net that its bank refused after it was sent."""
    instructing.instruct_nets(now=clock.now())
    pay(settles, net_of("USD"))
    settling.follow_open()
    answers.record(
        transfer=Transfer.objects.get(proposal=net_of("USD").proposal),
        said=answers.Said(status="RJCT", source="PAIN002", attempt=1, reason="AC04"),
    )
    settling.follow_open()
    net = net_of("USD")
    assert net.state == "FAILED"
    return net


def test_a_net_refused_and_paid_after_all_takes_its_deals_up_again(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    net = refused(settles)
    assert {fresh(one).state for one in two} == {"FAILED"}
    book_net(net)
    settling.follow_open()
    sold, back = two
    assert net_of("USD").state == "SETTLED"
    assert (leg(sold, 1).state, leg(back, 2).state) == ("SETTLED", "SETTLED")
    assert {fresh(one).state for one in two} == {"CONFIRMED"}
    flow = ExpectedFlow.objects.get(source="DEAL", source_ref=net.reference)
    assert (flow.state, flow.matched_entry) == ("MATCHED", net_of("USD").entry)
    instructing.instruct_due(now=clock.now())
    dollars = Proposal.objects.filter(purpose="FX_SETTLEMENT", currency="USD")
    assert dollars.get().reference == net.reference


def test_a_net_that_may_have_been_paid_is_not_instructed_anew(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    book_net(refused(settles))
    for one in two:
        with pytest.raises(LegAlreadySent):
            instructing.reinstruct_deal(deal_id=one.pk, actor=settles.desk.back_office, reason=WHY)
    assert {leg(one, 1).version for one in two} == {1}


def taken_apart(settles: Settling, two: tuple[Deal, Deal]) -> SettlementNet:
    """Return a net that was refused, and of which one deal was instructed anew by itself."""
    net, sold = refused(settles), two[0]
    instructing.reinstruct_deal(deal_id=sold.pk, actor=settles.desk.back_office, reason=WHY)
    assert leg(sold, 1).version == 2
    return net


def wrong() -> set[str]:
    """Return what does not hold of the books."""
    return {one.code for one in invariants()}


def test_a_net_taken_apart_and_paid_after_all_has_its_legs_again(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    net, (sold, back) = taken_apart(settles, two), two
    assert instructing.instruct_deal(deal_id=sold.pk)
    book_net(net)
    settling.follow_open()
    assert (net_of("USD").state, {fresh(one).state for one in two}) == ("SETTLED", {"CONFIRMED"})
    assert {(one.version, one.state) for one in (leg(sold, 1), leg(back, 2))} == {(1, "SETTLED")}
    second = leg(sold, 1, version=2)
    assert second.proposal is not None
    assert (second.state, second.proposal.state) == ("VOID", "CANCELLED")
    assert flow_of(second).state == "CANCELLED"
    assert ExpectedFlow.objects.get(source="DEAL", source_ref=net.reference).state == "MATCHED"
    assert not Task.objects.open().filter(kind=rejoining.PAID_TWICE).exists()
    assert "payment_without_its_leg" not in wrong()


def test_the_books_find_a_failed_net_whose_money_left(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    book_net(refused(settles))
    assert "payment_without_its_leg" in wrong()
    settling.follow_open()
    assert "payment_without_its_leg" not in wrong()


def test_what_left_beside_a_net_that_was_paid_after_all_goes_to_a_person(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    net, sold = taken_apart(settles, two), two[0]
    assert instructing.instruct_deal(deal_id=sold.pk)
    settles.approve(sold)
    settles.send(sold)
    book_net(net)
    settling.follow_open()
    assert (net_of("USD").state, fresh(sold).state) == ("SETTLED", "FAILED")
    assert (leg(sold, 1).version, leg(sold, 1).state) == (2, "SENT")
    assert Task.objects.open().filter(kind=rejoining.PAID_TWICE, key=net.reference).exists()


def test_a_replaced_leg_joins_its_net_only_once_that_is_paid_and_nothing_stands_beside_it(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    net, first = taken_apart(settles, two), leg(two[0], 1, version=1)
    again = "UPDATE fx_dealleg SET state = 'NETTED', reason = '', closed_at = NULL WHERE id = %s"
    with pytest.raises(DatabaseError, match="follows its net"):
        sql(again, first.pk)
    sql("UPDATE fx_settlementnet SET state = 'SENT' WHERE id = %s", net.pk)
    with pytest.raises(DatabaseError, match="deal_leg_stands_once"):
        sql(again, first.pk)
    sql("UPDATE fx_dealleg SET state = 'VOID' WHERE id = %s", leg(two[0], 1).pk)
    sql(again, first.pk)


def test_a_leg_of_a_failed_net_joins_it_again_only_once_that_is_paid(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    net, part = refused(settles), leg(two[0], 1)
    again = "UPDATE fx_dealleg SET state = 'NETTED', reason = '', closed_at = NULL WHERE id = %s"
    with pytest.raises(DatabaseError, match="follows its net"):
        sql(again, part.pk)
    sql("UPDATE fx_settlementnet SET state = 'SENT' WHERE id = %s", net.pk)
    sql(again, part.pk)


def test_a_replaced_payment_made_after_all_stops_the_one_in_its_place(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    deal = follow(deal)
    first, paid_first = leg(deal, 1), payment_of(deal)
    instructing.reinstruct_deal(deal_id=deal.pk, actor=settles.desk.back_office, reason=WHY)
    assert instructing.instruct_deal(deal_id=deal.pk)
    book(first)
    settling.follow_proposal(proposal_id=paid_first.pk)
    assert (fresh(deal).state, payment_of(deal).state) == ("FAILED", "CANCELLED")
    assert Task.objects.open().filter(kind=rejoining.PAID_TWICE, key=first.reference).exists()
    with pytest.raises(LegAlreadySent):
        instructing.reinstruct_deal(deal_id=deal.pk, actor=settles.desk.back_office, reason=WHY)


def test_the_sweep_finds_a_replaced_payment_made_after_all(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    first = leg(follow(deal), 1)
    instructing.reinstruct_deal(deal_id=deal.pk, actor=settles.desk.back_office, reason=WHY)
    book(first)
    assert settling.follow_open() == [deal.pk]
    assert (fresh(deal).state, leg(deal, 1).state) == ("FAILED", "FAILED")


def test_the_right_amount_settles_after_one_with_a_fee_kept_back(settles: Settling) -> None:
    deal = settles.confirmed()
    owed, theirs = leg(deal, 2), deal.counterparty_reference
    book(owed, "84999990.00", end_to_end_id=theirs)
    follow(deal)
    assert (leg(deal, 2).state, flow_of(owed).state) == ("EXPECTED", "EXPECTED")
    assert Task.objects.open().filter(kind=settling.DIFFERS, key=owed.reference).exists()
    whole = book(owed, end_to_end_id=theirs)
    follow(deal)
    assert (leg(deal, 2).state, leg(deal, 2).entry) == ("SETTLED", whole)
    assert not Task.objects.open().filter(kind=settling.DIFFERS).exists()


def test_the_right_amount_goes_before_one_with_a_fee_that_came_with_it(settles: Settling) -> None:
    deal = settles.confirmed()
    owed, theirs = leg(deal, 2), deal.counterparty_reference
    short = book(owed, "84999990.00", end_to_end_id=theirs)
    whole = book(owed, end_to_end_id=theirs)
    flows.release_flows(entry_ids=[short.pk])
    flows.match_entries(entries=[short, whole])
    assert flow_of(owed).matched_entry == whole


def test_a_debit_that_is_gone_opens_its_leg_again(settles: Settling) -> None:
    deal = settles.sent()
    debit = book(leg(deal, 1))
    book(leg(deal, 2))
    assert follow(deal).state == "SETTLED"
    debit.state = "WITHDRAWN"
    debit.save()
    flows.release_flows(entry_ids=[debit.pk])
    settling.follow_open()
    assert (fresh(deal).state, leg(deal, 1).state, leg(deal, 1).entry) == (
        "CONFIRMED",
        "SENT",
        None,
    )
    assert flow_of(leg(deal, 1)).state == "EXPECTED"
    debit.state = "COUNTED"
    debit.save()
    settling.follow_open()
    assert (fresh(deal).state, flow_of(leg(deal, 1)).state) == ("SETTLED", "MATCHED")


def test_a_net_whose_debit_is_gone_is_with_its_bank_again(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    instructing.instruct_nets(now=clock.now())
    pay(settles, net_of("USD"))
    book_net(net_of("USD"))
    settling.follow_open()
    debit = net_of("USD").entry
    assert debit is not None
    assert (debit.amount, net_of("USD").state) == (D("-600000"), "SETTLED")
    debit.state = "WITHDRAWN"
    debit.save()
    settling.follow_open()
    assert (net_of("USD").state, leg(two[0], 1).state) == ("SENT", "NETTED")


VOID = "UPDATE fx_dealleg SET state = 'VOID', reason = 'another' WHERE id = %s"


def disputed(settles: Settling) -> Deal:
    """Return a deal that fell as the line refused its payment, on which its bank reports since."""
    deal = settles.instructed()
    settles.approve(deal)
    assert transfers.execute(proposal_id=payment_of(deal).pk)
    transfers.mark_failed(
        reference=payment_of(deal).reference, reason="Refused.", reason_code=REFUSED_BY_LINE
    )
    assert follow(deal).state == "FAILED"
    say(deal, "PDNG")
    assert transfer_of(deal).disputed_since is not None
    return fresh(deal)


def test_what_may_have_been_paid_is_neither_confirmed_nor_instructed_anew(
    settles: Settling,
) -> None:
    deal, back_office = disputed(settles), settles.desk.back_office
    for again in (
        lambda: settles.confirm(deal),
        lambda: instructing.reinstruct_deal(deal_id=deal.pk, actor=back_office, reason=WHY),
        lambda: closing.ask_to_cancel(deal_id=deal.pk, evidence="a mail", actor=back_office),
    ):
        with pytest.raises(LegAlreadySent, match="contradicts itself"):
            again()
    with pytest.raises(DatabaseError, match="contradicts itself"):
        sql(VOID, leg(deal, 1).pk)
    assert (fresh(deal).state, leg(deal, 1).version) == ("FAILED", 1)


def test_once_its_bank_refused_it_too_it_is_confirmed_and_paid_anew(settles: Settling) -> None:
    deal = disputed(settles)
    say(deal, "RJCT", "AC04")
    assert transfer_of(deal).disputed_since is None
    assert settles.confirm(deal).state == "CONFIRMED"
    assert (leg(deal, 1).version, leg(deal, 1).state) == (2, "EXPECTED")


def test_a_replaced_payment_that_comes_into_dispute_stops_the_one_in_its_place(
    settles: Settling,
) -> None:
    deal = settles.instructed()
    settles.approve(deal)
    first = payment_of(deal)
    assert transfers.execute(proposal_id=first.pk)
    transfers.mark_failed(reference=first.reference, reason="Refused.", reason_code=REFUSED_BY_LINE)
    follow(deal)
    instructing.reinstruct_deal(deal_id=deal.pk, actor=settles.desk.back_office, reason=WHY)
    assert instructing.instruct_deal(deal_id=deal.pk)
    held = Transfer.objects.get(proposal=first)
    answers.record(transfer=held, said=answers.Said(status="PDNG", source="PAIN002", attempt=1))
    with pytest.raises(DatabaseError, match="is not what a confirmed deal pays"):
        settles.approve(deal)
    settling.follow_open()
    assert (fresh(deal).state, payment_of(deal).state) == ("FAILED", "CANCELLED")
    assert Task.objects.open().filter(kind=rejoining.PAID_TWICE).exists()
