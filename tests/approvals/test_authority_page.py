"""The page of authority: delegations, limits, and what waits for review after an emergency."""

from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from approvals import selectors
from approvals.models import AuthorityLimit, BreakGlassReview, Delegation
from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from tests.approvals import test_authority as authority
from tests.approvals.factories import Subject, decide, submit
from tests.conftest import MakeUser
from tests.tms.desk.conftest import client_of

passkeys = authority.passkeys
second_manager = authority.second_manager
PAGE = "/authority"


def words(client: Client) -> str:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def asked(delegate: User, **changes: Any) -> dict[str, Any]:
    now = clock.now()
    return {
        "delegate": str(delegate.pk),
        "starts_at": f"{now:%Y-%m-%dT%H:%M}",
        "ends_at": f"{now + timedelta(days=3):%Y-%m-%dT%H:%M}",
        "reason": "On leave",
        **changes,
    }


def press(client: Client, name: str, form: dict[str, Any], *objects: object) -> str:
    """Press a button and return the page that follows, with its notices."""
    answer = client.post(reverse(f"approvals:{name}", args=objects), form, follow=True)
    return unescape(answer.content.decode())


# --- who may read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("treasury_checker", 200),
        ("treasury_manager", 200),
        ("risk_officer", 200),
        ("tenant_admin", 200),
        ("auditor", 200),
        ("treasury_maker", 403),
        ("static_data", 403),
    ],
)
def test_who_checks_governs_or_audits_reads_it(
    desk: Subject, user_with: MakeUser, role: str, status: int
) -> None:
    client = client_of(user_with(role, name="reader"))
    assert client.get(PAGE).status_code == status
    menu = client.get("/approvals").content.decode()
    assert ('href="/authority"' in menu) == (status == 200)


def test_an_empty_page_says_so(desk: Subject, checker: User) -> None:
    page = words(client_of(checker))
    assert "Everybody decides for themselves" in page
    assert "Nothing to review" in page
    assert page.count("no limit") >= 4


def test_another_tenant_reads_nothing_of_it(
    desk: Subject, checker: User, checker2: User, manager: User, other_tenant: Tenant
) -> None:
    from core.tenancy import bound
    from tests.conftest import make_user

    made = authority.delegate(checker, checker2, None)
    with bound(other_tenant.id, actor="system:test"):
        stranger = client_of(make_user("stranger", "treasury_manager"))
    assert "On leave" not in words(stranger)
    assert "There is no such delegation." in press(stranger, "revoke-delegation", {}, made.pk)
    assert Delegation.objects.get().revoked_at is None


# --- delegations --------------------------------------------------------------------------------


def test_a_delegation_waits_for_a_manager_then_counts_until_it_is_revoked(
    desk: Subject, checker: User, checker2: User, manager: User
) -> None:
    client = client_of(checker)
    page = press(client, "delegate", asked(checker2, amount_usd_max="5000000"))
    assert "It counts once a manager has approved it." in page
    assert "Waits for a manager" in page
    made = Delegation.objects.get()
    assert (made.delegator, made.delegate, made.amount_usd_max) == (
        checker,
        checker2,
        Decimal(5_000_000),
    )
    decide(authority.request_about(made.pk), manager)
    assert "In force" in words(client)
    assert "The delegation has ended." in press(client, "revoke-delegation", {}, made.pk)
    assert Delegation.objects.get().revoked_at is not None
    page = words(client)
    assert "Revoked" in page
    assert "/revoke" not in page


def test_what_a_manager_rejected_or_what_begins_later_is_told_apart(
    desk: Subject, checker: User, checker2: User, manager: User
) -> None:
    refused = authority.delegate(checker, checker2, None)
    decide(authority.request_about(refused.pk), manager, "REJECT")
    later = clock.now() + timedelta(days=2)
    authority.delegate(
        checker, checker2, manager, starts_at=later, ends_at=later + timedelta(days=1)
    )
    page = words(client_of(checker))
    assert "Not approved" in page
    assert "Approved, begins later" in page


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"reason": " "}, "This field is required."),
        ({"delegate": ""}, "Choose a person."),
        ({"action": "anything"}, "There is no such kind of request."),
        ({"rail": "PIGEON"}, "There is no such rail."),
        ({"amount_usd_max": "-1"}, "greater than or equal to 0"),
        ({"ends_at": "2026-01-01T00:00"}, "A delegation lasts 14 days at most."),
    ],
)
def test_a_delegation_that_makes_no_sense_is_refused_in_words(
    desk: Subject,
    checker: User,
    checker2: User,
    manager: User,
    changes: dict[str, str],
    refusal: str,
) -> None:
    form = asked(checker2) | changes
    answer = client_of(checker).post(reverse("approvals:delegate"), form)
    page = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert refusal in page
    assert 'id="delegate-dialog" aria-labelledby="delegate-title" data-open-now' in page
    kept = {name: words for name, words in form.items() if words.strip() and name not in changes}
    for name, words in kept.items():
        shown = f">{words}<" if name == "reason" else f'value="{words}"'
        assert shown in page, name
    assert not Delegation.objects.exists()


