"""Netting: only what was signed, the sum of its legs to the letter, and settled by one entry."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError
from hypothesis import given
from hypothesis import strategies as st

from core import clock, policies
from fx.engine.netting import Key, Part, nets_of
from fx.errors import LegAlreadySent
from fx.models import Deal, SettlementNet
from fx.policies import FX_NETTING_LEAD_MINUTES
from fx.services import dealing, instructing, netting, settling
from tests.fx.settling import D, Settling, book, flow_of, fresh, leg
from tests.fx.test_deals_guards import sql
from tests.treasury.movement.conftest import approve
from treasury.models import ExpectedFlow, Proposal
from treasury.services import transfers

DAY = date(2026, 11, 20)
KEY = Key(counterparty=uuid4(), currency="USD", value_date=DAY, payee=uuid4(), account=uuid4())


def part(amount: str | Decimal, key: Key = KEY) -> Part:
    return Part(leg=uuid4(), key=key, amount=D(amount))


def test_opposite_and_same_legs_become_one_payment() -> None:
    [net] = nets_of([part("-1000000"), part("400000"), part("-50000")])
    assert (net.amount, net.gross, len(net.parts)) == (D(-650_000), D(1_450_000), 3)


def test_a_leg_alone_and_legs_of_other_days_are_not_netted() -> None:
    other = Key(
        counterparty=KEY.counterparty, currency="USD", value_date=date(2026, 11, 23),
        payee=KEY.payee, account=KEY.account,
    )  # fmt: skip
    assert nets_of([part("-1"), part("1", other)]) == []


@given(st.lists(st.decimals("-1e9", "1e9", places=2).filter(bool), min_size=2, max_size=20))
def test_nothing_is_lost_by_netting(amounts: Sequence[Decimal]) -> None:
    [net] = nets_of([part(one) for one in amounts])
    assert net.amount == sum(amounts)
    assert abs(net.amount) <= net.gross == sum(abs(one) for one in amounts)


@pytest.fixture
def two(settles: Settling) -> tuple[Deal, Deal]:
    """We sell a million dollars and buy 400,000 back, for the same day, under an agreement."""
    policies.write_version(
        policy=FX_NETTING_LEAD_MINUTES, value="1440", actor=None, reason="a test"
    )
    netting.sign_agreement(
        party=settles.desk.bank,
        wish=netting.AgreementIn(
            reference="ISDA 2002", signed_on=date(2026, 1, 2), starts_on=date(2026, 2, 2)
        ),
    )
    return settles.confirmed(), settles.confirmed(side="BUY", dealt="400000.00 USD")


def net_of(currency: str) -> SettlementNet:
    return SettlementNet.objects.select_related("proposal").get(currency=currency)


def pay(settles: Settling, net: SettlementNet) -> Proposal:
    """Let the net's payment be approved and taken to the bank's line."""
    assert net.proposal is not None
    approve(settles.desk.tenant, net.proposal, settles.desk.checker)
    assert transfers.execute(proposal_id=net.proposal.pk)
    transfers.mark_sent(reference=net.reference, bank_reference="")
    return Proposal.objects.get(pk=net.proposal.pk)


def test_one_payment_and_one_receipt_take_the_place_of_four(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    instructing.instruct_nets(now=clock.now())
    dollars, rupees = net_of("USD"), net_of("INR")
    assert (dollars.direction, dollars.amount, dollars.gross) == ("PAY", D(600_000), D(1_400_000))
    assert (rupees.direction, rupees.amount) == ("RECEIVE", D(51_000_000))
    assert {leg(one, number).state for one in two for number in (1, 2)} == {"NETTED"}
    standing = ExpectedFlow.objects.filter(source="DEAL", state="EXPECTED")
    assert sorted(standing.values_list("amount", flat=True)) == [D(-600_000), D(51_000_000)]
    assert dollars.proposal is not None
    assert (dollars.proposal.amount, dollars.proposal.state) == (D(600_000), "PENDING")
    assert instructing.instruct_due(now=clock.now()) == []
    pay(settles, dollars)
    book_net(dollars)
    settling.follow_open()
    assert {fresh(one).state for one in two} == {"CONFIRMED"}
    book_net(rupees)
    settling.follow_open()
    assert {fresh(one).state for one in two} == {"SETTLED"}


def book_net(net: SettlementNet) -> None:
    """Let the bank book what a net moves."""
    model = leg(fresh_deal(net), 1)
    model.account, model.value_date = net.account, net.value_date
    signed = -net.amount if net.is_pay else net.amount
    book(model, str(signed), end_to_end_id=net.reference if net.is_pay else "")


def fresh_deal(net: SettlementNet) -> Deal:
    part = net.legs.first()
    assert part is not None
    return fresh(part.deal)


def test_without_an_agreement_each_leg_is_paid_by_itself(settles: Settling) -> None:
    settles.confirmed()
    settles.confirmed(side="BUY", dealt="400000.00 USD")
    instructing.instruct_nets(now=clock.now())
    assert not SettlementNet.objects.exists()
    assert len(instructing.instruct_due(now=clock.now())) == 2


def test_legs_that_offset_each_other_need_no_money(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    third = settles.confirmed(side="BUY", dealt="600000.00 USD")
    instructing.instruct_nets(now=clock.now())
    assert {net_of("USD").direction, net_of("INR").direction} == {"NOTHING"}
    settling.follow_open()
    assert {fresh(one).state for one in (*two, third)} == {"SETTLED"}


def test_a_deal_that_fails_leaves_its_net_and_the_others_stand_again(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    instructing.instruct_nets(now=clock.now())
    dollars = net_of("USD")
    dealing.fail_deal(deal_id=two[1].pk, reason="They refuse it.", actor=settles.desk.back_office)
    dollars.refresh_from_db()
    assert dollars.state == "VOID"
    assert (leg(two[0], 1).state, flow_of(leg(two[0], 1)).state) == ("EXPECTED", "EXPECTED")
    assert (leg(two[1], 1).state, flow_of(leg(two[1], 1)).state) == ("FAILED", "CANCELLED")
    assert Proposal.objects.get(reference=dollars.reference).state == "CANCELLED"


def test_what_left_in_a_net_is_not_replaced(settles: Settling, two: tuple[Deal, Deal]) -> None:
    instructing.instruct_nets(now=clock.now())
    pay(settles, net_of("USD"))
    with pytest.raises(LegAlreadySent):
        instructing.replace_legs(
            deal_id=two[0].pk, actor=settles.desk.back_office, reason="Another account."
        )


def test_a_net_that_is_refused_fails_its_deals(settles: Settling, two: tuple[Deal, Deal]) -> None:
    instructing.instruct_nets(now=clock.now())
    pay(settles, net_of("USD"))
    transfers.mark_failed(reference=net_of("USD").reference, reason="Closed account.")
    settling.follow_open()
    assert {fresh(one).state for one in two} == {"FAILED"}
    assert not ExpectedFlow.objects.filter(
        source="DEAL", state="EXPECTED", source_ref=net_of("USD").reference
    ).exists()


def test_no_net_is_another_amount_than_its_legs(two: tuple[Deal, Deal]) -> None:
    instructing.instruct_nets(now=clock.now())
    net: UUID = net_of("USD").pk
    for change in ("amount = amount + 1", "direction = 'RECEIVE'", "legs_count = 3"):
        with pytest.raises(DatabaseError):
            sql(f"UPDATE fx_settlementnet SET {change} WHERE id = %s", net)
    with pytest.raises(DatabaseError, match="no entry of its bank settles net"):
        sql(
            "UPDATE fx_settlementnet SET state = 'SETTLED', settled_at = now(),"
            " entry_id = (SELECT id FROM treasury_bankentry LIMIT 1), direction = direction"
            " WHERE currency = 'INR' AND id <> %s",
            net,
        )
