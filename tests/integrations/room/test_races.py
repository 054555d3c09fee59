"""Two workers, one payment: it is sent once. Without the lock it is not (the race is real)."""

import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from core.tenancy import bound
from integrations import selectors, services
from integrations.models import MessageQuerySet
from integrations.services import lines
from tests.integrations.room.conftest import House, MakeHouse, http_line, order
from tests.integrations.room.scripted_bank import Asked, Says, ScriptedBank, scripted


def accepts(asked: Asked) -> Says:
    digest = hashlib.sha256(asked.body).hexdigest()
    return Says(status=202, body=json.dumps({"receipt_id": 1, "sha256": digest}).encode())


def together(workers: int, work: Callable[[], object]) -> list[BaseException]:
    """Run `work` in several threads, each with its own database connection."""
    troubles: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - handed to the test
            troubles.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return troubles


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two senders meet between reading the queue and writing the claim."""
    barrier = threading.Barrier(2)
    original = lines.admitted

    def meet(**more: Any) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=1)
        return original(**more)

    monkeypatch.setattr(lines, "admitted", meet)


def posts(bank: ScriptedBank) -> Counter[bytes]:
    return Counter(asked.body for asked in bank.asked if asked.method == "POST")


def test_without_the_lock_both_senders_send(
    house: MakeHouse, meeting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""
    monkeypatch.setattr(MessageQuerySet, "select_for_update", lambda self, **_more: self)
    with scripted(accepts) as bank:
        home = house(http_line(bank.url))
        home.queue()
        together(2, home.dispatch)
        assert list(posts(bank).values()) == [2]


def test_with_the_lock_one_sends(house: MakeHouse, meeting: None) -> None:
    with scripted(accepts) as bank:
        home = house(http_line(bank.url))
        message = home.queue()
        assert together(2, home.dispatch) == []
        assert list(posts(bank).values()) == [1]
    assert home.state(message) == "SENT"


def test_four_senders_share_forty_payments(house: MakeHouse) -> None:
    with scripted(accepts) as bank:
        home = house(http_line(bank.url, rate_per_minute=60_000))
        messages = [home.queue() for _ in range(40)]
        assert together(4, home.dispatch) == []
        assert sorted(posts(bank).values()) == [1] * 40
    assert {home.state(message) for message in messages} == {"SENT"}
    assert home.topics() == ["integrations.payment.sent"] * 40


def test_two_archivers_of_the_same_bytes_make_one_message(
    house: MakeHouse,
) -> None:
    home = house(http_line("http://127.0.0.1:9"))

    def archive() -> None:
        with bound(home.tenant, actor="system:test"):
            services.archive_inbound(connection_code=home.line, name="a", data=b"same bytes")

    assert together(4, archive) == []
    with bound(home.tenant, actor="system:test"):
        (row,) = selectors.messages()
        assert row.seen_count == 4
    assert home.topics() == ["integrations.message.received"]


def test_two_orders_with_one_reference_cannot_both_be_queued(house: MakeHouse) -> None:
    home: House = house(http_line("http://127.0.0.1:9"))
    orders = [order(reference="SAME-REFERENCE") for _ in range(4)]
    taken = threading.Lock()

    def queue_one() -> None:
        with taken:
            instruction = orders.pop()
        home.queue(instruction)

    assert len(together(4, queue_one)) == 3
    with bound(home.tenant, actor="system:test"):
        assert selectors.messages().count() == 1
