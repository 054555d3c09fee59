"""The page on which several requests are approved together: all of each is in sight."""

from html import unescape
from typing import Any

import pytest
from django.test import Client

from approvals import services
from approvals.models import ApprovalRequest, Decision, Viewing
from core.identity.models import User
from tests.approvals.factories import Subject, submit
from tests.approvals.stepping import code_of
from tests.approvals.test_levels import LARGE
from tests.approvals.test_listing import NOTE, TYPED
from tests.tms.desk.conftest import client_of

PAGE, DECIDE, BEGIN = (f"/approvals/together{end}" for end in ("", "/decide", "/passkey"))


def read(answer: Any) -> str:
    return unescape(answer.content.decode())


def form(*requests: ApprovalRequest, code: str, **changes: Any) -> dict[str, Any]:
    """Return what the page would post for these requests, every flag ticked."""
    sent: dict[str, Any] = {"item": [str(request.pk) for request in requests], "code": code}
    for request in requests:
        sent[f"version-{request.pk}"] = request.subject_version
        sent[f"hash-{request.pk}"] = request.content_hash
        sent[f"seen-{request.pk}"] = [flag["code"] for flag in request.flags]
    return sent | changes


def post(client: Client, *requests: ApprovalRequest, code: str, **changes: Any) -> Any:
    return client.post(DECIDE, form(*requests, code=code, **changes))


@pytest.fixture
def at_desk(desk: Subject, checker: User) -> Client:
    return client_of(checker)


def test_everything_of_each_request_is_in_sight(at_desk: Client, checker: User) -> None:
    one, two = submit(flags=(TYPED, NOTE)), submit(title="Prefund Dubai")
    page = read(at_desk.get(PAGE, {"item": [str(one.pk), str(two.pk)]}))
    for words in (TYPED.words, NOTE.words, one.content_hash, two.content_hash, "5,500,000.00"):
        assert words in page
    assert page.count('type="checkbox"') == 2
    assert Viewing.objects.filter(viewer=checker).count() == 2


def test_what_is_decided_alone_says_why(at_desk: Client, checker: User) -> None:
    fine, large, own = submit(), submit(amount=LARGE), submit(maker=checker)
    page = read(at_desk.get(PAGE, {"item": [str(one.pk) for one in (fine, large, own)]}))
    assert "1 request" in page
    assert "What needs two people is decided on its own." in page
    assert "You made, edited or triggered this" in page
    assert f"hash-{large.pk}" not in page


def test_one_code_approves_them_and_each_says_what_became_of_it(
    at_desk: Client, checker: User
) -> None:
    one, two, gone = submit(flags=(NOTE,)), submit(), submit()
    at_desk.get(PAGE, {"item": [str(each.pk) for each in (one, two, gone)]})
    services.cancel(request_id=gone.pk, actor=None, reason="Not needed.")
    page = read(post(at_desk, one, two, gone, code=code_of(checker)))
    assert "2 approved, 1 not" in page
    assert "This request is cancelled." in page
    assert Decision.objects.count() == 2


def test_a_wrong_code_keeps_what_was_ticked(at_desk: Client, checker: User) -> None:
    code_of(checker)  # the authenticator exists
    one = submit(flags=(NOTE,))
    at_desk.get(PAGE, {"item": str(one.pk)})
    answer = post(at_desk, one, code="000000")
    assert answer.status_code == 403
    page = read(answer)
    assert "The code does not fit." in page
    assert f'name="seen-{one.pk}" value="first" required checked' in page
    assert not Decision.objects.exists()


def test_a_flag_that_was_not_ticked_stops_its_own_request_only(
    at_desk: Client, checker: User
) -> None:
    flagged, plain = submit(flags=(NOTE,)), submit()
    at_desk.get(PAGE, {"item": [str(flagged.pk), str(plain.pk)]})
    unticked: dict[str, Any] = {f"seen-{flagged.pk}": []}
    page = read(post(at_desk, flagged, plain, code=code_of(checker), **unticked))
    assert f"Acknowledge first: {NOTE.words}" in page
    assert Decision.objects.get().request == plain


def test_without_marks_the_page_says_how_to_mark(at_desk: Client) -> None:
    assert "x marks the chosen row" in read(at_desk.get(PAGE, {"item": "nonsense"}))


def test_somebody_elses_request_is_as_if_it_were_not_there(at_desk: Client) -> None:
    unknown = "01a201cc-8330-7132-a03e-cbe1d6bb8b2b"
    page = read(at_desk.get(PAGE, {"item": unknown}))
    assert "1 left out" in page


def test_a_form_that_says_too_little_is_refused(at_desk: Client, checker: User) -> None:
    one = submit()
    at_desk.get(PAGE, {"item": str(one.pk)})
    answer = post(at_desk, one, code=code_of(checker), **{f"version-{one.pk}": "two"})
    assert (answer.status_code, "which version" in read(answer)) == (422, True)
    answer = post(at_desk, code="000000")
    assert answer.status_code in (403, 409)
    many = {"item": [f"01a201cc-8330-7132-a03e-{number:012x}" for number in range(21)]}
    assert post(at_desk, code="000000", **many).status_code == 409


def test_a_passkey_begins_with_the_digest_of_the_list(at_desk: Client) -> None:
    one = submit()
    answer = at_desk.post(BEGIN, form(one, code=""))
    assert (answer.status_code, answer.json()["detail"][:25]) == (403, "There is no passkey yet; ")


def test_the_inbox_lets_one_mark_what_one_person_may_approve(at_desk: Client) -> None:
    small, large = submit(), submit(amount=LARGE)
    page = read(at_desk.get("/approvals"))
    assert f'value="{small.pk}" form="together" data-mark' in page
    assert f'value="{large.pk}" form="together"' not in page
