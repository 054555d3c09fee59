"""Roles, switching on and lost second factors in the admin: refused in words, told to the trail."""

from datetime import UTC, datetime
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from core import clock
from core.audit.models import AuditEntry
from core.changes.models import ChangeRequest
from core.changes.services import open_tenant
from core.errors import Forbidden
from core.identity import duties, reviews, step_up
from core.identity.joining import PersonIn, add_person
from core.identity.models import User
from core.identity.reviews import AccessReview, AccessReviewItem, Verdict
from core.identity.sessions import PersonSession
from core.tenancy import Tenant
from tests.approvals.stepping import code_of
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.tms.desk.conftest import client_of

PEOPLE = "/admin/core/user/"
ITEMS = "/admin/core/accessreviewitem/"


@scene
def admin(user_with: MakeUser) -> User:
    return user_with("tenant_admin", name="admin")


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return unescape(answer.content.decode())


def give(client: Client, person: User, *roles: str, **more: str) -> str:
    groups = [group.pk for group in Group.objects.filter(name__in=roles)]
    page = f"{PEOPLE}{person.pk}/change/"
    return text_of(client.post(page, {"groups": groups, **more}, follow=True))


def refused() -> list[str]:
    entries = AuditEntry.objects.filter(action="REFUSED").order_by("id")
    return [str((entry.after or {}).get("code")) for entry in entries]


# --- roles --------------------------------------------------------------------------------------


def test_an_administrator_gives_roles_on_the_persons_page(admin: User, maker: User) -> None:
    client = client_of(admin)
    assert "Give roles" in text_of(client.get(f"{PEOPLE}{maker.pk}/change/"))
    give(client, maker, "treasury_maker", "back_office")
    assert maker.roles == {"treasury_maker", "back_office"}


@pytest.mark.parametrize("is_opened", [False, True])
def test_roles_that_must_be_in_two_hands_are_refused_in_words(
    admin: User, maker: User, user_with: MakeUser, is_opened: bool
) -> None:
    user_with("treasury_checker", name="one")
    user_with("treasury_manager", name="two")
    if is_opened:
        open_tenant(actor=admin)
    page = give(
        client_of(admin), maker, "treasury_maker", "risk_officer", change_reason="Both desks"
    )
    assert "One person must not be risk officer and treasury maker." in page
    assert maker.roles == {"treasury_maker"}
    assert not ChangeRequest.objects.exists()
    assert refused() == ["duties_conflict"]


def test_in_an_opened_tenant_roles_wait_for_another_person(
    admin: User, maker: User, user_with: MakeUser
) -> None:
    user_with("treasury_checker", name="one")
    user_with("treasury_manager", name="two")
    open_tenant(actor=admin)
    page = give(client_of(admin), maker, "back_office", change_reason="Changes desks")
    assert "Your change waits for another person" in page
    assert maker.roles == {"treasury_maker"}
    assert ChangeRequest.objects.get().reason == "Changes desks"


def test_nobody_gives_roles_to_themselves(admin: User) -> None:
    page = give(client_of(admin), admin, "tenant_admin", "integration")
    assert "Nobody changes their own roles." in page
    assert admin.roles == {"tenant_admin"}


# --- switching on -------------------------------------------------------------------------------


def test_switching_on_a_conflict_is_refused_in_words_and_switches_nobody_on(
    admin: User, maker: User, user_with: MakeUser
) -> None:
    other = user_with("dealer", name="dealer")
    User.objects.filter(pk__in=[maker.pk, other.pk]).update(is_active=False)
    user_with("auditor", name="twin", person_number=maker.person_number)
    both = {"action": "switch_on", "_selected_action": [str(maker.pk), str(other.pk)]}
    page = text_of(client_of(admin).post(PEOPLE, both, follow=True))
    assert "Maker: one person must not hold both auditor and treasury maker." in page
    assert "Switched on." not in page
    assert not User.objects.filter(pk__in=[maker.pk, other.pk], is_active=True).exists()
    one = {"action": "switch_on", "_selected_action": [str(other.pk)]}
    assert "Switched on." in text_of(client_of(admin).post(PEOPLE, one, follow=True))
    assert User.objects.get(pk=other.pk).is_active


def test_only_an_administrator_switches_on(maker: User, checker: User) -> None:
    with pytest.raises(Forbidden):
        duties.switch_on(user=maker, actor=checker)


# --- lost second factors ------------------------------------------------------------------------


def test_an_administrator_resets_a_second_factor_with_their_own_code(
    admin: User, maker: User
) -> None:
    step_up.hand_out(user=maker)
    client = client_of(admin)
    assert "Reset second factor" in text_of(client.get(f"{PEOPLE}{maker.pk}/change/"))
    page = f"{PEOPLE}{maker.pk}/reset/"
    assert "loses authenticator, passkeys and recovery codes" in text_of(client.get(page))
    assert step_up.has_authenticator(user=maker)
    done = text_of(client.post(page, {"code": code_of(admin)}, follow=True))
    assert "They set up an authenticator at their next sign-in." in done
    assert not step_up.has_authenticator(user=maker)


def test_without_a_fresh_code_of_their_own_nothing_is_reset(admin: User, maker: User) -> None:
    step_up.hand_out(user=maker)
    code_of(admin)
    client = client_of(admin)
    page = f"{PEOPLE}{maker.pk}/reset/"
    for code in ("", "abc"):
        client.post(page, {"code": code})
    assert step_up.has_authenticator(user=maker)
    assert refused() == ["step_up_failed", "step_up_failed"]
    own = client.post(f"{PEOPLE}{admin.pk}/reset/", {"code": code_of(admin)}, follow=True)
    assert "resets another person" in text_of(own)
    assert step_up.has_authenticator(user=admin)


