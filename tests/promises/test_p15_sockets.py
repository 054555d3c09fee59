"""Websockets leak nothing: who may listen, to whom, and for how long (P15).

The application under test is the one that is served: origin check, routes and consumer included.
"""

import gc
import json
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from typing import Any, Final

import pytest
from asgiref.sync import async_to_sync
from channels.layers import channel_layers
from django.conf import settings
from django.contrib.sessions.models import Session

from core import clock, consumers
from core.audit.models import AuditEntry
from core.events import publish
from core.events import relay as relaying
from core.events.relay import relay, sequence_committed
from core.events.transports import transport
from core.identity.sessions import PersonSession, digest_of
from core.tenancy import bound
from tests.conftest import make_user
from tests.core.test_events import Happened
from tests.promises.conftest import World
from tests.promises.realm import Realm, signed_in
from tests.promises.sockets import Socket

CLOSED_WITHIN_SECONDS: Final = 5
QUIET_SECONDS: Final = 0.3


@pytest.fixture(autouse=True)
def fresh_layer(world: World) -> Iterator[None]:
    """Each event loop needs connections of its own to the channel layer.

    The application asks the database in a thread that ends with it, when it is first imported.
    """
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        import_module("tms.asgi")
        gc.collect()
    channel_layers.backends.clear()
    yield
    channel_layers.backends.clear()


def _cookie(realm: Realm, role: str = "treasury_maker") -> str:
    return realm.client(role).cookies[settings.SESSION_COOKIE_NAME].value


def in_one_loop(conversation: Callable[[], Awaitable[None]]) -> None:
    """Talk in one event loop; consumers reach the database through this thread."""
    async_to_sync(conversation)()


async def _joined(cookie: str) -> Socket:
    socket = Socket(cookie)
    assert await socket.connect()
    assert (await socket.receive())["type"] == "hello"
    return socket


def _announce(realm: Realm) -> None:
    """Let something happen and carry it outwards, as the relay process does."""
    with bound(realm.tenant, actor="system:test"):
        publish(Happened(number=1, about=realm.mark))
    sequence_committed(tenant=realm.tenant)
    relay(tenant=realm.tenant, bus=transport())


def _refused(realm: Realm, person: str) -> list[str]:
    """Return the codes of the handshakes of one person that the trail keeps as refused."""
    with bound(realm.tenant):
        found = AuditEntry.objects.filter(action="REFUSED", actor=person)
        return [str((entry.after or {}).get("code")) for entry in found.order_by("id")]


def test_a_handshake_of_another_origin_is_kept_in_the_trail(world: World) -> None:
    client = world.ours.client("dealer")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    before = len(_refused(world.ours, client.session["_auth_user_id"]))

    async def talk() -> None:
        assert not await Socket(cookie, "http://evil.example").connect()
        await (await _joined(cookie)).leave()

    in_one_loop(talk)
    assert _refused(world.ours, client.session["_auth_user_id"])[before:] == ["origin_refused"]


def test_a_handshake_of_an_ended_session_is_kept_in_the_trail(world: World) -> None:
    client = world.ours.client("back_office")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    person = client.session["_auth_user_id"]
    before = len(_refused(world.ours, person))
    client.get("/me/security")
    with bound(world.ours.tenant):
        PersonSession.objects.filter(user_id=person).update(ended_at=clock.wall())

    async def knock() -> None:
        socket = Socket(cookie)
        await socket.connect()
        assert await socket.closed_with(CLOSED_WITHIN_SECONDS) == consumers.CLOSE_NOT_SIGNED_IN

    in_one_loop(knock)
    assert _refused(world.ours, person)[before:] == ["not_authenticated"]


@pytest.mark.parametrize("cookie", ["", "x" * 32, "../../etc", "\x7f"])
def test_without_a_session_the_socket_is_closed_with_4401(cookie: str) -> None:
    async def talk() -> None:
        socket = Socket(cookie)
        await socket.connect()
        assert await socket.closed_with(CLOSED_WITHIN_SECONDS) == consumers.CLOSE_NOT_SIGNED_IN

    in_one_loop(talk)


def test_half_a_sign_in_is_no_session(world: World) -> None:
    """After the password and before the code a session exists, but it opens nothing."""
    client = world.ours.client("treasury_maker")
    session = client.session
    del session["_auth_user_id"]
    session["tms_sign_in"] = {"user": str(world.ours.people["treasury_maker"].pk)}
    session.save()

    async def talk() -> None:
        socket = Socket(session.session_key)
        await socket.connect()
        assert await socket.closed_with(CLOSED_WITHIN_SECONDS) == consumers.CLOSE_NOT_SIGNED_IN

    in_one_loop(talk)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:1"])
def test_another_origin_is_refused_even_with_a_good_session(world: World, origin: str) -> None:
    cookie = _cookie(world.ours)

    async def talk() -> None:
        assert not await Socket(cookie, origin).connect()
        await (await _joined(cookie)).leave()

    in_one_loop(talk)


def test_a_session_of_one_tenant_that_names_another_opens_nothing(world: World) -> None:
    """A person of one tenant does not exist in the other one."""
    client = world.ours.client("treasury_maker")
    session = client.session
    session["tms_tenant"] = str(world.theirs.tenant)
    session.save()

    async def talk() -> None:
        socket = Socket(session.session_key)
        await socket.connect()
        assert await socket.closed_with(CLOSED_WITHIN_SECONDS) == consumers.CLOSE_NOT_SIGNED_IN

    in_one_loop(talk)


