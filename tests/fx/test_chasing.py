"""What is late, or has lost its payee, is asked of a person: whom, since when, and what to do."""

from datetime import timedelta

import pytest

from approvals import selectors as approval_reads
from approvals import services as approvals
from core import clock
from core.changes.models import ChangeRequest
from core.changes.services import open_tenant, propose_change
from core.errors import Forbidden, Invalid
from core.tenancy import bound
from fx.errors import NotNettable
from fx.models import Deal, SettlementInstruction, SettlementNet
from fx.services import (
    chasing,
    counterparties,
    instructing,
    legs,
    netting,
    payees,
    settling,
)
from tests.approvals.stepping import shown
from tests.conftest import make_user
from tests.fx.dealing import another_account
from tests.fx.settling import Settling, flow_of, fresh, leg
from tests.fx.test_netting import book_net, net_of, two
from tests.fx.test_settlement_reversed import refused
from treasury.models import Proposal, Task

__all__ = ["two"]


def tasks_of(kind: str) -> list[Task]:
    return list(Task.objects.open().filter(kind=kind))


def test_a_payment_that_its_bank_does_not_have_by_the_cut_off_is_asked_about(
    settles: Settling,
) -> None:
    deal = settles.instructed()
    pay = leg(deal, 1)
    assert pay.reference not in chasing.chase_overdue(now=pay.due_at - timedelta(seconds=1))
    for _ in range(2):
        assert pay.reference in chasing.chase_overdue(now=pay.due_at)
    [task] = tasks_of(legs.LATE)
    assert "House Bank does not have our payment" in task.title
    assert f"by {pay.due_at:%Y-%m-%d %H:%M} UTC" in task.detail
    assert "checkers have not decided" in task.detail
    settles.approve(deal)
    settles.send(deal)
    assert tasks_of(legs.LATE) == []


