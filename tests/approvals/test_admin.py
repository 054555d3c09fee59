"""The admin shows approvals and decides through the service; nothing there is edited by hand."""

from typing import Any

import pytest
from django.test import Client

from approvals.models import ApprovalRequest, ApprovalRule, Decision
from core.identity.models import User
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import Tenant
from tests.approvals.factories import Subject, decide, submit
from tests.approvals.stepping import code_of

pytestmark = pytest.mark.urls("tests.approvals.urls")
REQUESTS = "/admin/approvals/approvalrequest"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="core.identity.backend.TenantBackend")
    session = client.session
    session[TENANT_SESSION_KEY] = str(user.tenant_id)
    session.save()
    return client


def confirm(client: Client, request: ApprovalRequest, verb: str, **changes: Any) -> Any:
    form = {
        "version": request.subject_version,
        "content_hash": request.content_hash,
        "reason": "",
    }
    return client.post(f"{REQUESTS}/{request.pk}/{verb}/", form | changes, follow=True)


def test_every_page_opens_and_offers_no_editing(
    desk: Subject, tenant: Tenant, checker: User
) -> None:
    request = submit()
    decision = decide(request, checker).request.decisions.get()
    client = browser(checker)
    rule = ApprovalRule.objects.all()[0]
    for page in (
        f"{REQUESTS}/",
        f"{REQUESTS}/{request.pk}/change/",
        f"{REQUESTS}/{request.pk}/history/",
        "/admin/approvals/approvalrule/",
        f"/admin/approvals/approvalrule/{rule.pk}/change/",
        "/admin/approvals/decision/",
        f"/admin/approvals/decision/{decision.pk}/change/",
    ):
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert b'name="_save"' not in answer.content, page
    for model in ("approvalrequest", "approvalrule", "decision"):
        assert client.get(f"/admin/approvals/{model}/add/").status_code == 403
    for model, row in (("approvalrequest", request), ("decision", decision)):
        page = f"/admin/approvals/{model}/{row.pk}/delete/"
        assert client.post(page, {"post": "yes"}).status_code == 403
    answer = client.post(f"{REQUESTS}/{request.pk}/change/", {"title": "Other"})
    assert answer.status_code == 403


def test_a_checker_sees_the_content_then_approves(desk: Subject, checker: User) -> None:
    request = submit()
    client = browser(checker)
    page = client.get(f"{REQUESTS}/{request.pk}/approve/")
    assert page.status_code == 200
    assert request.content_hash.encode() in page.content
    assert not Decision.objects.exists()
    answer = confirm(client, request, "approve", code=code_of(checker))
    assert b"Recorded. The request is approved." in answer.content
    assert ApprovalRequest.objects.get(pk=request.pk).state == "APPROVED"


def test_a_rejection_carries_its_reason(desk: Subject, checker: User) -> None:
    request = submit()
    client = browser(checker)
    assert b"Say why, for its maker to read." in confirm(client, request, "reject").content
    confirm(client, request, "reject", reason="Wrong account.")
    fresh = ApprovalRequest.objects.get(pk=request.pk)
    assert (fresh.state, fresh.reason) == ("REJECTED", "Wrong account.")


def test_a_stale_page_is_refused_in_words(desk: Subject, checker: User) -> None:
    request = submit()
    answer = confirm(browser(checker), request, "approve", content_hash="0" * 64)
    assert b"look at it again" in answer.content
    assert b"Load the page again" in (
        confirm(browser(checker), request, "approve", version="x").content
    )
    assert not Decision.objects.exists()


def test_the_maker_has_no_buttons_and_no_way_round(
    desk: Subject, maker: User, user_with: Any
) -> None:
    both = user_with("treasury_maker", "treasury_checker", name="both")
    request = submit(maker=both)
    client = browser(both)
    assert b"/approve" not in client.get(f"{REQUESTS}/{request.pk}/change/").content
    assert client.get(f"{REQUESTS}/{request.pk}/approve/").status_code == 403
    assert b"another person must check it" in confirm(client, request, "approve").content
    assert not Decision.objects.exists()


def test_who_comes_too_late_is_told_so(desk: Subject, checker: User, checker2: User) -> None:
    request = submit()
    client = browser(checker2)
    assert client.get(f"{REQUESTS}/{request.pk}/approve/").status_code == 200
    decide(request, checker)
    assert b"This request is approved." in confirm(client, request, "approve").content
    assert Decision.objects.count() == 1
