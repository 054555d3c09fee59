"""The real loop in its own process, killed at random moments (P1, P2)."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings

from core.tenancy import bound
from integrations import selectors
from integrations.models import Message
from tests.integrations.room.conftest import (
    PROJECT,
    House,
    MakeHouse,
    SandboxBank,
    http_line,
    later,
)

KILLS = 3
PAYMENTS_PER_KILL = 20


@contextmanager
def channels_loop() -> Iterator["subprocess.Popen[bytes]"]:
    """Run `manage.py channels` on this test's database; it has made its first round."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "manage.py", "channels", "--json"],
        cwd=PROJECT,
        env={
            **os.environ,
            "TMS_DATABASE_URL": settings.TMS_OWNER_CONNINFO,
            "TMS_DB_ROLE": "app",
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def first_round(process: "subprocess.Popen[bytes]") -> dict[str, object]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        pytest.fail(process.stderr.read().decode())
    counts: dict[str, object] = json.loads(line)
    return counts


def everything_resolved(house: House) -> bool:
    with bound(house.tenant, actor="system:test"):
        waiting = selectors.messages().outbound().exclude(state__in=("SENT", "REFUSED"))
        return not waiting.exists()


def test_the_loop_sends_and_stops_when_told(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url))
    message = home.queue()
    with channels_loop() as process:
        assert first_round(process)["sent"] == 1
        process.terminate()
        assert process.wait(20) == 0
    assert home.state(message) == "SENT"


@pytest.mark.chaos
def test_killed_at_random_nothing_is_lost_and_nothing_is_doubled(
    house: MakeHouse, bank: SandboxBank
) -> None:
    home = house(http_line(bank.url, read_timeout_seconds=1))
    rng = random.Random(2026)
    bank.fault(kind="accept_then_timeout", rate=0.15, seed=11)
    messages: list[Message] = []
    for _ in range(KILLS):
        with channels_loop() as process:
            first_round(process)
            messages += [home.queue() for _ in range(PAYMENTS_PER_KILL)]
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0.2, 1.2))
            process.kill()
    for seconds in (60, 120, 180, 240):
        with later(seconds=seconds):
            home.dispatch()
            home.enquire()
    assert everything_resolved(home)
    ends = {message.reference: home.state(message) for message in messages}
    in_the_bank = {reference: bank.attempts(reference) for reference in ends}
    assert in_the_bank == {name: int(end == "SENT") for name, end in ends.items()}
    assert list(ends.values()).count("SENT") >= len(messages) - KILLS
