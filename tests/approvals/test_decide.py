"""Who may decide what, and what a decision does."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from approvals import errors, selectors, services
from approvals.models import ApprovalRequest, Decision
from core import clock
from core.errors import DomainError, Forbidden
from core.identity.models import User
from core.ids import uuid7
from core.money import Money
from core.tenancy import Tenant, bound
from tests.approvals.factories import (
    EVIDENCE,
    NOON,
    Subject,
    decide,
    payloads,
    registered_subject,
    submit,
    topics,
)
from tests.conftest import MakeUser

BIG = Money(Decimal("10000000.01"), "USD")


def refused(
    error: type[DomainError], request: ApprovalRequest, user: User, *args: Any, **changes: Any
) -> DomainError:
    """Assert that a decision is refused and that nothing at all changed."""
    before = (request.state, topics(), Decision.objects.count())
    with pytest.raises(error) as caught:
        decide(request, user, *args, **changes)
    fresh = ApprovalRequest.objects.get(pk=request.pk)
    assert (fresh.state, topics(), Decision.objects.count()) == before
    return caught.value


def test_one_checker_approves(desk: Subject, maker: User, checker: User) -> None:
    request = submit(maker=maker)
    with clock.frozen(NOON + timedelta(days=400)):
        result = decide(request, checker)
    assert (result.counted, result.is_final) == (True, True)
    assert result.request.state == "APPROVED"
    assert desk.states == ["APPROVED"]
    assert desk.told[0].actor == checker
    assert topics() == ["submitted", "approved"]
    assert payloads("approved")[0] | {"approvals": []} == {
        "request_id": str(request.pk),
        "action": "fund_movement",
        "subject_type": "test.thing",
        "proposal_id": str(request.subject_id),
        "version": 1,
        "content_hash": request.content_hash,
        "usd_equivalent": "2750000.0000",
        "approvals": [],
    }
    approvals = payloads("approved")[0]["approvals"]
    assert [found["checker"] for found in approvals] == [str(checker.pk)]


def test_two_checkers_approve_a_large_amount(desk: Subject, checker: User, checker2: User) -> None:
    request = submit(amount=BIG)
    first = decide(request, checker)
    assert (first.counted, first.is_final) == (True, False)
    assert desk.told == []
    assert topics() == ["submitted"]
    second = decide(request, checker2)
    assert (second.counted, second.is_final) == (True, True)
    assert topics() == ["submitted", "approved"]
    checkers = [found["checker"] for found in payloads("approved")[0]["approvals"]]
    assert checkers == [str(checker.pk), str(checker2.pk)]


def test_the_maker_cannot_approve(desk: Subject, user_with: MakeUser) -> None:
    both = user_with("treasury_maker", "treasury_checker", name="both")
    refusal = refused(errors.SelfApprovalRefused, submit(maker=both), both)
    assert (refusal.code, refusal.status) == ("self_approval_refused", 403)


def test_the_makers_other_login_cannot_approve(desk: Subject, user_with: MakeUser) -> None:
    first = user_with("treasury_maker", name="ann", person_number="P-7")
    second = user_with("treasury_checker", name="ann2", person_number="P-7")
    refused(errors.SelfApprovalRefused, submit(maker=first), second)


def test_who_triggered_a_system_submission_cannot_approve(
    desk: Subject, tenant: Tenant, checker: User
) -> None:
    with bound(tenant.id, actor=checker.pk):
        request = submit(maker=None)
    assert request.submitted_by == str(checker.pk)
    refused(errors.SelfApprovalRefused, request, checker)


def test_who_was_involved_cannot_approve(desk: Subject, checker: User, checker2: User) -> None:
    request = submit(involved=(checker,))
    refused(errors.SelfApprovalRefused, request, checker)
    assert decide(request, checker2).is_final


@pytest.mark.parametrize(
    "role", ["treasury_maker", "dealer", "auditor", "tenant_admin", "integration"]
)
def test_other_roles_cannot_approve(desk: Subject, user_with: MakeUser, role: str) -> None:
    refusal = refused(errors.RoleMissing, submit(), user_with(role, name="other"))
    assert (refusal.code, refusal.status) == ("role_missing", 403)


def test_a_superuser_without_the_role_cannot_approve(desk: Subject, user_with: MakeUser) -> None:
    root = user_with(name="root")
    root.is_superuser = True
    root.save()
    refused(errors.RoleMissing, submit(), root)


def test_a_service_account_never_checks(desk: Subject, user_with: MakeUser) -> None:
    robot = user_with("treasury_checker", name="robot", is_service=True)
    refused(errors.RoleMissing, submit(), robot)


def test_an_inactive_checker_cannot_approve(desk: Subject, checker: User) -> None:
    request = submit()
    checker.is_active = False
    checker.save()
    refused(errors.RoleMissing, request, checker)


def test_nobody_records_a_decision_for_somebody_else(
    desk: Subject, tenant: Tenant, checker: User, checker2: User
) -> None:
    request = submit()
    with bound(tenant.id, actor=checker2.pk), pytest.raises(errors.NotTheActor):
        services.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=1,
            evidence=EVIDENCE,
        )
    assert not Decision.objects.exists()


def test_a_stale_page_cannot_approve(desk: Subject, checker: User) -> None:
    request = submit()
    refusal = refused(errors.ContentChanged, request, checker, content_hash="0" * 64)
    assert (refusal.code, refusal.status) == ("content_changed", 409)
    assert refusal.context["content_hash"] == request.content_hash
    refused(errors.ContentChanged, request, checker, version=2)


def test_the_same_decision_again_counts_once(desk: Subject, checker: User) -> None:
    request = submit(amount=BIG)
    decide(request, checker)
    again = decide(request, checker)
    assert (again.counted, again.is_final) == (False, False)
    assert selectors.progress(again.request).approved_count == 1
    assert topics() == ["submitted"]


def test_the_same_decision_again_after_the_approval_is_no_error(
    desk: Subject, checker: User
) -> None:
    request = submit()
    decide(request, checker)
    again = decide(request, checker)
    assert (again.counted, again.is_final) == (False, True)
    assert topics() == ["submitted", "approved"]


def test_nobody_decides_twice_differently(desk: Subject, checker: User) -> None:
    request = submit(amount=BIG)
    decide(request, checker)
    refusal = refused(errors.AlreadyDecided, request, checker, "REJECT")
    assert (refusal.code, refusal.status) == ("already_decided", 409)


def test_two_logins_of_one_person_count_once(desk: Subject, user_with: MakeUser) -> None:
    first = user_with("treasury_checker", name="bo", person_number="P-8")
    second = user_with("treasury_checker", name="bo2", person_number="P-8")
    request = submit(amount=BIG)
    decide(request, first)
    refused(errors.AlreadyDecided, request, second)


def test_a_second_checker_comes_too_late(desk: Subject, checker: User, checker2: User) -> None:
    request = submit()
    decide(request, checker)
    refusal = refused(errors.NotPending, decide(request, checker).request, checker2)
    assert (refusal.code, refusal.status) == ("not_pending", 409)


def test_a_rejection_needs_a_reason_and_wins_at_once(
    desk: Subject, checker: User, checker2: User
) -> None:
    request = submit(amount=BIG)
    decide(request, checker)
    refusal = refused(errors.ReasonRequired, request, checker2, "REJECT", reason="  ")
    assert refusal.status == 422
    result = decide(request, checker2, "REJECT", reason="Wrong account.")
    assert (result.request.state, result.is_final) == ("REJECTED", True)
    assert desk.states == ["REJECTED"]
    assert desk.told[0].reason == "Wrong account."
    assert payloads("rejected")[0]["reason"] == "Wrong account."


def test_past_the_cutoff_nobody_approves_even_before_the_sweep(
    desk: Subject, checker: User
) -> None:
    with clock.frozen(NOON):
        request = submit(cutoff_at=NOON + timedelta(hours=1))
    with clock.frozen(NOON + timedelta(hours=1)):
        refusal = refused(errors.PastCutoff, request, checker)
    assert (refusal.code, refusal.status) == ("past_cutoff", 409)
    with clock.frozen(NOON + timedelta(minutes=59, seconds=59)):
        assert decide(request, checker).is_final


def test_an_unknown_and_a_foreign_request_look_the_same(
    desk: Subject, checker: User, other_tenant: Tenant
) -> None:
    request = submit()
    with bound(other_tenant.id):
        with pytest.raises(errors.RequestUnknown) as foreign:
            selectors.require_request(request.pk)
        with pytest.raises(errors.RequestUnknown) as unknown:
            selectors.require_request(uuid7())
    assert foreign.value.message == unknown.value.message


def test_a_subject_that_refuses_takes_the_approval_back(desk: Subject, checker: User) -> None:
    request = submit()
    desk.refusal = Forbidden("No funds.")
    refused(Forbidden, request, checker)


def test_a_submission_that_nobody_could_approve_is_refused(
    desk: Subject, checker: User, checker2: User
) -> None:
    with pytest.raises(errors.NobodyEligible) as caught:
        submit(amount=BIG, maker=checker)
    assert caught.value.context["eligible_count"] == 1
    assert submit(maker=checker).required_count == 1


def test_the_same_submission_again_returns_the_request(desk: Subject) -> None:
    thing = uuid7()
    first = submit(subject_id=thing)
    assert submit(subject_id=thing).pk == first.pk
    assert topics() == ["submitted"]


def test_another_content_under_the_same_version_is_refused(desk: Subject) -> None:
    thing = uuid7()
    submit(subject_id=thing, subject_version=2)
    for version in (1, 2):
        with pytest.raises(errors.VersionNotNewer):
            submit(subject_id=thing, subject_version=version, content={"amount": "1"})


def test_decisions_on_one_version_never_count_for_the_next(
    desk: Subject, checker: User, checker2: User
) -> None:
    thing = uuid7()
    first = submit(subject_id=thing, amount=BIG)
    decide(first, checker)
    second = submit(subject_id=thing, amount=BIG, subject_version=2)
    assert second.content_hash != first.content_hash
    first.refresh_from_db()
    assert first.state == "VOIDED"
    assert selectors.progress(second).approved_count == 0
    assert not decide(second, checker2).is_final
    assert decide(second, checker).is_final
    amended = payloads("amended")
    assert [event["voided_decisions_count"] for event in amended] == [1]
    assert topics() == ["submitted", "amended", "submitted", "approved"]


def test_an_amendment_takes_the_approval_of_the_older_version_away(
    desk: Subject, checker: User
) -> None:
    thing = uuid7()
    first = submit(subject_id=thing)
    decide(first, checker)
    submit(subject_id=thing, subject_version=2)
    first.refresh_from_db()
    assert first.state == "VOIDED"


def test_the_inbox_holds_what_one_may_decide_soonest_cutoff_first(
    desk: Subject, checker: User, checker2: User, maker: User
) -> None:
    with clock.frozen(NOON):
        open_end = submit(maker=maker)
        late = submit(maker=maker, cutoff_at=NOON + timedelta(hours=5))
        soon = submit(maker=maker, amount=BIG, cutoff_at=NOON + timedelta(hours=1))
        own = submit(maker=checker)
        assert list(selectors.inbox(user=checker)) == [soon, late, open_end]
        assert list(selectors.inbox(user=checker2)) == [soon, late, open_end, own]
        assert list(selectors.inbox(user=maker)) == []
        decide(soon, checker)
        decide(late, checker)
        assert list(selectors.inbox(user=checker)) == [open_end]
    with clock.frozen(NOON + timedelta(hours=1)):
        assert soon not in selectors.inbox(user=checker2)


def test_the_detail_says_what_is_missing_and_why_not(
    desk: Subject, checker: User, checker2: User, maker: User
) -> None:
    request = submit(amount=BIG, maker=maker)
    decide(request, checker)
    detail = selectors.request_detail(request_id=request.pk, user=checker)
    assert detail.progress.missing_count == 1
    assert detail.eligibility.code == "already_decided"
    assert detail.description.facts == (("Kind", "a thing"),)
    codes = {
        person.username.partition("@")[0]: selectors.eligibility(person, request).code
        for person in (maker, checker2)
    }
    assert codes == {"maker": "self_approval_refused", "checker2": ""}


def test_the_hash_covers_tenant_subject_version_and_content(
    desk: Subject, other_tenant: Tenant
) -> None:
    request = submit()
    hashes = {request.content_hash, selectors.content_hash_of(request)}
    assert len(hashes) == 1
    for name, value in {
        "tenant_id": other_tenant.pk,
        "subject_id": uuid7(),
        "subject_version": 9,
        "content": {"amount": "1"},
    }.items():
        changed = ApprovalRequest.objects.get(pk=request.pk)
        setattr(changed, name, value)
        hashes.add(selectors.content_hash_of(changed))
    assert len(hashes) == 5


def test_a_request_for_changes_closes_it_for_its_maker(
    desk: Subject, maker: User, checker: User, checker2: User
) -> None:
    request = submit(maker=maker, amount=BIG)
    decide(request, checker)
    with pytest.raises(errors.ReasonRequired):
        decide(request, checker2, "CHANGES", reason=" ")
    result = decide(request, checker2, "CHANGES", reason="Take the other account.")
    assert (result.request.state, result.is_final) == ("RETURNED", True)
    assert result.request.reason == "Take the other account."
    assert (desk.states, topics()[-1]) == (["RETURNED"], "returned")
    assert payloads("returned")[0]["reason"] == "Take the other account."
    again = submit(maker=maker, subject_id=request.subject_id, subject_version=2)
    assert again.state == "PENDING"
    assert selectors.progress(again).approved_count == 0


def test_a_room_may_hear_of_changes_apart_from_rejections(desk: Subject, checker: User) -> None:
    heard: list[str] = []
    with registered_subject(on_changes_requested=lambda outcome: heard.append(outcome.reason)):
        decide(submit(), checker, "CHANGES", reason="Another day.")
    assert (heard, desk.states) == (["Another day."], [])
