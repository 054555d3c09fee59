"""The inbox: a refused decision comes back in its dialog, as it was filled in."""

from html import unescape
from typing import Any

from django.urls import reverse

from approvals import services
from approvals.models import ApprovalRequest, Decision
from core.identity.models import User
from tests.approvals.factories import Subject, submit
from tests.approvals.stepping import code_of
from tests.approvals.test_listing import TYPED
from tests.tms.desk.conftest import client_of


def sent(request: ApprovalRequest, outcome: str, **more: Any) -> dict[str, Any]:
    return {
        "outcome": outcome, "version": request.subject_version,
        "content_hash": request.content_hash, **more,
    }  # fmt: skip


def test_a_wrong_code_keeps_what_was_acknowledged(desk: Subject, checker: User) -> None:
    code_of(checker)
    request = submit(flags=(TYPED,))
    form = sent(request, "APPROVE", code="000000", acknowledged=TYPED.code)
    answer = client_of(checker).post(reverse("approvals:decide", args=[request.pk]), form)
    page = unescape(answer.content.decode())
    assert answer.status_code == 403
    assert 'id="approve-dialog" aria-labelledby="approve-title" data-open-now' in page
    assert 'value="typed_in" required checked' in page
    assert "The code does not fit." in page
    assert not Decision.objects.exists()


def test_a_refused_rejection_keeps_its_words(desk: Subject, checker: User) -> None:
    request = submit()
    form = sent(request, "REJECT", reason="Wrong account.") | {"version": "x"}
    answer = client_of(checker).post(reverse("approvals:decide", args=[request.pk]), form)
    page = unescape(answer.content.decode())
    assert 'aria-describedby="reject-trouble">Wrong account.</textarea>' in page
    assert "changes-trouble" not in page


def test_what_was_closed_meanwhile_leads_to_its_page(desk: Subject, checker: User) -> None:
    request = submit()
    services.cancel(request_id=request.pk, actor=None, reason="Not needed.")
    form = sent(request, "REJECT", reason="Wrong account.")
    answer = client_of(checker).post(
        reverse("approvals:decide", args=[request.pk]), form, follow=True
    )
    assert answer.redirect_chain[-1][0] == reverse("approvals:one", args=[request.pk])
    assert "This request is cancelled." in unescape(answer.content.decode())


def test_managers_are_told_when_they_may_approve_and_reject_at_once(
    desk: Subject, manager: User
) -> None:
    request = submit()
    page = client_of(manager).get(reverse("approvals:one", args=[request.pk])).content.decode()
    assert "Its checkers decide first." in page
    assert "approve-dialog" not in page
    assert "reject-dialog" in page
    assert "From then on managers may approve it too." in page
