"""Before money leaves: cool-off, limits over 24 hours, splitting, and what a checker is told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import selectors as approval_reads
from approvals import services as approvals
from approvals.errors import AcknowledgementRequired, NobodyEligible, SelfApprovalRefused
from core import clock, policies
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.approvals.stepping import shown
from tests.approvals.test_authority import passkeys
from tests.conftest import MakeUser
from tests.treasury.movement.conftest import (
    SUPPLIER,
    House,
    age,
    approve,
    guard_replaced,
    propose,
    put_on_the_list,
    sql,
    to_see,
)
from treasury import policies as knobs
from treasury.engine.flags import Facts, Flag, Payee, flags
from treasury.errors import BeneficiaryBlocked, LimitExceeded, NotRetriable
from treasury.models import BankAccount, Beneficiary, Proposal, ProposalState, Transfer
from treasury.selectors.controls import cools_until, flags_of, rule_usd
from treasury.services import beneficiaries, controls, proposals, transfers
from treasury.services.beneficiaries import BeneficiaryIn
from treasury.services.proposals import ProposalIn

__all__ = ["passkeys"]

_S = ProposalState
EXECUTE = "UPDATE treasury_proposal SET state = 'EXECUTING' WHERE id = %(id)s"


def _pay(house: House, maker: User, somebody: Beneficiary, amount: str = "250000.00") -> Proposal:
    return propose(house, maker, amount, debit_account=house.usd.pk, beneficiary=somebody.pk)


def _fresh(proposal: Proposal) -> Proposal:
    return Proposal.objects.get(pk=proposal.pk)


def _set(policy: policies.Policy[Any], value: object) -> None:
    policies.change(policy=policy, value=value, actor=None, reason="test")


def _codes(proposal: Proposal) -> set[str]:
    return {flag.code for flag in flags_of(_fresh(proposal))}


def _required(proposal: Proposal) -> int:
    request = approval_reads.request_of(
        subject_type="treasury.proposal", subject_id=proposal.pk, subject_version=proposal.version
    )
    assert request is not None
    return request.required_count


# Cool-off


def test_a_payment_to_a_new_account_rests(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    proposal = _pay(house, maker, supplier)
    assert "recently_changed" in _codes(proposal)
    approve(tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk) is False
    assert _fresh(proposal).state == _S.APPROVED
    assert Transfer.objects.get().reason_code == transfers.COOL_OFF


def test_after_a_day_it_leaves(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    proposal = _pay(house, maker, supplier)
    approve(tenant, proposal, checker)
    age(hours=23)
    assert transfers.execute(proposal_id=proposal.pk) is False
    age(hours=2)
    assert cools_until(proposal.pk) is None
    assert transfers.execute(proposal_id=proposal.pk) is True


def test_the_database_holds_it_back_too(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    proposal = _pay(house, maker, supplier)
    approve(tenant, proposal, checker)
    with pytest.raises(DatabaseError, match="rests"):
        sql(EXECUTE, id=proposal.pk)
    with guard_replaced("treasury_proposal", "guard"):
        assert sql(EXECUTE, id=proposal.pk) == 1


def test_the_cool_off_is_a_policy(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    _set(knobs.COOL_OFF_HOURS, 0)
    proposal = _pay(house, maker, supplier)
    assert "recently_changed" not in _codes(proposal)
    approve(tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk) is True


@pytest.mark.usefixtures("passkeys")
def test_over_broken_glass_a_payment_does_not_rest(
    house: House,
    tenant: Tenant,
    maker: User,
    checker: User,
    checker2: User,
    supplier: Beneficiary,
) -> None:
    glass = approvals.BreakGlass(
        incident="INC-7", reason=approvals.BreakGlassReason.SYSTEMIC, words="The bank is closing."
    )
    draft = proposals.ProposalIn(
        debit_account=house.usd.pk, beneficiary=supplier.pk, amount=Decimal(100), why="Rescue"
    )
    made = proposals.create_proposal(draft=draft, maker=maker)
    proposal = proposals.submit_proposal(proposal_id=made.pk, actor=maker, break_glass=glass)
    request = approval_reads.request_of(subject_type="treasury.proposal", subject_id=proposal.pk)
    assert request is not None
    assert cools_until(proposal.pk) is not None
    for person in (checker, checker2):
        with bound(tenant.id, actor=person.pk), connection.cursor() as cursor:
            cursor.execute("SELECT door.passkey(%s, %s)", [person.pk, request.content_hash])
            key = cursor.fetchone()[0]
            approvals.decide(
                request_id=request.pk,
                checker=person,
                outcome="APPROVE",
                content_hash=request.content_hash,
                version=request.subject_version,
                evidence=approvals.Evidence(
                    auth_method="passkey",
                    auth_at=clock.now(),
                    ip=None,
                    step_up=key,
                    acknowledged=to_see(request),
                ),
            )
    assert cools_until(proposal.pk) is None
    assert transfers.execute(proposal_id=proposal.pk) is True


def test_who_wrote_the_account_does_not_check_payments_to_it(
    house: House, tenant: Tenant, maker: User, user_with: MakeUser
) -> None:
    both = user_with("static_data", "treasury_checker", name="both")
    somebody = put_on_the_list(tenant, both)
    proposal = _pay(house, maker, somebody)
    with pytest.raises(SelfApprovalRefused):
        approve(tenant, proposal, both)
    age()
    later = _pay(house, maker, somebody, "1.00")
    approve(tenant, later, both)
    assert _fresh(later).state == _S.APPROVED


def test_an_own_account_changed_by_hand_rests_as_well(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    assert house.home.changed_at is None
    sql(
        "UPDATE treasury_bankaccount SET clearing_code = 'SBNK0000002' WHERE id = %(id)s",
        id=house.home.pk,
    )
    proposal = propose(house, maker)
    assert "recently_changed" in _codes(proposal)
    approve(tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk) is False
    age("treasury_bankaccount")
    assert transfers.execute(proposal_id=proposal.pk) is True


def test_the_stamp_of_an_own_account_is_the_databases(house: House) -> None:
    forged = "UPDATE treasury_bankaccount SET changed_at = '2020-01-01'"
    sql(forged)
    assert not BankAccount.objects.filter(changed_at__isnull=False).exists()
    with guard_replaced("treasury_bankaccount", "stamp"):
        sql(forged)
    assert BankAccount.objects.filter(changed_at__isnull=False).count() == 5


def test_a_beneficiary_blocked_after_approval_is_not_paid(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    age()
    proposal = _pay(house, maker, supplier)
    approve(tenant, proposal, checker)
    beneficiaries.block_beneficiary(beneficiary_id=supplier.pk, actor=checker)
    assert transfers.execute(proposal_id=proposal.pk) is False
    assert Transfer.objects.get().reason_code == transfers.BLOCKED
    with pytest.raises(DatabaseError, match="blocked"):
        sql(EXECUTE, id=proposal.pk)
    with guard_replaced("treasury_proposal", "guard"):
        assert sql(EXECUTE, id=proposal.pk) == 1


def test_a_checker_acknowledges_what_is_red(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    proposal = _pay(house, maker, supplier)
    request = approval_reads.request_of(subject_type="treasury.proposal", subject_id=proposal.pk)
    assert request is not None
    assert set(to_see(request)) == {"not_verified", "recently_changed"}
    with bound(tenant.id, actor=checker.pk), pytest.raises(AcknowledgementRequired):
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=shown(checker, request.content_hash),
        )
    approve(tenant, proposal, checker)
    assert _fresh(proposal).state == _S.APPROVED


# Limits and splitting


@pytest.mark.parametrize(
    ("policy", "scope"),
    [
        (knobs.OUTFLOW_24H_BENEFICIARY_USD_MAX, "beneficiary"),
        (knobs.OUTFLOW_24H_MAKER_USD_MAX, "maker"),
        (knobs.OUTFLOW_24H_ACCOUNT_USD_MAX, "account"),
    ],
)
def test_a_rolling_limit_counts_what_waits_and_what_left(
    house: House,
    maker: User,
    supplier: Beneficiary,
    policy: policies.Policy[Decimal],
    scope: str,
) -> None:
    _set(policy, Decimal(500_000))
    _pay(house, maker, supplier, "250000.00")
    _pay(house, maker, supplier, "250000.00")
    with pytest.raises(LimitExceeded) as refusal:
        _pay(house, maker, supplier, "0.01")
    assert refusal.value.context["scope"] == scope
    with clock.frozen(clock.now() + timedelta(hours=24)):
        assert _pay(house, maker, supplier, "500000.00").state == _S.PENDING


def test_what_came_to_nothing_does_not_count(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    _set(knobs.OUTFLOW_24H_BENEFICIARY_USD_MAX, Decimal(500_000))
    first = _pay(house, maker, supplier, "500000.00")
    with bound(tenant.id, actor=maker.pk):
        proposals.withdraw_proposal(proposal_id=first.pk, actor=maker, reason="not needed")
    assert _pay(house, maker, supplier, "500000.00").state == _S.PENDING


def test_typing_the_number_in_again_makes_nobody_new(
    house: House, maker: User, supplier: Beneficiary
) -> None:
    _set(knobs.OUTFLOW_24H_BENEFICIARY_USD_MAX, Decimal(500_000))
    typed = BeneficiaryIn(**{**SUPPLIER, "number": "5550001"})
    terms = {"debit_account": house.usd.pk, "typed_in": typed}
    propose(house, maker, "400000.00", **terms)
    with pytest.raises(LimitExceeded):
        propose(house, maker, "200000.00", **terms)


def test_the_database_counts_again_when_the_transfer_is_made(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    proposal = _pay(house, maker, supplier)
    _set(knobs.OUTFLOW_24H_BENEFICIARY_USD_MAX, Decimal(100_000))
    with pytest.raises(LimitExceeded):
        approve(tenant, proposal, checker)
    assert _fresh(proposal).state == _S.PENDING
    with guard_replaced("treasury_proposal", "guard"):
        sql("UPDATE treasury_proposal SET state = 'APPROVED'")
    attack = (
        "INSERT INTO treasury_transfer (id, tenant_id, proposal_id, end_to_end_id, uetr, attempt,"
        " bank_status, bank_status_rank, bank_reference, reason_code, created_at)"
        " VALUES (%(id)s, %(tenant)s, %(proposal)s, 'X',"
        " '7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b', 0, '', 0, '', '', now())"
    )
    facts = {"id": uuid4(), "tenant": tenant.id, "proposal": proposal.pk}
    with pytest.raises(DatabaseError):
        sql(attack, **facts)
    with guard_replaced("treasury_transfer", "guard"):
        assert sql(attack, **facts) == 1


def test_parts_of_a_split_payment_count_together(
    house: House,
    tenant: Tenant,
    maker: User,
    checker: User,
    checker2: User,
    supplier: Beneficiary,
) -> None:
    first = _pay(house, maker, supplier, "6000000.00")
    second = _pay(house, maker, supplier, "4000000.00")
    third = _pay(house, maker, supplier, "0.01")
    assert [_required(one) for one in (first, second, third)] == [1, 1, 2]
    assert rule_usd(third.pk) == Decimal("10000000.01")
    assert "split_payment" in _codes(third)
    approve(tenant, third, checker)
    assert _fresh(third).state == _S.PENDING
    approve(tenant, third, checker2)
    assert _fresh(third).state == _S.APPROVED


def test_the_first_part_is_not_punished_for_the_later_ones(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    first = _pay(house, maker, supplier, "6000000.00")
    _pay(house, maker, supplier, "6000000.00")
    approve(tenant, first, checker)
    assert _fresh(first).state == _S.APPROVED


def test_another_makers_payment_is_no_part(
    house: House, maker: User, supplier: Beneficiary, user_with: MakeUser
) -> None:
    _pay(house, maker, supplier, "6000000.00")
    other = user_with("treasury_maker", name="other-maker")
    assert _required(_pay(house, other, supplier, "6000000.00")) == 1
    twin = user_with("treasury_maker", name="twin", person_number=maker.person_number)
    assert _required(_pay(house, twin, supplier, "6000000.00")) == 2


@pytest.mark.parametrize(("counts", "required"), [("off", 1), ("beneficiaries", 1), ("all", 2)])
def test_whether_own_accounts_count_is_a_policy(
    house: House, maker: User, counts: str, required: int
) -> None:
    _set(knobs.SPLITTING_COUNTS, counts)
    terms = {"debit_account": house.usd.pk, "credit_account": house.usd_far.pk}
    propose(house, maker, "6000000.00", **terms)
    assert _required(propose(house, maker, "6000000.00", **terms)) == required


def test_a_split_that_nobody_could_approve_is_refused(
    house: House, maker: User, checker2: User, supplier: Beneficiary
) -> None:
    _pay(house, maker, supplier, "6000000.00")
    User.objects.filter(pk=checker2.pk).update(is_active=False)
    with pytest.raises(NobodyEligible):
        _pay(house, maker, supplier, "6000000.00")


# Trying again


def test_a_failure_is_tried_again_only_while_its_approval_is_fresh(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    transfers.execute(proposal_id=proposal.pk)
    transfers.mark_failed(reference=proposal.reference, reason="The bank said no.")
    held = Transfer.objects.get()
    with (
        clock.frozen(clock.now() + timedelta(hours=4, minutes=1)),
        pytest.raises(NotRetriable, match="proposed anew"),
    ):
        transfers.retry_transfer(transfer_id=held.pk, actor=maker)


def test_a_failure_is_not_tried_again_towards_a_blocked_or_changed_account(
    house: House,
    tenant: Tenant,
    maker: User,
    checker: User,
    keeper: User,
    supplier: Beneficiary,
) -> None:
    age()
    proposal = _pay(house, maker, supplier)
    approve(tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk)
    transfers.mark_failed(reference=proposal.reference, reason="The bank said no.")
    held = Transfer.objects.get()
    beneficiaries.block_beneficiary(beneficiary_id=supplier.pk, actor=checker)
    with pytest.raises(BeneficiaryBlocked):
        transfers.retry_transfer(transfer_id=held.pk, actor=maker)
    with bound(tenant.id, actor=keeper.pk):
        beneficiaries.unblock_beneficiary(beneficiary_id=supplier.pk, actor=keeper)
    with pytest.raises(NotRetriable, match="rests"):
        transfers.retry_transfer(transfer_id=held.pk, actor=maker)


# Flags


def test_a_first_payment_to_an_unverified_account_says_so(
    house: House, maker: User, supplier: Beneficiary
) -> None:
    assert _codes(_pay(house, maker, supplier)) == {
        "not_verified",
        "first_payment",
        "recently_changed",
    }


def test_a_known_verified_payee_raises_nothing(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    with bound(tenant.id, actor=checker.pk):
        beneficiaries.verify_beneficiary(beneficiary_id=supplier.pk, actor=checker)
    age()
    first = _pay(house, maker, supplier, "100.00")
    approve(tenant, first, checker)
    assert transfers.execute(proposal_id=first.pk)
    transfers.mark_sent(reference=first.reference, bank_reference="B")
    with clock.frozen(clock.now() + timedelta(hours=25)):
        assert _codes(_pay(house, maker, supplier, "200.00")) == set()


def test_a_payment_like_an_earlier_one_is_called_a_duplicate(
    house: House, maker: User, supplier: Beneficiary
) -> None:
    first = _pay(house, maker, supplier)
    second = _pay(house, maker, supplier)
    flag = next(one for one in flags_of(_fresh(second)) if one.code == "possible_duplicate")
    assert first.reference in flag.words
    assert flag.severity == "ack"
    own = [propose(house, maker), propose(house, maker)][1]
    (warning,) = flags_of(_fresh(own))
    assert (warning.code, warning.severity) == ("possible_duplicate", "warn")


def test_without_a_rate_the_limits_are_unknown_not_kept(house: House, maker: User) -> None:
    from treasury.models import UsdRate

    UsdRate.objects.all().delete()
    proposal = propose(house, maker)
    assert _required(proposal) == 2
    assert _codes(proposal) == {"limits_unknown"}


QUIET = Facts(
    payee=None,
    cools_until=None,
    changed_by="",
    cutoff_at=datetime(2026, 11, 17, 22, 0, tzinfo=UTC),
    twins=(),
    usd=Decimal(5),
    usd_together=Decimal(5),
)


def test_flags_to_acknowledge_stand_first() -> None:
    from dataclasses import replace

    typed = Payee(name="B", is_typed_in=True, is_verified=False, was_paid_before=False)
    found = flags(
        replace(QUIET, payee=typed, twins=("FMP-1",), usd_together=Decimal(9), changed_by="Ann")
    )
    assert [flag.severity for flag in found] == ["ack", "ack", "warn", "warn"]
    assert flags(QUIET) == ()


def test_a_rest_beyond_the_cut_off_is_said() -> None:
    from dataclasses import replace

    until = QUIET.cutoff_at + timedelta(hours=1)
    (flag,) = flags(replace(QUIET, cools_until=until, changed_by="Ann"))
    assert isinstance(flag, Flag)
    assert "it will expire unsent" in flag.words


def _held_locks() -> set[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT classid::bigint, objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        return set(cursor.fetchall())


def test_several_take_in_one_go_what_each_takes_alone(house: House, maker: User) -> None:
    terms = {"amount": Decimal(1_000), "why": "Payouts", "credit_account": house.home.pk}
    drafts = [
        proposals.create_proposal(draft=ProposalIn(debit_account=debit.pk, **terms), maker=maker)  # type: ignore[arg-type]
        for debit in (house.near, house.far)
    ]
    before = _held_locks()
    with transaction.atomic():
        for draft in drafts:
            controls.count_alone(draft)
        alone = _held_locks()
        transaction.set_rollback(True)
    assert _held_locks() == before
    controls.count_together([draft.pk for draft in drafts])
    assert _held_locks() == alone
    # Two accounts, one maker, one payee.
    assert len(alone - before) == 4
