"""One door with two locks: password, then the authenticator's code."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from core.events.transports import redis_client
from core.identity import step_up
from core.identity.models import User
from core.identity.views import PENDING_SECONDS_MAX, PENDING_SESSION_KEY
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import Tenant
from tests.conftest import PASSWORD, MakeUser
from tests.core.test_step_up import code_now, wrong_code
from tests.scenes import scene
from tests.tms.desk.conftest import SignedIn


@scene
def anna(user_with: MakeUser) -> User:
    return user_with("treasury_maker", name="anna", password=PASSWORD)


@pytest.fixture
def seed(anna: User) -> str:
    """The seed of Anna's authenticator."""
    return step_up.hand_out(user=anna)


def password_step(client: Client, *, password: str = PASSWORD, then: str = "") -> Any:
    return client.post(
        reverse("sign-in"),
        {"username": "anna@north", "password": password, "next": then},
    )


def is_in(client: Client) -> bool:
    return TENANT_SESSION_KEY in client.session and "_auth_user_id" in client.session


def test_password_and_code_open_the_desk(anna: User, seed: str) -> None:
    client = Client()
    answer = password_step(client, then="/rails")
    assert answer.headers["Location"] == reverse("sign-in-code")
    assert not is_in(client)
    before = client.session.session_key

    answer = client.post(reverse("sign-in-code"), {"code": code_now(seed)})

    assert answer.headers["Location"] == "/rails"
    assert client.session[TENANT_SESSION_KEY] == str(anna.tenant_id)
    assert client.session["_auth_user_id"] == str(anna.pk)
    assert client.session.session_key != before
    assert PENDING_SESSION_KEY not in client.session
    page = client.get(reverse("desk"))
    assert page.status_code == 200
    assert page.wsgi_request.user.is_verified()


def test_a_wrong_password_goes_nowhere(anna: User) -> None:
    client = Client()
    answer = password_step(client, password="wrong horse battery staple")
    assert "do not fit" in answer.content.decode()
    assert not is_in(client)
    assert client.get(reverse("sign-in-code")).headers["Location"] == reverse("sign-in")


def test_the_words_are_the_same_for_an_unknown_name(anna: User) -> None:
    known = password_step(Client(), password="wrong horse battery staple").content
    unknown = (
        Client()
        .post(reverse("sign-in"), {"username": "nobody@north", "password": PASSWORD})
        .content
    )
    for text in (known, unknown):
        assert b"Name, password or code do not fit" in text


def test_a_wrong_code_leaves_the_door_closed(anna: User, seed: str) -> None:
    client = Client()
    password_step(client)
    answer = client.post(reverse("sign-in-code"), {"code": wrong_code(seed)})
    assert "do not fit" in answer.content.decode()
    assert not is_in(client)


def test_a_code_works_once(anna: User, seed: str) -> None:
    code = code_now(seed)
    first, second = Client(), Client()
    for client in (first, second):
        password_step(client)
        client.post(reverse("sign-in-code"), {"code": code})
    assert is_in(first)
    assert not is_in(second)


def test_the_password_step_goes_stale(anna: User, seed: str) -> None:
    client = Client()
    password_step(client)
    session = client.session
    session[PENDING_SESSION_KEY] |= {
        "since": session[PENDING_SESSION_KEY]["since"] - PENDING_SECONDS_MAX - 1
    }
    session.save()
    answer = client.post(reverse("sign-in-code"), {"code": code_now(seed)})
    assert answer.headers["Location"] == reverse("sign-in")
    assert not is_in(client)


def test_a_disabled_person_is_not_let_in_at_the_second_step(anna: User, seed: str) -> None:
    client = Client()
    password_step(client)
    anna.is_active = False
    anna.save()
    client.post(reverse("sign-in-code"), {"code": code_now(seed)})
    assert not is_in(client)


def test_service_accounts_have_no_desk(user_with: MakeUser) -> None:
    user_with("integration", name="robot", password=PASSWORD, is_service=True)
    client = Client()
    answer = client.post(reverse("sign-in"), {"username": "robot@north", "password": PASSWORD})
    assert "do not fit" in answer.content.decode()
    assert PENDING_SESSION_KEY not in client.session


