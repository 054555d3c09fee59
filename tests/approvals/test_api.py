"""Over HTTP: what machines and people may read and decide."""

from typing import Any

import pytest
from django.test import Client

from approvals.models import ApprovalRequest, Decision
from approvals.policies import STEP_UP_FOR_EVERY_APPROVAL
from core import policies
from core.api.authentication import access_token
from core.identity.models import User
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import Tenant, bound
from tests.approvals.factories import Subject, decide, submit, topics
from tests.approvals.stepping import code_of
from tests.conftest import MakeUser, make_user

pytestmark = pytest.mark.urls("tests.approvals.urls")
APPROVALS = "/api/v1/approvals"


def get(user: User, path: str = "", **query: str) -> Any:
    token = access_token(user)
    return Client().get(f"{APPROVALS}{path}", query, HTTP_AUTHORIZATION=f"Bearer {token}")


def post(
    user: User, request: ApprovalRequest, verb: str, key: str = "key-1", **changes: Any
) -> Any:
    body = {"version": request.subject_version, "content_hash": request.content_hash}
    if verb == "approve" and "code" not in changes and not user.is_service:
        body["code"] = code_of(user)
    return Client().post(
        f"{APPROVALS}/{request.pk}/{verb}",
        body | changes,
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {access_token(user)}",
        HTTP_IDEMPOTENCY_KEY=key,
    )


def test_a_checker_approves(desk: Subject, maker: User, checker: User) -> None:
    request = submit(maker=maker)
    answer = post(checker, request, "approve")
    assert answer.status_code == 200, answer.content
    assert answer.json()["request"]["state"] == "APPROVED"
    assert (answer.json()["counted"], answer.json()["is_final"]) == (True, True)
    decision = Decision.objects.get()
    assert (decision.auth_method, decision.ip) == ("bearer token", "127.0.0.1")
    assert decision.auth_at is not None
    assert decision.step_up is not None
    assert decision.step_up.content_hash == request.content_hash
    shown = get(checker, f"/{request.pk}").json()["decisions"][0]
    assert shown["step_up"] == "totp"


def test_the_same_request_again_gets_the_same_answer(desk: Subject, checker: User) -> None:
    request = submit()
    code = code_of(checker)
    first = post(checker, request, "approve", code=code)
    again = post(checker, request, "approve", code=code)
    assert first.json() == again.json()
    assert again["Idempotent-Replay"] == "true"
    third = post(checker, request, "approve", key="key-2", code="")
    assert (third.status_code, third.json()["counted"]) == (200, False)
    assert topics().count("approved") == 1


def test_a_rejection_needs_its_reason(desk: Subject, checker: User) -> None:
    request = submit()
    refused = post(checker, request, "reject")
    assert (refused.status_code, refused.json()["code"]) == (422, "reason_required")
    answer = post(checker, request, "reject", reason="Wrong account.")
    assert answer.json()["request"]["state"] == "REJECTED"
    assert answer.json()["request"]["reason"] == "Wrong account."


def test_refusals_have_their_codes_and_change_nothing(
    desk: Subject, maker: User, checker: User, checker2: User, user_with: MakeUser
) -> None:
    request = submit(maker=maker)
    robot = user_with("treasury_checker", name="robot", is_service=True)
    cases = [
        (post(maker, request, "approve", code=""), 403, "self_approval_refused"),
        (post(robot, request, "approve"), 403, "role_missing"),
        (post(user_with("auditor"), request, "approve", code=""), 403, "role_missing"),
        (post(checker, request, "approve", content_hash="0" * 64, code=""), 409, "content_changed"),
        (post(checker, request, "approve", version=2, code=""), 409, "content_changed"),
        (post(checker, request, "approve", content_hash="xyz", code=""), 400, "validation"),
        (post(checker, request, "approve", version="many", code=""), 400, "validation"),
        (post(checker, request, "approve", key="", code=""), 422, "invalid"),
        (post(checker, request, "approve", code="", key="key-2"), 403, "step_up_required"),
        (post(checker, request, "approve", code="12345", key="key-3"), 403, "step_up_failed"),
    ]
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer["Content-Type"] == "application/problem+json"
    assert not Decision.objects.exists()
    decide(request, checker)
    late = post(checker2, request, "approve", key="key-9")
    assert (late.status_code, late.json()["code"]) == (409, "not_pending")


