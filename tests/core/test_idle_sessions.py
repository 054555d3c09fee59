"""Sessions end when nobody works, and at the latest twelve hours after signing in."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import clock, policies
from core.identity.models import User
from core.identity.sessions import SESSION_IDLE_MINUTES, PersonSession, is_ended
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.tms.desk.conftest import client_of

PANEL = {"HX-Request": "true"}
CHOSEN = {**PANEL, "X-Desk-Chosen": "true"}


@scene
def anna(user_with: MakeUser) -> User:
    return user_with("treasury_maker", name="anna")


@pytest.fixture
def client(anna: User) -> Client:
    client = client_of(anna)
    assert client.get(reverse("alerts")).status_code == 200
    return client


def _row() -> PersonSession:
    return PersonSession.objects.get()


def _seen(minutes: float) -> None:
    """Let the session be seen last so many minutes ago."""
    PersonSession.objects.update(seen_at=clock.wall() - timedelta(minutes=minutes))


def _is_in(client: Client, **headers: Any) -> bool:
    return client.get(reverse("alerts"), **headers).status_code == 200


def _key(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def test_who_does_nothing_is_signed_out(client: Client) -> None:
    _seen(31)
    answer = client.get(reverse("alerts"))
    assert answer.headers["Location"].startswith(reverse("sign-in"))
    assert _row().ended_at is not None
    _seen(0)
    assert not _is_in(client)


def test_who_works_stays(client: Client) -> None:
    """The negative control: just under the limit, again and again."""
    for _ in range(3):
        _seen(29)
        assert _is_in(client)
        assert clock.wall() - _row().seen_at < timedelta(minutes=1)


def test_a_page_that_refreshes_itself_is_no_work(client: Client) -> None:
    _seen(29)
    before = _row().seen_at
    assert _is_in(client, headers=PANEL)
    assert _row().seen_at == before
    _seen(31)
    answer = client.get(reverse("alerts"), headers=PANEL)
    assert answer.headers["HX-Redirect"].startswith(reverse("sign-in"))


def test_what_a_person_chooses_is_work(client: Client) -> None:
    _seen(29)
    assert _is_in(client, headers=CHOSEN)
    assert clock.wall() - _row().seen_at < timedelta(minutes=1)
    _seen(29)
    client.post(reverse("my-sessions-end-others"), headers=PANEL)
    assert clock.wall() - _row().seen_at < timedelta(minutes=1)


def test_nobody_stays_longer_than_twelve_hours(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in_at = _row().created_at
    for minutes, is_in in ((12 * 60 - 1, True), (12 * 60 + 1, False)):
        present = signed_in_at + timedelta(minutes=minutes)
        monkeypatch.setattr(clock, "wall", lambda present=present: present)
        PersonSession.objects.update(seen_at=present)
        assert _is_in(client) is is_in


def test_the_tenant_says_how_long(client: Client, user_with: MakeUser) -> None:
    admin = user_with("tenant_admin", name="admin")
    policies.change(policy=SESSION_IDLE_MINUTES, value=10, actor=admin, reason="open office")
    _seen(9)
    assert _is_in(client)
    _seen(11)
    assert not _is_in(client)


def test_a_websocket_does_not_outlast_its_idle_session(client: Client) -> None:
    key = _key(client)
    _seen(29)
    assert not is_ended(key)
    _seen(31)
    assert is_ended(key)


def test_a_moved_clock_signs_nobody_out(client: Client) -> None:
    with clock.frozen(clock.now() + timedelta(days=2)):
        assert _is_in(client)


def test_it_is_written_once_a_minute_at_most(client: Client) -> None:
    def writes() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            client.get(reverse("alerts"))
        return sum('UPDATE "core_personsession"' in query["sql"] for query in seen)

    assert writes() == 0
    _seen(2)
    assert writes() == 1
    assert writes() == 0