def test_a_net_that_its_bank_does_not_have_is_asked_about(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    instructing.instruct_nets(now=clock.now())
    net = net_of("USD")
    assert net.reference in chasing.chase_overdue(now=net.due_at)
    assert [one.key for one in tasks_of(legs.LATE)] == [net.reference]


def test_a_payee_that_is_gone_is_asked_about_and_not_paid(settles: Settling) -> None:
    deal = settles.confirmed()
    assert chasing.chase_overdue(now=clock.now()) == []
    SettlementInstruction.objects.filter(currency="USD").update(is_active=False)
    chasing.chase_overdue(now=clock.now())
    [task] = tasks_of(legs.PAYEE_GONE)
    assert "Dealing Bank is not to be paid USD at" in task.title
    assert "Ask for another account" in task.detail
    with pytest.raises(Invalid, match="replace the legs"):
        instructing.instruct_deal(deal_id=deal.pk)
    SettlementInstruction.objects.filter(currency="USD").update(is_active=True)
    instructing.replace_legs(deal_id=deal.pk, actor=settles.desk.back_office, reason="A new one.")
    assert tasks_of(legs.PAYEE_GONE) == []


def decided(settles: Settling, change: ChangeRequest) -> None:
    """Let a checker approve a change."""
    checker = settles.desk.checker
    found = approval_reads.request_of(subject_type="core.change", subject_id=change.pk)
    assert found is not None
    with bound(settles.desk.tenant.pk, actor=checker.pk):
        approvals.decide(
            request_id=found.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=found.content_hash,
            version=1,
            reason="",
            evidence=shown(checker, found.content_hash),
        )


def test_an_instruction_in_force_again_answers_its_tasks_in_the_same_transaction(
    settles: Settling,
) -> None:
    deal = settles.confirmed()
    payee = SettlementInstruction.objects.get(currency="USD")
    clerk = make_user("clerk-three", "static_data")
    make_user("manager", "treasury_manager")
    open_tenant(actor=make_user("admin", "tenant_admin"))

    def changed(*, is_active: bool, reason: str) -> None:
        with bound(settles.desk.tenant.pk, actor=clerk.pk):
            change = propose_change(
                model="fx.settlementinstruction",
                row_id=payee.pk,
                values={"is_active": is_active},
                maker=clerk,
                reason=reason,
            )
        decided(settles, change)

    changed(is_active=False, reason="They moved.")
    chasing.chase_overdue(now=clock.now())
    [task] = tasks_of(legs.PAYEE_GONE)
    assert task.key == leg(deal, 1).reference
    changed(is_active=True, reason="They stay where they are.")
    task.refresh_from_db()
    assert task.done_by == settles.desk.checker
    assert "is paid USD at" in task.note
    assert "They stay where they are." in task.note
    assert tasks_of(legs.PAYEE_GONE) == []
    assert chasing.chase_overdue(now=clock.now()) == []
    assert instructing.instruct_deal(deal_id=deal.pk)


def test_an_instruction_whose_account_is_blocked_answers_nothing(settles: Settling) -> None:
    settles.confirmed()
    payee = SettlementInstruction.objects.get(currency="USD")
    SettlementInstruction.objects.filter(pk=payee.pk).update(is_active=False)
    chasing.chase_overdue(now=clock.now())
    by = settles.desk.back_office
    assert (
        payees.back_in_force(SettlementInstruction.objects.get(pk=payee.pk), actor=by, reason="x")
        == []
    )  # still out of force
    payee.beneficiary.state = "BLOCKED"
    assert payees.back_in_force(payee, actor=by, reason="x") == []
    others = SettlementInstruction.objects.exclude(currency="USD")
    assert [payees.back_in_force(one, actor=by, reason="x") for one in others] == [[]] * 4
    assert len(tasks_of(legs.PAYEE_GONE)) == 1


def test_a_stuck_deal_is_handed_on_once_its_payee_is_known_again(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    net, back = refused(settles), two[1]
    rupees = SettlementInstruction.objects.get(currency="INR")
    SettlementInstruction.objects.filter(currency="INR").update(is_active=False)
    book_net(net)
    settling.follow_open()
    assert [one.key for one in tasks_of(legs.PAYEE_GONE)] == [back.reference]
    counterparties.give_instruction(
        party=settles.desk.bank, currency="INR", beneficiary=rupees.beneficiary_id
    )
    assert tasks_of(legs.PAYEE_GONE) == []
    [task] = tasks_of(payees.GOES_ON)
    assert (task.key, "instruct it anew" in task.detail) == (back.reference, True)
    instructing.reinstruct_deal(
        deal_id=back.pk, actor=settles.desk.back_office, reason="Known again."
    )
    assert tasks_of(payees.GOES_ON) == []


def test_a_deal_that_could_go_on_and_has_no_payee_is_asked_about(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    """Its dollars came in the net that was paid after all; its rupees have nowhere to go."""
    net, back = refused(settles), two[1]
    SettlementInstruction.objects.filter(currency="INR").update(is_active=False)
    book_net(net)
    settling.follow_open()
    assert net_of("USD").state == "SETTLED"
    assert (fresh(back).state, leg(back, 2).state) == ("FAILED", "SETTLED")
    assert [one.key for one in tasks_of(legs.PAYEE_GONE)] == [back.reference]


def test_what_was_signed_is_netted_now_and_proposed_on_its_day(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    ahead = [settles.confirmed(tenor="SPOT"), settles.confirmed(tenor="SPOT", side="BUY")]
    day, party = ahead[0].value_date, settles.desk.bank.pk
    for who, currency, refusal in (
        (settles.desk.dealer, "USD", Forbidden), (settles.desk.back_office, "GBP", NotNettable),
    ):  # fmt: skip
        with pytest.raises(refusal):
            netting.net_now(counterparty=party, currency=currency, value_date=day, actor=who)
    with pytest.raises(NotNettable, match="nothing is left to pay"):
        netting.net_now(
            counterparty=party, currency="USD", value_date=day, actor=settles.desk.back_office
        )
    with clock.frozen(clock.now() + (day - clock.now().date())):
        [net] = [one for one in netting.net_due(now=clock.now()) if one.currency == "USD"]
    assert (net.value_date, net.legs_count, net.state) == (day, 2, "SETTLED")
    with pytest.raises(NotNettable):
        netting.net_now(
            counterparty=party, currency="USD", value_date=day, actor=settles.desk.back_office
        )


def test_a_net_made_early_is_proposed_on_its_day(settles: Settling, two: tuple[Deal, Deal]) -> None:
    sold = settles.confirmed(tenor="SPOT")
    settles.confirmed(tenor="SPOT", side="BUY", dealt="300000.00 USD")
    [net] = netting.net_now(
        counterparty=settles.desk.bank.pk,
        currency="USD",
        value_date=sold.value_date,
        actor=settles.desk.back_office,
    )
    instructing.instruct_nets(now=clock.now())
    assert SettlementNet.objects.get(pk=net.pk).state == "EXPECTED"
    with clock.frozen(clock.now() + (sold.value_date - clock.now().date())):
        instructing.instruct_nets(now=clock.now())
    assert SettlementNet.objects.get(pk=net.pk).state == "INSTRUCTED"
    assert Proposal.objects.get(reference=net.reference).amount == net.amount


def test_without_a_signature_nothing_is_netted_now(settles: Settling) -> None:
    deal = settles.confirmed()
    with pytest.raises(NotNettable, match="Nobody signed"):
        netting.net_now(
            counterparty=settles.desk.bank.pk,
            currency="USD",
            value_date=deal.value_date,
            actor=settles.desk.back_office,
        )


def test_legs_are_replaced_to_accounts_of_ours_that_are_chosen(settles: Settling) -> None:
    deal = settles.instructed()
    other = another_account(settles.desk, "INR", "INR second", "4010000099")
    instructing.replace_legs(
        deal_id=deal.pk,
        actor=settles.desk.back_office,
        reason="That one is closed.",
        receive_account=other.pk,
    )
    assert leg(deal, 2).account == other
    assert flow_of(leg(deal, 2)).account == other
