"""Strings that exist in one tenant only never come out of the other one (P5).

Everything a person of the one tenant can open is opened, with the log at its most talkative; the
other tenant's mark, numbers, names and ids must not occur in any answer or line.
"""

import logging
from datetime import datetime
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from core.tenancy import bound
from tests.promises.conftest import World
from tests.promises.realm import Realm, machine
from tests.promises.test_p05_endpoints import PLAIN, _admin_path, _filled, _first

ROLES = ("tenant_admin", "treasury_checker")


def _text(response: Any) -> str:
    if getattr(response, "streaming", False):
        return ""
    found: str = response.content.decode("utf-8", "replace").lower()
    return found + str(dict(response.headers)).lower()


def _open_everything(client: Client, realm: Realm) -> dict[str, str]:
    texts = {}
    for route in PLAIN:
        texts[route.pattern] = _text(client.get(_filled(route, realm)))
    for model in admin.site._registry:
        texts[_admin_path(model)] = _text(client.get(_admin_path(model)))
        first = _first(model, realm)
        if first is not None:
            path = _admin_path(model, first, "change")
            texts[path] = _text(client.get(path))
    return texts


def _leaks(texts: dict[str, str], stranger: Realm) -> dict[str, list[str]]:
    return {
        where: found
        for where, text in texts.items()
        if (found := [secret for secret in stranger.secrets if secret in text])
    }


def test_nothing_of_the_other_tenant_comes_out_anywhere(
    world: World, db: None, at_work: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # Django writes a page of traceback about every name that a template looks up in vain.
    caplog.set_level(logging.INFO, logger="django.template")
    texts: dict[str, str] = {}
    for role in ROLES:
        texts |= {
            f"{role} {where}": text
            for where, text in _open_everything(world.ours.client(role), world.ours).items()
        }
    robot = machine(world.ours.people["integration"])
    texts |= {
        f"machine {route.pattern}": _text(robot.get(_filled(route, world.ours)))
        for route in PLAIN
        if route.is_api
    }
    assert len(texts) > 150
    said = "\n".join(record.getMessage() for record in caplog.records).lower()
    texts["the log"] = said
    assert _leaks(texts, world.theirs) == {}
    # The negative control: the same search does find the tenant's own strings.
    assert len(_leaks(texts, world.ours)) > 60


def test_account_numbers_do_not_reach_the_log(
    world: World, db: None, at_work: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = world.ours.client("treasury_maker")
    for route in PLAIN:
        client.get(_filled(route, world.ours))
    said = "\n".join(record.getMessage() for record in caplog.records)
    numbers = [account.number for account in world.ours.accounts.values()]
    assert [number for number in numbers if number in said] == []


def test_the_stored_number_is_not_the_number(world: World) -> None:
    """At rest the account number is ciphertext; the search works over a keyed digest."""
    from django.db import connection

    with bound(world.ours.tenant), connection.cursor() as cursor:
        cursor.execute("SELECT number, number_index FROM treasury_bankaccount")
        stored = cursor.fetchall()
    numbers = [account.number for account in world.ours.accounts.values()]
    assert len(stored) >= len(numbers)
    for sealed, digest in stored:
        assert sealed.startswith("v1:")
        assert not any(number in sealed + digest for number in numbers)
