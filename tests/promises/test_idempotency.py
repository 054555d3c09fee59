"""One key, one effect: again is answered alike, different is refused, a race has one winner."""

import contextvars
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.test import Client

from core.idempotency import KEY_LENGTH_MAX, IdempotencyKey
from core.tenancy import bound
from tests.promises.conftest import World
from tests.promises.realm import Realm, machine
from treasury.models import Proposal

CONSTRAINT = "idempotency_key_per_actor"
ROUNDS = 6


def _body(realm: Realm, **more: Any) -> dict[str, Any]:
    return {
        "debit_account": str(realm.accounts["collection"].pk),
        "credit_account": str(realm.accounts["payout"].pk),
        "amount": "10.00",
        "why": "once",
        "submit": False,
        **more,
    }


def _post(client: Client, body: dict[str, Any], key: str) -> Any:
    headers = {"Idempotency-Key": key}
    return client.post(
        "/api/v1/proposals", json.dumps(body), content_type="application/json", headers=headers
    )


def _made(realm: Realm, why: str) -> int:
    with bound(realm.tenant):
        return Proposal.objects.filter(why=why).count()


def test_the_same_request_again_returns_the_first_answer(
    world: World, db: None, at_work: datetime
) -> None:
    client, key = world.ours.client("treasury_maker"), uuid4().hex
    first = _post(client, _body(world.ours), key)
    again = _post(client, _body(world.ours), key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first
    assert _made(world.ours, "once") == 1


def test_another_request_under_the_key_is_refused(
    world: World, db: None, at_work: datetime
) -> None:
    client, key = world.ours.client("treasury_maker"), uuid4().hex
    assert _post(client, _body(world.ours), key).status_code == 201
    for other in ({"amount": "10.01"}, {"why": "twice"}, {"submit": True}):
        refused = _post(client, _body(world.ours, **other), key)
        assert refused.status_code == 409
        assert refused.json()["code"] == "idempotency_conflict"
    withdrawn = client.post(
        f"/api/v1/proposals/{world.ours.objects['draft']}/submit",
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )
    assert withdrawn.status_code == 409
    assert _made(world.ours, "twice") == 0


def test_a_refused_request_leaves_its_key_free(world: World, db: None, at_work: datetime) -> None:
    client, key = world.ours.client("treasury_maker"), uuid4().hex
    assert _post(client, _body(world.ours, amount="0.001"), key).status_code == 422
    assert _post(client, _body(world.ours), key).status_code == 201


def test_a_key_belongs_to_one_person_of_one_tenant(
    world: World, db: None, at_work: datetime
) -> None:
    key = uuid4().hex
    answers = [
        _post(client, _body(realm), key)
        for realm, client in (
            (world.ours, world.ours.client("treasury_maker")),
            (world.ours, world.ours.client("treasury_manager")),
            (world.theirs, world.theirs.client("treasury_maker")),
        )
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 3


@pytest.mark.parametrize("key", ["", "x" * (KEY_LENGTH_MAX + 1)])
def test_without_a_usable_key_nothing_is_done(
    world: World, db: None, at_work: datetime, key: str
) -> None:
    refused = _post(world.ours.client("treasury_maker"), _body(world.ours), key)
    assert refused.status_code == 422
    assert refused.json()["context"]["field"] == "Idempotency-Key"


def _race(world: World, why: str) -> list[Any]:
    """Two callers send the same request under the same key at the same instant."""
    body, key = _body(world.ours, why=why), uuid4().hex
    callers = [machine(world.ours.people["integration"]) for _ in range(2)]
    start = threading.Barrier(2)
    answers: list[Any] = []

    def call(client: Client) -> None:
        start.wait(10)
        answers.append(_post(client, body, key))
        connection.close()

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(call, client))
        for client in callers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def test_two_callers_with_one_key_have_one_effect(world: World, at_work: datetime) -> None:
    for number in range(ROUNDS):
        why = f"race {number}"
        answers = _race(world, why)
        assert sorted(answer.status_code for answer in answers) == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert _made(world.ours, why) == 1


@pytest.fixture
def no_unique_key(world: World, owner_connection: psycopg.Connection[Any]) -> Iterator[None]:
    owner = owner_connection
    owner.execute(f"ALTER TABLE core_idempotencykey DROP CONSTRAINT {CONSTRAINT}")
    yield
    owner.execute("ALTER TABLE core_idempotencykey DISABLE ROW LEVEL SECURITY")
    owner.execute("DELETE FROM core_idempotencykey")
    owner.execute("ALTER TABLE core_idempotencykey ENABLE ROW LEVEL SECURITY")
    columns = "tenant_id, actor, key"
    owner.execute(f"ALTER TABLE core_idempotencykey ADD CONSTRAINT {CONSTRAINT} UNIQUE ({columns})")


def test_without_the_unique_key_the_race_has_two_effects(
    world: World, at_work: datetime, no_unique_key: None
) -> None:
    """The negative control: the race exists, and only the constraint decides it."""
    effects = []
    for number in range(ROUNDS * 3):
        why = f"race without a key {number}"
        _race(world, why)
        effects.append(_made(world.ours, why))
        if 2 in effects:
            break
    assert 2 in effects
    assert {field.name for field in IdempotencyKey._meta.fields} >= {"actor", "key"}
