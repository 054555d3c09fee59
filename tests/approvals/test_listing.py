"""Several requests at once: one second factor for all, one decision and one result for each."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from approvals import errors, services
from approvals.constants import AT_ONCE_MAX
from approvals.models import ApprovalRequest, Decision, DecisionList
from approvals.policies import STEP_UP_FOR_EVERY_APPROVAL
from approvals.services import listing
from core import policies
from core.identity.models import User
from core.identity.step_up import StepUpMissing
from core.tenancy import bound
from tests.approvals.factories import EVIDENCE, Subject, submit
from tests.approvals.test_levels import LARGE
from tests.conftest import MakeUser, stepped_up

NOTE = services.Flag(code="first", words="The first payment to them.")
TYPED = services.Flag(code="typed_in", words="The account was typed in.", severity="ack")


def opened(request: ApprovalRequest, checker: User) -> services.ListedItem:
    """Return the request as the checker saw it, every flag acknowledged."""
    services.record_viewing(request=request, viewer=checker)
    return services.ListedItem(
        request_id=request.pk,
        version=request.subject_version,
        content_hash=request.content_hash,
        acknowledged=tuple(flag["code"] for flag in request.flags),
    )


def approve(
    checker: User, *requests: ApprovalRequest, proven: list[str] | None = None, **changes: Any
) -> list[services.ItemResult]:
    """Open each request and approve them together."""
    with bound(str(requests[0].tenant_id), actor=checker.pk):
        items = [replace(opened(request, checker), **changes) for request in requests]
        hashes = [item.content_hash for item in items] if proven is None else proven
        evidence = replace(EVIDENCE, step_up=stepped_up(checker, services.list_digest(hashes)))
        return services.approve_together(items=items, checker=checker, evidence=evidence)


def refusals(found: list[services.ItemResult]) -> list[str]:
    return [one.refusal.code if one.refusal else "" for one in found]


def test_one_second_factor_approves_several(desk: Subject, checker: User) -> None:
    requests = [submit(flags=(TYPED,)), submit(flags=(NOTE,)), submit(amount=None)]
    found = approve(checker, *requests)
    assert [one.request_id for one in found] == [request.pk for request in requests]
    assert all(one.result and one.result.is_final for one in found)
    assert desk.states == ["APPROVED"] * 3
    made = DecisionList.objects.get()
    assert made.content_hashes == sorted(request.content_hash for request in requests)
    assert {one.listed_id for one in Decision.objects.all()} == {made.pk}
    assert made.step_up.content_hash == services.list_digest(made.content_hashes)


def test_one_that_is_refused_does_not_stop_the_others(
    desk: Subject, checker: User, checker2: User
) -> None:
    fine, own, large, gone = submit(), submit(maker=checker), submit(amount=LARGE), submit()
    services.cancel(request_id=gone.pk, actor=None, reason="Not needed.")
    found = approve(checker, own, fine, large, gone)
    assert refusals(found) == ["self_approval_refused", "", "list_refused", "not_pending"]
    assert Decision.objects.get().request == fine


def test_every_flag_was_acknowledged_also_a_mere_note(desk: Subject, checker: User) -> None:
    request = submit(flags=(NOTE,))
    (found,) = approve(checker, request, acknowledged=())
    assert refusals([found]) == ["acknowledgement_required"]
    assert not Decision.objects.exists()


def test_the_second_factor_is_for_exactly_this_list(desk: Subject, checker: User) -> None:
    one, two = submit(), submit()
    for proven in ([one.content_hash], [one.content_hash, two.content_hash, "0" * 64]):
        with pytest.raises(StepUpMissing):
            approve(checker, one, two, proven=proven)
    assert not DecisionList.objects.exists()


def test_a_list_has_its_limits(desk: Subject, checker: User) -> None:
    request = submit()
    with bound(str(request.tenant_id), actor=checker.pk):
        item = opened(request, checker)
        for items in ([], [item, item], [item] * 21):
            with pytest.raises(errors.ListRefused):
                services.approve_together(items=items, checker=checker, evidence=EVIDENCE)
    with bound(str(request.tenant_id), actor=checker.pk), pytest.raises(StepUpMissing):
        services.approve_together(items=[item], checker=checker, evidence=EVIDENCE)


def test_what_was_never_opened_is_not_approved(desk: Subject, checker: User) -> None:
    seen, unseen = submit(), submit()
    with bound(str(seen.tenant_id), actor=checker.pk):
        items = [
            opened(seen, checker),
            services.ListedItem(request_id=unseen.pk, version=1, content_hash=unseen.content_hash),
        ]
        proof = stepped_up(checker, services.list_digest([seen.content_hash, unseen.content_hash]))
        with pytest.raises(errors.ListRefused, match="Open every"):
            services.approve_together(
                items=items, checker=checker, evidence=replace(EVIDENCE, step_up=proof)
            )


def test_the_same_list_again_changes_nothing(desk: Subject, checker: User) -> None:
    request = submit()
    approve(checker, request)
    (again,) = approve(checker, request)
    assert again.result is not None
    assert not again.result.counted
    assert Decision.objects.count() == 1


def test_content_that_changed_meanwhile_is_refused(desk: Subject, checker: User) -> None:
    request = submit()
    (found,) = approve(checker, request, version=2)
    assert refusals([found]) == ["content_changed"]


def test_python_and_the_database_compute_the_same_digest(desk: Subject) -> None:
    hashes = ["b" * 64, "a" * 64, "c" * 64]
    with connection.cursor() as cursor:
        cursor.execute("SELECT approvals_list_digest(%s::text[])", [hashes])
        assert cursor.fetchone()[0] == services.list_digest(hashes)


def test_the_database_keeps_two_person_requests_off_lists(
    desk: Subject, checker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "why_alone", lambda *_: "")
    with pytest.raises(IntegrityError, match="on its own"), transaction.atomic():
        approve(checker, submit(amount=LARGE))


def test_what_was_escalated_or_is_beyond_a_limit_is_refused_one_by_one(
    desk: Subject, user_with: MakeUser, checker: User
) -> None:
    manager = user_with("treasury_manager", name="early-manager")
    payment, change = submit(), submit(amount=None)
    assert refusals(approve(manager, payment, change)) == ["not_escalated", ""]


def each(checker: User, *requests: ApprovalRequest, **changes: Any) -> list[services.ItemResult]:
    """Approve each request for itself, in one call; nobody shows a second factor."""
    with bound(str(requests[0].tenant_id), actor=checker.pk):
        items = [
            services.ListedItem(
                request_id=one.pk, version=one.subject_version, content_hash=one.content_hash
            )
            for one in requests
        ]
        return services.approve_each(
            items=[replace(item, **changes) for item in items], checker=checker, evidence=EVIDENCE
        )


def test_several_at_once_are_decided_each_for_itself(
    desk: Subject, checker: User, no_step_up: None
) -> None:
    requests = [submit(), submit(), submit()]
    found = each(checker, *requests)
    assert all(one.result and one.result.is_final for one in found)
    assert desk.states == ["APPROVED"] * 3
    assert {one.listed_id for one in Decision.objects.all()} == {None}


def test_of_several_at_once_only_what_may_be_is_approved(
    desk: Subject, checker: User, no_step_up: None
) -> None:
    fine, own, large, flagged = (
        submit(),
        submit(maker=checker),
        submit(amount=LARGE),
        submit(flags=(TYPED,)),
    )
    found = each(checker, own, fine, large, flagged)
    expected = ["self_approval_refused", "", "step_up_required", "acknowledgement_required"]
    assert refusals(found) == expected
    assert Decision.objects.get().request == fine


def test_of_several_at_once_one_that_the_database_refuses_stops_no_other(
    desk: Subject, checker: User, no_step_up: None
) -> None:
    requests = [submit(), submit(), submit()]
    desk.refusal = IntegrityError("an account of the proposal changed\nCONTEXT: a function")
    desk.refused_id = requests[1].subject_id
    found = each(checker, *requests)
    assert refusals(found) == ["", "list_refused", ""]
    assert found[1].refusal is not None
    assert found[1].refusal.message.endswith("an account of the proposal changed.")
    assert {one.request for one in Decision.objects.all()} == {requests[0], requests[2]}


def test_several_at_once_bind_to_what_was_seen(
    desk: Subject, checker: User, no_step_up: None
) -> None:
    (found,) = each(checker, submit(), content_hash="0" * 64)
    assert refusals([found]) == ["content_changed"]
    assert not Decision.objects.exists()


def test_without_its_policy_each_needs_its_second_factor(desk: Subject, checker: User) -> None:
    assert refusals(each(checker, submit())) == ["step_up_required"]


def test_several_at_once_are_bounded_and_each_named_once(desk: Subject, checker: User) -> None:
    one = submit()
    with pytest.raises(errors.ListRefused):
        each(checker, one, one)
    with pytest.raises(errors.ListRefused):
        each(checker, *[one] * (AT_ONCE_MAX + 1))


@pytest.fixture
def no_step_up(checker: User) -> None:
    """Small payments go without a second factor."""
    policies.change(
        policy=STEP_UP_FOR_EVERY_APPROVAL, value=False, actor=checker, reason="Of this test."
    )