@pytest.mark.parametrize(
    "elsewhere",
    ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", "\\\\elsewhere"],
)
def test_next_never_leads_to_another_site(anna: User, seed: str, elsewhere: str) -> None:
    client = Client()
    password_step(client, then=elsewhere)
    answer = client.post(reverse("sign-in-code"), {"code": code_now(seed)})
    assert answer.headers["Location"] == "/"


@pytest.fixture
def locks_after_three(settings: Any) -> Iterator[None]:
    settings.AXES_FAILURE_LIMIT = 3
    return


@pytest.mark.usefixtures("locks_after_three")
def test_failed_passwords_lock_the_name_out(anna: User) -> None:
    answers = [password_step(Client(), password="wrong horse battery staple") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert password_step(Client()).status_code == 429  # the right one does not help now


@pytest.mark.usefixtures("locks_after_three")
def test_failed_codes_lock_the_name_out(anna: User, seed: str) -> None:
    client = Client()
    password_step(client)
    for _ in range(3):
        client.post(reverse("sign-in-code"), {"code": wrong_code(seed)})
    answer = client.post(reverse("sign-in-code"), {"code": code_now(seed)})
    assert answer.status_code == 429
    assert not is_in(client)


def _shown_seed(page: Any) -> str:
    found = re.search(r'name="secret" value="([A-Z2-7]{32})"', page.content.decode())
    assert found is not None
    return found[1]


@pytest.mark.usefixtures("locks_after_three")
def test_a_lockout_outlives_an_emptied_valkey(anna: User) -> None:
    """Failures are counted in the database; nothing that Valkey or a cache forgets opens a door."""
    for _ in range(3):
        password_step(Client(), password="wrong horse battery staple")
    redis_client().flushall()
    cache.clear()
    assert password_step(Client()).status_code == 429
    AccessAttempt.objects.all().delete()  # the negative control: that is where they are
    assert password_step(Client()).status_code == 302


def test_who_has_no_authenticator_sets_one_up_first(anna: User) -> None:
    client = Client()
    assert password_step(client).headers["Location"] == reverse("sign-in-enrol")
    page = client.get(reverse("sign-in-enrol"))
    shown = _shown_seed(page)
    assert "data:image/svg+xml;base64," in page.content.decode()
    assert not is_in(client)

    refused = client.post(reverse("sign-in-enrol"), {"code": wrong_code(shown), "secret": shown})
    assert "do not fit" in refused.content.decode()
    assert _shown_seed(refused) == shown
    assert not is_in(client)
    assert not step_up.has_authenticator(user=anna)
    client.post(reverse("sign-in-enrol"), {"code": code_now(shown)})

    assert is_in(client)
    assert step_up.has_authenticator(user=anna)


def test_nobody_replaces_a_confirmed_authenticator_at_the_door(anna: User, seed: str) -> None:
    client = Client()
    password_step(client)
    assert client.get(reverse("sign-in-enrol")).headers["Location"] == reverse("sign-in-code")
    client.post(reverse("sign-in-enrol"), {"code": code_now(seed)})
    assert not is_in(client)


def test_signing_out_forgets_the_session(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    assert client.get(reverse("desk")).status_code == 200
    assert client.get(reverse("sign-out")).status_code == 405
    assert client.post(reverse("sign-out")).headers["Location"] == reverse("sign-in")
    answer = client.get(reverse("desk"))
    assert answer.headers["Location"].startswith(reverse("sign-in"))


def test_signing_out_clears_what_the_browser_kept(maker: User, signed_in: SignedIn) -> None:
    answer = signed_in(maker).post(reverse("sign-out"))
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert settings.CSRF_COOKIE_NAME not in answer.cookies
    assert "Clear-Site-Data" not in signed_in(maker).get(reverse("desk")).headers


def test_the_admin_has_no_door_of_its_own(tenant: Tenant) -> None:
    answer = Client().get("/admin/login/?next=/admin/")
    assert answer.headers["Location"] == f"{reverse('sign-in')}?next=%2Fadmin%2F"


def test_forms_need_their_token(anna: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = password_step(client)
    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()


def test_sessions_do_not_outlive_half_a_day() -> None:
    assert settings.SESSION_COOKIE_AGE <= 12 * 60 * 60
    assert settings.SESSION_COOKIE_HTTPONLY