def test_nobody_is_let_in_without_signing_in(desk: Subject) -> None:
    request = submit()
    for path in ("", f"/{request.pk}"):
        assert Client().get(f"{APPROVALS}{path}").status_code == 401
    answer = Client().post(f"{APPROVALS}/{request.pk}/approve", {}, "application/json")
    assert answer.status_code == 401


def test_another_tenants_request_is_as_unknown_as_none(
    desk: Subject, other_tenant: Tenant, checker: User
) -> None:
    request = submit()
    with bound(other_tenant.id):
        stranger = make_user("stranger", "treasury_checker")
    assert get(stranger).json()["results"] == []
    assert get(stranger, f"/{request.pk}").status_code == 404
    assert post(stranger, request, "approve", code="").status_code == 404


def test_the_list_is_narrowed_by_state_and_by_what_waits_for_me(
    desk: Subject, maker: User, checker: User
) -> None:
    mine, waiting, done = submit(maker=checker), submit(maker=maker), submit(maker=maker)
    decide(done, checker)

    def ids(**query: str) -> list[str]:
        return [row["id"] for row in get(checker, **query).json()["results"]]

    assert ids() == [str(done.pk), str(waiting.pk), str(mine.pk)]
    assert ids(state="PENDING") == [str(waiting.pk), str(mine.pk)]
    assert ids(state__in="APPROVED,REJECTED") == [str(done.pk)]
    assert ids(waiting_for_me="true") == [str(waiting.pk)]


def test_the_detail_shows_content_decisions_and_why_not(
    desk: Subject, maker: User, checker: User
) -> None:
    request = submit(maker=maker)
    before = get(maker, f"/{request.pk}").json()
    assert before["content"] == {"amount": "2750000.00", "currency": "USD"}
    assert before["eligibility"]["code"] == "self_approval_refused"
    assert before["request"]["amount"] == "2750000.0000"
    decide(request, checker)
    after = get(checker, f"/{request.pk}").json()
    assert [found["checker"]["name"] for found in after["decisions"]] == ["Checker"]
    assert after["progress"]["missing_count"] == 0
    assert after["url"] == f"/things/{request.subject_id}"


def test_a_list_costs_the_same_queries_however_long_it_is(
    desk: Subject, checker: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        decide(submit(), checker)
    with django_assert_max_num_queries(25):
        assert len(get(checker).json()["results"]) == 12


def test_people_decide_with_their_session(desk: Subject, tenant: Tenant, checker: User) -> None:
    request = submit()
    client = Client()
    client.force_login(checker, backend="core.identity.backend.TenantBackend")
    session = client.session
    session[TENANT_SESSION_KEY] = str(tenant.id)
    session.save()
    answer = client.post(
        f"{APPROVALS}/{request.pk}/approve",
        {"version": 1, "content_hash": request.content_hash, "code": code_of(checker)},
        content_type="application/json",
        headers={"Idempotency-Key": "key-1"},
    )
    assert answer.status_code == 200, answer.content
    assert Decision.objects.get().auth_method == "session"


def test_several_are_approved_in_one_call(desk: Subject, maker: User, checker: User) -> None:
    policies.change(
        policy=STEP_UP_FOR_EVERY_APPROVAL, value=False, actor=checker, reason="Of this test."
    )
    fine, own = submit(maker=maker), submit(maker=checker)
    items = [
        {"request": str(one.pk), "version": one.subject_version, "content_hash": one.content_hash}
        for one in (fine, own)
    ]
    calls = [
        Client().post(
            f"{APPROVALS}/approve",
            {"items": items},
            content_type="application/json",
            HTTP_AUTHORIZATION=f"Bearer {access_token(checker)}",
            HTTP_IDEMPOTENCY_KEY="several",
        )
        for _ in range(2)
    ]
    assert [call.status_code for call in calls] == [200, 200]
    assert calls[0].json() == calls[1].json()
    first, second = calls[0].json()["results"]
    assert (first["approved"], first["is_final"], first["code"]) == (True, True, "")
    assert (second["approved"], second["code"]) == (False, "self_approval_refused")
    assert Decision.objects.get().request == fine
