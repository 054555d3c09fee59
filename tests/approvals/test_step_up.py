"""An approval carries a second factor that was shown for exactly its content."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from approvals import policies as knobs
from approvals import services
from approvals.models import Decision
from core import policies
from core.identity.models import User
from core.identity.step_up import StepUpFailed, StepUpMissing, prove_with_code
from core.money import Money
from core.tenancy import Tenant, bound
from tests.approvals.factories import EVIDENCE, NOON, Subject, decide, submit
from tests.approvals.stepping import code_of
from tests.conftest import stepped_up

LARGE = Money(Decimal(20_000_000), "USD")


@pytest.fixture
def without_the_policy(desk: Subject, checker: User) -> None:
    policies.change(
        policy=knobs.STEP_UP_FOR_EVERY_APPROVAL, value=False, actor=checker, reason="trial"
    )


def test_a_code_of_the_authenticator_serves(desk: Subject, tenant: Tenant, checker: User) -> None:
    request = submit()
    with bound(tenant.id, actor=checker.pk):
        proof = prove_with_code(
            user=checker, code=code_of(checker), content_hash=request.content_hash
        )
    decide(request, checker, evidence=replace(EVIDENCE, step_up=proof.pk))
    decision = Decision.objects.get()
    assert decision.step_up == proof
    proof.refresh_from_db()
    assert proof.used_at is not None


def test_an_approval_without_is_refused_and_a_rejection_is_not(
    desk: Subject, checker: User
) -> None:
    request = submit()
    with pytest.raises(StepUpMissing):
        decide(request, checker, evidence=EVIDENCE)
    assert not Decision.objects.exists()
    assert decide(request, checker, "REJECT").request.state == "REJECTED"


def test_a_proof_for_another_content_or_of_another_person_is_none(
    desk: Subject, checker: User, checker2: User
) -> None:
    request, other = submit(), submit()
    for proof in (
        stepped_up(checker, other.content_hash),
        stepped_up(checker2, request.content_hash),
        stepped_up(checker, ""),
    ):
        with pytest.raises(StepUpMissing):
            decide(request, checker, evidence=replace(EVIDENCE, step_up=proof))
    assert not Decision.objects.exists()


def test_one_proof_serves_one_decision(
    without_the_policy: None, desk: Subject, checker: User
) -> None:
    request = submit()
    proof = stepped_up(checker, request.content_hash)
    decide(request, checker, evidence=replace(EVIDENCE, step_up=proof))
    twin = Decision(
        request=submit(),
        checker=checker,
        outcome="APPROVE",
        content_hash=request.content_hash,
        step_up_id=proof,
        decided_at=NOON,
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()


def test_the_policy_lets_small_amounts_pass_and_no_large_ones(
    without_the_policy: None, checker: User, checker2: User
) -> None:
    assert decide(submit(), checker, evidence=EVIDENCE).is_final
    large = submit(amount=LARGE)
    with pytest.raises(StepUpMissing):
        decide(large, checker, evidence=EVIDENCE)
    unrated = submit(amount=Money(Decimal(100), "INR"))
    with pytest.raises(StepUpMissing):
        decide(unrated, checker, evidence=EVIDENCE)


def test_the_database_asks_for_it_above_the_threshold_whatever_the_policy_says(
    without_the_policy: None, tenant: Tenant, checker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.deciding, "needs_step_up", lambda *_: False)
    large = submit(amount=LARGE)
    with pytest.raises(IntegrityError, match="second factor"), transaction.atomic():
        decide(large, checker, evidence=EVIDENCE)
    assert decide(submit(), checker, evidence=EVIDENCE).is_final


def test_a_wrong_code_decides_nothing(desk: Subject, tenant: Tenant, checker: User) -> None:
    request = submit()
    code_of(checker)
    with bound(tenant.id, actor=checker.pk), pytest.raises(StepUpFailed):
        prove_with_code(user=checker, code="000000", content_hash=request.content_hash)
