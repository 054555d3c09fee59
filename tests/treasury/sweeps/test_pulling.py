"""A reader beside eight writers misses nothing; the obvious cursor does (requirement S1-33)."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Final
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from core.events import publish
from core.events.relay import sequence_committed
from core.tenancy import bound
from treasury.events import SweepIntent
from treasury.selectors.intents import intents_after

ORDERS: Final = int(os.environ.get("TMS_PULLED_ORDERS", "2000"))
WRITERS: Final = 8
PAUSE_SECONDS_MAX: Final = 0.004
pytestmark = pytest.mark.usefixtures("uncounted")


def write(tenant: UUID, writer: int) -> list[str]:
    """Publish a writer's share, a few in each transaction, each committed a little later."""
    rng = random.Random(writer)
    names: list[str] = []
    try:
        while len(names) < ORDERS // WRITERS:
            with bound(tenant, actor="system:test"):
                for _ in range(rng.randint(1, 5)):
                    names.append(f"SWP-2026-11-17-{writer}{len(names):05d}")
                    publish(SweepIntent(type="ORDER", order_id=names[-1], jws="a.b.c", reason=""))
                Event().wait(rng.random() * PAUSE_SECONDS_MAX)
    finally:
        connection.close()
    return names


def read(tenant: UUID, over: threading.Event) -> list[str]:
    """Pull with the cursor of the answer before, numbering as the relay does, until all is over."""
    names: list[str] = []
    cursor, was_over = "", False
    try:
        while True:
            was_over = over.is_set()
            sequence_committed(tenant=tenant)
            with bound(tenant, actor="system:test"):
                found = intents_after(cursor=cursor, limit=200)
            names += [item["order_id"] for item in found.items]
            cursor = found.next_cursor
            if was_over and not found.items and not sequence_committed(tenant=tenant):
                return names
    finally:
        connection.close()


def read_by_age(tenant: UUID, over: threading.Event) -> list[str]:
    """The obvious mistake: go on after the largest id that was seen, committed or not."""
    names: list[str] = []
    newest = str(UUID(int=0))
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant', %s, false)", [str(tenant)])
        while True:
            was_over = over.is_set()
            rows = owner.execute(
                "SELECT id::text, payload ->> 'order_id' FROM core_outboxevent"
                " WHERE topic = 'sweep_intent' AND id > %s ORDER BY id LIMIT 200",
                [newest],
            ).fetchall()
            names += [row[1] for row in rows]
            newest = rows[-1][0] if rows else newest
            if was_over and not rows:
                return names


def test_eight_writers_and_one_reader_see_the_same_orders(committed_tenant: UUID) -> None:
    over = threading.Event()
    with ThreadPoolExecutor(WRITERS + 2) as pool:
        reader = pool.submit(read, committed_tenant, over)
        careless = pool.submit(read_by_age, committed_tenant, over)
        writers = [pool.submit(write, committed_tenant, number) for number in range(WRITERS)]
        written = [name for writer in writers for name in writer.result()]
        over.set()
        pulled, missing = reader.result(), careless.result()
    assert len(written) >= ORDERS
    assert sorted(pulled) == sorted(written)
    # The negative control: without places given after the commit, late ones are never seen.
    assert len(set(missing)) < len(written)