def _tampered(world: World) -> list[Any]:
    theirs = str(world.theirs.tenant)
    return [
        {"type": "subscribe", "group": f"updates.{theirs}"},
        {"type": "updates.hint", "sequence": 1, "topics": ["x"]},
        {"type": "subscribe", "tenant": theirs, "topics": ["*"]},
        {"type": "join", "group": f"updates.{theirs}", "tenant": theirs},
        {"type": ["ping"]},
        ["subscribe", theirs],
        theirs,
        None,
        {"type": "ping", "tenant": theirs},
    ]


async def _announced(realm: Realm) -> None:
    """Send the hint itself as the relay does; the relay process has a loop of its own."""
    from channels.layers import get_channel_layer

    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send(
        relaying.updates_group(realm.tenant),
        {"type": "updates.hint", "sequence": 7, "topics": [realm.mark]},
    )


def test_nothing_a_client_sends_changes_what_it_receives(world: World) -> None:
    cookie = _cookie(world.ours)

    async def talk() -> None:
        socket = await _joined(cookie)
        for message in _tampered(world):
            await socket.send(message)
        assert (await socket.receive())["type"] == "pong"
        await _announced(world.theirs)
        assert await socket.is_quiet(QUIET_SECONDS)
        await _announced(world.ours)
        assert (await socket.receive())["topics"] == [world.ours.mark]
        await socket.leave()

    in_one_loop(talk)


@pytest.mark.parametrize("frame", ["{", "NaN{", "[" * 5_000, "\ufffd", b"\x00"])
def test_a_frame_that_is_no_json_breaks_nothing(world: World, frame: str | bytes) -> None:
    """An error would end the consumer without its farewell, and its watch would live on."""
    cookie = _cookie(world.ours)

    async def talk() -> None:
        socket = await _joined(cookie)
        if isinstance(frame, bytes):
            await socket.send_bytes(frame)
        else:
            await socket.send_text(frame)
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"
        await socket.leave()

    in_one_loop(talk)


def test_a_hint_reaches_its_own_tenant_and_no_other(world: World) -> None:
    """Carried by the relay itself, from an event of the one tenant to the sockets of both."""
    ours, theirs = _cookie(world.ours), _cookie(world.theirs)

    async def talk() -> None:
        mine, yours = await _joined(ours), await _joined(theirs)
        await _announced(world.ours)
        hint = await mine.receive()
        assert (hint["type"], hint["topics"]) == ("hint", [world.ours.mark])
        assert set(hint) == {"type", "sequence", "topics"}
        assert await yours.is_quiet(QUIET_SECONDS)
        await mine.leave()
        await yours.leave()

    in_one_loop(talk)


def test_with_one_group_for_all_the_hint_would_leak(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the group's name, made of the server's tenant, is what does it."""
    for module in (relaying, consumers):
        monkeypatch.setattr(module, "updates_group", lambda _tenant: "updates.all")
    ours, theirs = _cookie(world.ours), _cookie(world.theirs)

    async def talk() -> None:
        mine, yours = await _joined(ours), await _joined(theirs)
        await _announced(world.ours)
        assert (await yours.receive())["topics"] == [world.ours.mark]
        await mine.leave()
        await yours.leave()

    in_one_loop(talk)


def test_who_may_no_longer_listen_is_closed_within_five_seconds(world: World) -> None:
    """Disabled, password changed, session gone, session ended: four sockets, and one that stays."""
    with bound(world.ours.tenant, actor="system:test"):
        people = [make_user(f"guest-{number}", "auditor") for number in range(5)]
    cookies = [signed_in(person).cookies[settings.SESSION_COOKIE_NAME].value for person in people]

    def revoke() -> None:
        with bound(world.ours.tenant, actor="system:test"):
            people[0].is_active = False
            people[0].save(update_fields=["is_active"])
            people[1].password = "!changed"
            people[1].save(update_fields=["password"])
            now = clock.now()
            row = PersonSession(user=people[3], key_digest=digest_of(cookies[3]))
            row.created_at = row.seen_at = row.ended_at = now
            row.save()
        Session.objects.filter(session_key=cookies[2]).delete()

    async def talk() -> None:
        from asgiref.sync import sync_to_async

        sockets = [await _joined(cookie) for cookie in cookies]
        await sync_to_async(revoke)()
        began = time.monotonic()
        for socket in sockets[:4]:
            assert await socket.closed_with(CLOSED_WITHIN_SECONDS) == consumers.CLOSE_NOT_SIGNED_IN
        assert time.monotonic() - began < CLOSED_WITHIN_SECONDS
        await sockets[4].send({"type": "ping"})
        assert (await sockets[4].receive())["type"] == "pong"
        await sockets[4].leave()

    in_one_loop(talk)


def test_the_relay_says_topics_and_a_number_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What leaves through the channel layer carries no figure, so a lost hint costs nothing."""
    sent: list[tuple[str, dict[str, Any]]] = []

    class Layer:
        async def group_send(self, group: str, message: dict[str, Any]) -> None:
            sent.append((group, message))

    monkeypatch.setattr(relaying, "get_channel_layer", Layer)
    _announce(world.ours)
    for group, message in sent:
        assert group == f"updates.{world.ours.tenant}"
        assert set(message) == {"type", "sequence", "topics"}
        assert not [secret for secret in world.ours.secrets if secret in json.dumps(message)]
    assert sent