def test_nobody_else_reaches_the_reset(maker: User, checker: User) -> None:
    step_up.hand_out(user=maker)
    page = f"{PEOPLE}{maker.pk}/reset/"
    client = client_of(checker)
    assert client.get(page).status_code == 403
    assert client.post(page, {"code": code_of(checker)}).status_code == 403
    assert step_up.has_authenticator(user=maker)


def test_a_reset_ends_the_sessions_that_are_open(admin: User, maker: User) -> None:
    step_up.hand_out(user=maker)
    opened = client_of(maker)
    assert opened.get("/me/security").status_code == 200
    assert PersonSession.objects.filter(user=maker, ended_at=None).exists()
    client_of(admin).post(f"{PEOPLE}{maker.pk}/reset/", {"code": code_of(admin)})
    assert not PersonSession.objects.filter(user=maker, ended_at=None).exists()
    assert opened.get("/me/security").status_code == 302


# --- joining ------------------------------------------------------------------------------------

ADD = f"{PEOPLE}add-person/"
NEW = {
    "name": "anna", "display_name": "Anna Ray", "person_number": "P-77",
    "roles": ["treasury_maker", "back_office"], "reason": "Joins the desk",
}  # fmt: skip


def test_before_opening_a_person_joins_with_the_roles(admin: User) -> None:
    client = client_of(admin)
    assert "Add a person" in text_of(client.get(PEOPLE))
    assert "The account is there at once." in text_of(client.get(ADD))
    assert "Anna Ray is there. An operator sets" in text_of(client.post(ADD, NEW, follow=True))
    anna = User.objects.get(username="anna@north")
    assert anna.roles == {"treasury_maker", "back_office"}
    assert not anna.has_usable_password()


def test_in_an_opened_tenant_the_roles_are_proposed_in_the_same_step(
    admin: User, user_with: MakeUser
) -> None:
    user_with("treasury_checker", name="one")
    user_with("treasury_manager", name="two")
    open_tenant(actor=admin)
    page = text_of(client_of(admin).post(ADD, NEW, follow=True))
    assert "The roles wait for another person." in page
    assert User.objects.get(username="anna@north").roles == set()
    change = ChangeRequest.objects.get()
    assert (change.reason, len(change.rows)) == ("Joins the desk", 2)


def test_what_is_refused_shows_at_its_field_and_adds_nobody(admin: User) -> None:
    client = client_of(admin)
    for wrong, words in (
        ({"name": "Anna Ray"}, "Small letters, digits"),
        ({"name": "admin"}, "signs in with this name already"),
        ({"roles": ["auditor", "treasury_maker"]}, "must not be auditor and treasury maker"),
    ):
        page = text_of(client.post(ADD, NEW | wrong))
        assert words in page
        assert 'value="Joins the desk"' in page
    assert not User.objects.filter(person_number="P-77").exists()


def test_nobody_else_adds_people(checker: User) -> None:
    assert client_of(checker).post(ADD, NEW).status_code == 403
    with pytest.raises(Forbidden):
        add_person(
            person=PersonIn(name="x", display_name="X", person_number="P", roles=()),
            actor=checker,
            reason="Why not",
        )


def test_the_command_proposes_too(admin: User, user_with: MakeUser) -> None:
    user_with("treasury_checker", name="one")
    user_with("treasury_manager", name="two")
    open_tenant(actor=admin)
    out = StringIO()
    asked = ["add_person", "anna", "--display-name", "Anna Ray", "--person-number", "P-77"]
    asked += ["--role", "treasury_maker", "--as", "admin@north", "--reason", "Joins"]
    call_command(*asked, stdout=out)
    assert "The roles wait for another person" in out.getvalue()
    assert "set_password --tenant north --person anna --make" in out.getvalue()
    with pytest.raises(CommandError, match="already"):
        call_command(*asked, stdout=out)
    with pytest.raises(CommandError, match="Nobody signs in"):
        call_command(*asked[:-3], "nobody@north", "--reason", "Joins", stdout=out)


# --- access reviews -----------------------------------------------------------------------------


@scene
def review(tenant: Tenant, admin: User, maker: User) -> AccessReview:
    with clock.frozen(datetime(2026, 10, 1, 3, 0, tzinfo=UTC)):
        made = reviews.open_review()
    assert made is not None
    return made


def decide(client: Client, item: AccessReviewItem, verdict: str, words: str) -> str:
    form = {"action": verdict, "_selected_action": [str(item.pk)], "words": words}
    return text_of(client.post(ITEMS, form, follow=True))


def test_a_removal_carries_the_reviewers_words_and_leads_to_the_persons_roles(
    review: AccessReview, admin: User, maker: User
) -> None:
    client = client_of(admin)
    assert 'name="words"' in text_of(client.get(ITEMS))
    item = review.items.get(user=maker)
    assert "Say why it is to be removed." in decide(client, item, "remove", "")
    assert refused() == ["invalid"]
    page = decide(client, item, "remove", "Moved to another desk")
    item = review.items.get(user=maker)
    assert (item.verdict, item.words) == (Verdict.REMOVE, "Moved to another desk")
    assert f'href="{PEOPLE}{maker.pk}/change/"' in page
    give(client, maker)
    assert maker.roles == set()
    assert "Take the roles of" not in text_of(client.get(ITEMS))
