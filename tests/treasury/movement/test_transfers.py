"""An approved proposal becomes one payment; whatever the bank says, it moves only forward."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from approvals.errors import NobodyEligible, SelfApprovalRefused
from core import clock
from core.errors import Forbidden, Invalid, NotFound
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import Tenant
from integrations import selectors as archive
from integrations import services as lines
from integrations.codecs.records import PaymentStatus, StatusReport
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.movement.conftest import House, approve, propose, put_balance
from treasury.errors import NotRetriable, NotTheMaker, PreflightFailed
from treasury.models import (
    BankAccount,
    BankEntry,
    BookingStatus,
    ExpectedFlow,
    FlowState,
    Proposal,
    ProposalState,
    Statement,
    StatementSource,
    Transfer,
    TransferStatus,
)
from treasury.services import answers, proposals, sla, transfers
from treasury.services.proposals import ProposalIn

_S = ProposalState


def _fresh(proposal: Proposal) -> Proposal:
    return Proposal.objects.get(pk=proposal.pk)


def _transfer(proposal: Proposal) -> Transfer:
    return Transfer.objects.get(proposal=proposal)


def _heard(proposal: Proposal, status: str, **more: str) -> None:
    report = StatusReport(
        message_id=uuid4().hex,
        created_at=clock.now(),
        original_message_id="",
        original_message_name="pain.001.001.09",
        group_status=None,
        transactions=(
            PaymentStatus(
                status=status,
                original_end_to_end_id=proposal.reference,
                reason_code=more.get("reason_code"),
                reason_text=more.get("reason_text", ""),
            ),
        ),
    )
    assert answers.apply_status_report(report=report, message_id=uuid4()) == 1


def _booked(account: BankAccount, proposal: Proposal, amount: Decimal, **more: str) -> None:
    entry = BankEntry.objects.create(
        account=account,
        identity=uuid4().hex,
        identity_rule="test",
        amount=amount,
        booking_date=proposal.value_date,
        value_date=proposal.value_date,
        status=BookingStatus.BOOK,
        best_source=StatementSource.CAMT054,
        end_to_end_id=proposal.reference,
        statement=Statement.objects.filter(account=account)[0],
        first_seen_at=clock.now(),
        announced_at=clock.now(),
        **more,
    )
    answers.apply_entries(entries=[entry])


@scene
def approved(house: House, tenant: Tenant, maker: User, checker: User) -> Proposal:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    return _fresh(proposal)


@scene
def executing(approved: Proposal) -> Proposal:
    assert transfers.execute(proposal_id=approved.pk)
    return _fresh(approved)


@scene
def sent(executing: Proposal) -> Proposal:
    transfers.mark_sent(reference=executing.reference, bank_reference="BANK-1")
    return _fresh(executing)


def test_approval_sets_one_transfer_free_and_reserves_both_sides(
    approved: Proposal, house: House
) -> None:
    assert approved.state == _S.APPROVED
    assert _transfer(approved).end_to_end_id == approved.reference
    flows = ExpectedFlow.objects.filter(source_ref=approved.reference)
    assert {(flow.account_id, flow.amount) for flow in flows} == {
        (house.near.pk, -approved.amount),
        (house.home.pk, approved.amount),
    }


def test_what_leaves_is_what_was_approved(executing: Proposal) -> None:
    assert executing.state == _S.EXECUTING
    message = archive.payment_message(executing.reference)
    assert message is not None
    order = lines.message_bytes(message.pk).decode()
    transfer = _transfer(executing)
    for part in ("2750000.00", executing.reference, transfer.uetr, "1000000001", "SBNKINBBXXX"):
        assert part in order


def test_executing_twice_queues_once(executing: Proposal) -> None:
    assert transfers.execute(proposal_id=executing.pk) is False
    assert archive.messages().filter(reference=executing.reference).count() == 1


def test_confirmation_and_both_entries_settle(sent: Proposal, house: House) -> None:
    _heard(sent, "ACTC")
    _heard(sent, "ACSP")
    assert _fresh(sent).state == _S.SENT
    _heard(sent, "ACSC")
    assert _fresh(sent).state == _S.CONFIRMED
    _booked(house.near, sent, -sent.amount)
    assert _fresh(sent).state == _S.CONFIRMED
    _booked(house.home, sent, sent.amount)
    assert _fresh(sent).state == _S.SETTLED


def test_a_debit_entry_alone_confirms(sent: Proposal, house: House) -> None:
    _booked(house.near, sent, -sent.amount)
    assert _fresh(sent).state == _S.CONFIRMED


def test_a_late_weaker_status_changes_nothing_and_is_kept(sent: Proposal) -> None:
    _heard(sent, "ACSC")
    _heard(sent, "ACTC")
    assert _fresh(sent).state == _S.CONFIRMED
    assert _transfer(sent).bank_status == "ACSC"
    assert list(TransferStatus.objects.order_by("id").values_list("status", "changed_state")) == [
        ("ACSC", True),
        ("ACTC", False),
    ]


def test_a_rejection_fails_it_and_frees_both_sides(sent: Proposal) -> None:
    _heard(sent, "RJCT", reason_code="AC04", reason_text="Closed account")
    failed = _fresh(sent)
    assert failed.state == _S.FAILED
    assert "AC04" in failed.closing_reason
    states = ExpectedFlow.objects.filter(source_ref=sent.reference).values_list("state", flat=True)
    assert set(states) == {FlowState.CANCELLED}


def test_a_rejected_group_without_transactions_speaks_about_its_payment(sent: Proposal) -> None:
    report = StatusReport(
        message_id="R1",
        created_at=clock.now(),
        original_message_id=f"{sent.reference}-1",
        original_message_name="pain.001.001.09",
        group_status="RJCT",
    )
    answers.apply_status_report(report=report, message_id=uuid4())
    assert _fresh(sent).state == _S.FAILED


def test_a_rejection_after_the_debit_is_left_to_a_person(sent: Proposal) -> None:
    _heard(sent, "ACSC")
    _heard(sent, "RJCT")
    assert _fresh(sent).state == _S.CONFIRMED
    kinds = [event.payload["kind"] for event in OutboxEvent.objects.filter(topic="risk.alert")]
    assert "transfer_question" in kinds


def test_an_amount_that_differs_is_not_settled(sent: Proposal, house: House) -> None:
    _booked(house.near, sent, -sent.amount + 1)
    assert _fresh(sent).state == _S.SENT


def test_money_that_comes_back_is_returned(sent: Proposal, house: House) -> None:
    _booked(house.near, sent, -sent.amount)
    _booked(house.near, sent, sent.amount, return_reason="AC04")
    assert _fresh(sent).state == _S.RETURNED


def test_an_unknown_outcome_is_asked_for_and_never_sent_again(executing: Proposal) -> None:
    transfers.mark_unknown(reference=executing.reference, reason="The line broke.")
    assert _fresh(executing).state == _S.EXECUTING
    assert transfers.execute(proposal_id=executing.pk) is False
    assert archive.messages().filter(reference=executing.reference).count() == 1
    _heard(executing, "ACSP")
    assert _fresh(executing).state == _S.SENT
    assert _transfer(executing).outcome_unknown_since is None


def test_only_a_definite_failure_is_tried_again(
    executing: Proposal, maker: User, house: House
) -> None:
    transfer = _transfer(executing)
    with pytest.raises(NotRetriable):
        transfers.retry_transfer(transfer_id=transfer.pk, actor=maker)
    message = archive.payment_message(executing.reference)
    assert message is not None
    lines.withdraw_payment(reference=executing.reference, reason="a test")
    transfers.mark_failed(reference=executing.reference, reason="a test")
    again = transfers.retry_transfer(transfer_id=transfer.pk, actor=maker)
    assert (again.attempt, again.end_to_end_id, again.uetr) == (
        2,
        transfer.end_to_end_id,
        transfer.uetr,
    )
    orders = archive.messages().filter(reference=executing.reference)
    assert {order.message_reference for order in orders} == {
        f"{executing.reference}-1",
        f"{executing.reference}-2",
    }


def test_past_its_sla_it_stays_sent_and_says_so_once(sent: Proposal) -> None:
    due = _transfer(sent).sla_due_at
    assert due is not None
    assert sla.mark_breaches(now=due - timedelta(seconds=1)) == []
    assert len(sla.mark_breaches(now=due)) == 1
    assert sla.mark_breaches(now=due + timedelta(hours=1)) == []
    assert _fresh(sent).state == _S.SENT


def test_past_its_cutoff_an_approved_transfer_expires(approved: Proposal) -> None:
    with clock.frozen(approved.cutoff_at):
        assert transfers.execute(proposal_id=approved.pk) is False
    assert _fresh(approved).state == _S.EXPIRED


def test_without_the_money_it_waits_and_a_person_is_told(approved: Proposal, house: House) -> None:
    put_balance(house.near, "100.00", at=clock.now() + timedelta(seconds=1))
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        assert transfers.execute(proposal_id=approved.pk) is False
    assert _fresh(approved).state == _S.APPROVED


def test_the_maker_cannot_approve(house: House, tenant: Tenant, user_with: MakeUser) -> None:
    both = user_with("treasury_maker", "treasury_checker", name="both")
    proposal = propose(house, both)
    with pytest.raises(SelfApprovalRefused):
        approve(tenant, proposal, both)
    assert _fresh(proposal).state == _S.PENDING


def test_above_ten_million_dollars_two_people_approve(
    house: House, tenant: Tenant, maker: User, checker: User, checker2: User
) -> None:
    proposal = propose(
        house,
        maker,
        "10000000.01",
        debit_account=house.usd.pk,
        credit_account=house.usd_far.pk,
    )
    approve(tenant, proposal, checker)
    assert _fresh(proposal).state == _S.PENDING
    approve(tenant, proposal, checker2)
    assert _fresh(proposal).state == _S.APPROVED


def test_exactly_ten_million_dollars_takes_one(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    proposal = propose(
        house, maker, "10000000.00", debit_account=house.usd.pk, credit_account=house.usd_far.pk
    )
    approve(tenant, proposal, checker)
    assert _fresh(proposal).state == _S.APPROVED


def test_an_amendment_voids_what_was_approved_before(
    house: House, tenant: Tenant, maker: User, checker: User, checker2: User
) -> None:
    terms = {"debit_account": house.usd.pk, "credit_account": house.usd_far.pk}
    proposal = propose(house, maker, "20000000.00", **terms)
    approve(tenant, proposal, checker)
    amended = proposals.amend_proposal(
        proposal_id=proposal.pk,
        draft=ProposalIn(
            debit_account=house.usd.pk,
            credit_account=house.usd_far.pk,
            amount=Decimal("30000000.00"),
            why="more",
        ),
        actor=maker,
    )
    assert amended.version == 2
    approve(tenant, amended, checker2)
    assert _fresh(proposal).state == _S.PENDING


def test_without_anybody_to_check_nothing_is_submitted(
    house: House, maker: User, checker: User, checker2: User
) -> None:
    User.objects.filter(pk__in=[checker.pk, checker2.pk]).update(is_active=False)
    with pytest.raises(NobodyEligible):
        propose(house, maker)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"amount": Decimal("1.234")}, "amount"),
        ({"why": "  "}, "why"),
        ({"credit_account": "near"}, "credit_account"),
        ({"credit_account": "usd"}, "credit_account"),
        ({"credit_account": uuid4()}, "credit_account"),
        ({"rail": "PIGEON"}, "rail"),
    ],
)
def test_bad_terms_are_refused_by_field(
    house: House, maker: User, change: dict[str, object], field: str
) -> None:
    named = {"near": house.near.pk, "usd": house.usd.pk}
    terms = {
        "debit_account": house.near.pk,
        "credit_account": house.home.pk,
        "amount": Decimal(1),
        "why": "x",
        **{key: named.get(value, value) for key, value in change.items()},  # type: ignore[call-overload]
    }
    with pytest.raises((Invalid, NotFound)) as refusal:
        proposals.create_proposal(draft=ProposalIn(**terms), maker=maker)
    assert refusal.value.context["field"] == field
    assert Proposal.objects.count() == 0


def test_a_checker_does_not_make_and_a_stranger_does_not_withdraw(
    house: House, maker: User, checker: User, user_with: MakeUser
) -> None:
    with pytest.raises(Forbidden):
        propose(house, checker)
    proposal = propose(house, maker)
    other = user_with("treasury_maker", name="other-maker")
    with pytest.raises(NotTheMaker):
        proposals.withdraw_proposal(proposal_id=proposal.pk, actor=other, reason="x")
    proposals.withdraw_proposal(proposal_id=proposal.pk, actor=maker, reason="not needed")
    assert _fresh(proposal).state == _S.CANCELLED


def test_after_fedwires_cutoff_it_is_born_with_the_next_business_day(
    house: House, maker: User
) -> None:
    """Wednesday 25 Nov 2026 18:45 New York is missed; Thanksgiving is skipped (domain 12.1)."""
    from datetime import UTC, date, datetime

    with clock.frozen(datetime(2026, 11, 25, 23, 45, tzinfo=UTC)):
        made = proposals.create_proposal(
            draft=ProposalIn(
                debit_account=house.usd.pk,
                credit_account=house.usd_far.pk,
                amount=Decimal(1),
                why="x",
            ),
            maker=maker,
        )
    assert (made.rail, made.value_date) == ("FEDWIRE", date(2026, 11, 27))


def test_what_the_bank_would_refuse_is_said_before_anybody_approves(
    house: House, maker: User
) -> None:
    """RTGS in India moves at least two lakh rupees in one payment."""
    with pytest.raises(PreflightFailed, match="200,000"):
        propose(house, maker, "199999.99", credit_account=house.far.pk)
    assert propose(house, maker, "200000.00", credit_account=house.far.pk).state == _S.PENDING