def test_every_field_that_is_wrong_says_so_at_once(desk: Subject, checker: User) -> None:
    answer = client_of(checker).post(reverse("approvals:delegate"), {"amount_usd_max": "-1"})
    page = unescape(answer.content.decode())
    assert page.count("This field is required.") == 3
    assert "Choose a person." in page
    assert 'value="-1" aria-invalid="true"' in page


def test_a_refused_limit_and_a_refused_review_keep_what_was_typed(
    desk: Subject, manager: User, checker: User
) -> None:
    form = {"person": str(checker.pk), "per_day_usd": "much", "reason": "More work"}
    answer = client_of(manager).post(reverse("approvals:limit"), form)
    page = unescape(answer.content.decode())
    assert 'value="much" aria-invalid="true"' in page
    assert ">More work</textarea>" in page
    assert not AuthorityLimit.objects.exists()


def test_only_who_checks_delegates_and_only_its_people_and_managers_revoke(
    desk: Subject, checker: User, checker2: User, manager: User, user_with: MakeUser
) -> None:
    auditor = client_of(user_with("auditor", name="auditor"))
    assert "Your roles do not allow this." in press(auditor, "delegate", asked(checker2))
    made = authority.delegate(checker, checker2, None)
    assert "revoke a delegation" in press(auditor, "revoke-delegation", {}, made.pk)
    assert "/revoke" not in words(auditor)
    assert Delegation.objects.get().revoked_at is None
    press(client_of(manager), "revoke-delegation", {}, made.pk)
    assert Delegation.objects.get().revoked_at is not None


# --- limits -------------------------------------------------------------------------------------


def test_a_limit_waits_beside_the_one_in_force_until_a_manager_approves_it(
    desk: Subject, checker: User, manager: User, second_manager: User
) -> None:
    authority.limit(checker, manager, per_transaction_usd=Decimal(1_000_000))
    form = {"person": str(checker.pk), "per_transaction_usd": "2500000", "reason": "More work"}
    page = press(client_of(second_manager), "limit", form)
    assert "until then the one before stays" in page
    assert "1,000,000.00" in page
    assert "2,500,000.00" in page
    newest = AuthorityLimit.objects.latest("created_at")
    assert (newest.person, newest.per_day_usd) == (checker, None)
    decide(authority.request_about(newest.pk), manager)
    assert "1,000,000.00" not in words(client_of(manager))


def test_a_checker_proposes_no_limit(desk: Subject, checker: User, manager: User) -> None:
    form = {"person": str(checker.pk), "reason": "More"}
    assert "Your roles do not allow this." in press(client_of(checker), "limit", form)
    assert "limit-dialog" not in words(client_of(checker))
    assert not AuthorityLimit.objects.exists()


# --- reviews ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("passkeys", "desk")
def test_broken_glass_stays_on_the_front_page_until_a_third_person_closed_its_review(
    manager: User, maker: User, checker: User, checker2: User
) -> None:
    request = submit(maker=maker, break_glass=authority.GLASS)
    reader = client_of(manager)
    assert "Glass was broken for incident INC-7" in reader.get("/alerts").content.decode()
    for person in (checker, checker2):
        authority.decide_with_passkey(request, person)
    assert reader.get("/authority/reviews/count").content == b"1"
    assert "INC-7" in client_of(maker).get("/authority/reviews/notice").content.decode()
    assert "/authority/reviews/notice" in reader.get("/").content.decode()
    assert "closes it" in words(client_of(checker))
    had_a_part = press(client_of(checker), "close-review", {"findings": "Fine."}, request.pk)
    assert "Somebody who had no part in it reviews it." in had_a_part
    assert "Say what you found." in press(reader, "close-review", {"findings": " "}, request.pk)
    page = press(reader, "close-review", {"findings": "Was needed."}, request.pk)
    assert "The review is closed." in page
    review = BreakGlassReview.objects.get()
    assert (review.closed_by, review.findings) == (manager, "Was needed.")
    assert not selectors.waiting_reviews().exists()
    assert reader.get("/authority/reviews/count").content == b""
    assert b"INC-7" not in reader.get("/authority/reviews/notice").content


@pytest.mark.usefixtures("passkeys", "desk")
def test_a_review_past_its_day_is_shown_as_overdue(
    manager: User, maker: User, checker: User, checker2: User
) -> None:
    request = submit(maker=maker, break_glass=authority.GLASS)
    for person in (checker, checker2):
        authority.decide_with_passkey(request, person)
    assert "Overdue" not in words(client_of(manager))
    due = BreakGlassReview.objects.get().due_at
    with clock.frozen(due + timedelta(minutes=1)):
        assert "Overdue" in words(client_of(manager))
