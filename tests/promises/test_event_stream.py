"""Server-sent events: nothing lost between two readings, nothing of anybody else, ever."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import Client

from core.events import publish
from core.events import stream as streaming
from core.events.models import OutboxEvent
from core.events.relay import sequence_committed
from core.identity.models import User
from core.identity.services import revoke_tokens
from core.tenancy import bound
from tests.core.test_events import Happened
from tests.promises.conftest import World
from tests.promises.realm import Realm, machine, signed_in

WAIT_SECONDS: Final = 10


def _happen(realm: Realm, *numbers: int, topic_of: type[Happened] = Happened) -> None:
    """Publish events and give them their place in the sequence."""
    with bound(realm.tenant, actor="system:test"):
        for number in numbers:
            publish(topic_of(number=number, about=realm.mark))
    sequence_committed(tenant=realm.tenant)


def _last(realm: Realm) -> int:
    sequence_committed(tenant=realm.tenant)
    with bound(realm.tenant):
        found = OutboxEvent.objects.filter(sequence__isnull=False).order_by("-sequence").first()
        return (found.sequence or 0) if found else 0


def _message(text: str) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
    return {"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])}


async def _read(client: Client, count: int, **headers: str) -> list[dict[str, Any]]:
    """Open the stream, read `count` messages and hang up."""
    response = await sync_to_async(lambda: client.get("/api/v1/events", headers=headers))()
    assert response.status_code == 200
    assert response["Content-Type"] == "text/event-stream"
    found: list[dict[str, Any]] = []
    async with aclosing(response.streaming_content) as parts, asyncio.timeout(WAIT_SECONDS):
        async for part in parts:
            text = part.decode()
            if text.startswith("id: "):
                found.append(_message(text))
            if len(found) == count:
                return found
    return found


def in_one_loop(reading: Callable[[], Awaitable[Any]]) -> Any:
    return async_to_sync(reading)()


@pytest.mark.parametrize("header", ["", "Bearer x", "Bearer a.b.c", "Basic YTpi"])
def test_without_credentials_the_stream_is_401(world: World, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    response = Client().get("/api/v1/events", headers=headers)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


def test_a_reader_that_hangs_up_after_every_message_misses_nothing(world: World) -> None:
    start = _last(world.ours)
    _happen(world.ours, *range(6))
    client = machine(world.ours.people["integration"])

    async def read_bit_by_bit() -> list[int]:
        position, numbers = start, []
        for size in (1, 2, 1, 2):
            batch = await _read(client, size, **{"Last-Event-ID": str(position)})
            position = batch[-1]["id"]
            numbers += [message["data"]["payload"]["number"] for message in batch]
        return numbers

    assert in_one_loop(read_bit_by_bit) == [0, 1, 2, 3, 4, 5]


def test_what_happens_while_the_stream_is_open_arrives(world: World) -> None:
    start = _last(world.ours)
    client = signed_in(world.ours.people["treasury_checker"])

    async def read_and_happen() -> list[dict[str, Any]]:
        reading = asyncio.ensure_future(_read(client, 2, **{"Last-Event-ID": str(start)}))
        await asyncio.sleep(0)
        await sync_to_async(_happen)(world.ours, 41, 42)
        return await reading

    heard = in_one_loop(read_and_happen)
    assert [message["data"]["payload"]["number"] for message in heard] == [41, 42]
    assert [message["id"] for message in heard] == [start + 1, start + 2]


def test_the_sequence_of_a_tenant_has_no_gap_and_nobody_elses_events(world: World) -> None:
    """Both tenants publish in turns; each hears its own, numbered without a hole."""
    starts = {realm.mark: _last(realm) for realm in (world.ours, world.theirs)}
    for number in range(4):
        for realm in (world.ours, world.theirs):
            _happen(realm, number)
    for realm, stranger in ((world.ours, world.theirs), (world.theirs, world.ours)):
        client = signed_in(realm.people["auditor"])
        start = starts[realm.mark]

        async def read(client: Client = client, start: int = start) -> list[dict[str, Any]]:
            return await _read(client, 4, **{"Last-Event-ID": str(start)})

        heard = in_one_loop(read)
        assert [message["id"] for message in heard] == [start + step for step in range(1, 5)]
        assert {message["data"]["payload"]["about"] for message in heard} == {realm.mark}
        assert stranger.mark not in json.dumps(heard)


def test_from_the_beginning_nothing_of_another_tenant_comes(world: World) -> None:
    total = _last(world.ours)
    client = signed_in(world.ours.people["auditor"])

    async def read() -> list[dict[str, Any]]:
        return await _read(client, total)

    heard = in_one_loop(read)
    text = json.dumps(heard).lower()
    assert len(heard) == total
    assert world.ours.mark.lower() in text
    assert [secret for secret in world.theirs.secrets if secret in text] == []


def test_with_the_wall_down_the_stream_would_tell(
    world: World, owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the stream filters by nothing but the database's wall."""
    _happen(world.theirs, 7)
    person = world.ours.people["auditor"]
    owner_connection.execute("ALTER TABLE core_outboxevent DISABLE ROW LEVEL SECURITY")
    try:
        rows = streaming._after(world.ours.tenant, person.pk, 0, [Happened.topic])
    finally:
        owner_connection.execute("ALTER TABLE core_outboxevent ENABLE ROW LEVEL SECURITY")
    assert rows is not None
    assert any(world.theirs.mark in data for _, _, data in rows)


def test_topics_filter_and_a_bad_position_is_refused(world: World) -> None:
    client = signed_in(world.ours.people["auditor"])
    for position in ("-1", "x", "1.5", "\uff19", "9" * 19):
        response = client.get("/api/v1/events", {"after": position})
        assert response.status_code == 400, position


def test_a_revoked_token_and_a_disabled_person_hear_nothing_more(world: World) -> None:
    with bound(world.ours.tenant, actor="system:test"):
        from tests.conftest import make_user

        robot = make_user("stream-robot", "integration", is_service=True)
        person = make_user("stream-person", "auditor")
    client = machine(robot)
    with bound(world.ours.tenant, actor="system:test"):
        revoke_tokens(user=robot)
    assert client.get("/api/v1/events").status_code == 401

    with bound(world.ours.tenant, actor="system:test"):
        User.objects.filter(pk=person.pk).update(is_active=False)
    assert streaming._after(world.ours.tenant, person.pk, 0, []) is None
