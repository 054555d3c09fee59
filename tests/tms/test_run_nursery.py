"""The nursery: parts forked from a warm process are the runner's own and share nothing of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.tms.test_run_supervisor import eventually, everybody, gone, processes
from tms.run import adoption
from tms.run.nursery import GO, LENGTH, PID, Order
from tms.run.process import Child, ChildSpec
from tms.run.warm import Nursery

TINY = Path(__file__).with_name("tiny_nursery.py")
PROJECT = TINY.parents[2]
RESTART_SECONDS_MAX = 20.0


def start_tiny(home: Path, *extra: str) -> subprocess.Popen[bytes]:
    home.mkdir(exist_ok=True)
    runner = subprocess.Popen(
        [sys.executable, str(TINY), str(home), *extra],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert eventually(lambda: (home / "up").exists() or runner.poll() is not None)
    assert (home / "up").exists(), runner.communicate()[1].decode()
    return runner


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nursery") / "home"


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One runner for the whole file; each test leaves everybody ready."""
    with start_tiny(home) as runner:
        yield runner
        if runner.poll() is None:
            runner.terminate()
        runner.communicate()


def told(home: Path, name: str) -> dict[str, Any]:
    """What the last start of a part said of itself."""
    facts: dict[str, Any] = json.loads((home / "log" / f"{name}.log").read_text().splitlines()[-1])
    return facts


def pid_of(home: Path, name: str) -> int:
    found: int = processes(home)[name]["pid"]
    return found


def is_back(home: Path, name: str, before: int) -> bool:
    row = processes(home)[name]
    return bool(row["state"] == "ready" and row["pid"] != before)


def kill_and_await(home: Path, name: str) -> None:
    before = pid_of(home, name)
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: is_back(home, name, before), RESTART_SECONDS_MAX)


def test_a_forked_part_is_the_runners_child_and_looks_like_a_spawned_one(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    one = told(home, "one")

    assert one["warm"]
    assert one["parent"] == running.pid
    assert one["session"] == one["group"] == one["pid"] == pid_of(home, "one")
    assert one["title"] == f"{sys.executable} {home}/part.py first one"
    assert one["argv"] == [f"{home}/part.py", "first", "one"]
    assert one["folder"] == str(home)
    assert one["name"] == "one"
    assert one["main"] == "__main__"
    assert one["zone"] == "UTC"  # as the settings say to whoever imports them


def test_a_forked_part_shares_no_connection_no_thread_no_signal_and_no_chance(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    one, two = told(home, "one"), told(home, "two")

    for part in (one, two):
        assert part["sockets"] == 0
        assert part["threads"] == 1
        assert part["deaf"] == []
        assert part["blocked"] == 0
    assert set(one["chance"]).isdisjoint(two["chance"])


def test_a_killed_part_is_forked_again_and_its_orphans_are_buried(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    before = told(home, "two")

    kill_and_await(home, "two")

    after = told(home, "two")
    assert after["warm"]
    assert set(after["chance"]).isdisjoint(before["chance"])
    orphan = before["child"]
    assert eventually(lambda: not psutil.pid_exists(orphan), 3)  # no zombie of it either


def test_a_killed_nursery_takes_nobody_along_and_comes_back(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    parts = [pid_of(home, name) for name in ("one", "two")]

    kill_and_await(home, "nursery")

    assert [pid_of(home, name) for name in ("one", "two")] == parts
    assert not any(gone(pid) for pid in parts)
    kill_and_await(home, "one")
    assert told(home, "one")["warm"]
    assert told(home, "one")["parent"] == running.pid


def test_without_its_nursery_a_part_is_spawned(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    nursery = pid_of(home, "nursery")
    os.kill(nursery, signal.SIGKILL)
    assert eventually(lambda: processes(home)["nursery"]["pid"] != nursery)

    kill_and_await(home, "one")

    assert not told(home, "one")["warm"]
    assert eventually(lambda: is_back(home, "nursery", nursery), RESTART_SECONDS_MAX)


def test_a_nursery_that_does_not_answer_is_given_up_and_replaced(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    nursery = pid_of(home, "nursery")
    os.kill(nursery, signal.SIGSTOP)

    kill_and_await(home, "two")

    assert not told(home, "two")["warm"]
    assert eventually(lambda: is_back(home, "nursery", nursery), RESTART_SECONDS_MAX)
    assert gone(nursery)


def test_killing_the_runner_leaves_nothing_of_a_forked_system(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    """The last test of the shared runner."""
    pids = {process.pid for process in everybody(running.pid)}
    children = {told(home, name)["child"] for name in ("one", "two")}
    assert pids > children

    running.kill()

    assert eventually(lambda: all(gone(pid) for pid in pids), 5)


def test_the_same_parts_spawned_are_cold_and_asked_to_end_all_go(tmp_path: Path) -> None:
    """The control: these tests can tell a forked part from a spawned one."""
    with start_tiny(tmp_path / "home", "spawning") as runner:
        one = told(tmp_path / "home", "one")
        pids = [process.pid for process in everybody(runner.pid)]
        runner.terminate()
        assert runner.wait(10) == 0

    assert not one["warm"]
    assert one["parent"] == runner.pid
    assert all(gone(pid) for pid in pids)


SHARES_NOTHING = """
import {first}
from tms.run.nursery import refuse_what_is_shared
{second}
refuse_what_is_shared(allowed=-1)
"""


@pytest.mark.parametrize(
    ("module", "held", "complaint"),
    [
        ("sys", "", ""),
        ("threading", "threading.Thread(target=input, daemon=True).start()", "2 threads"),
        ("socket", "pair = socket.socketpair()", "is a connection"),
    ],
)
def test_a_nursery_that_holds_something_refuses_to_be_forked(
    module: str, held: str, complaint: str
) -> None:
    waiting, nothing = os.pipe()
    ran = subprocess.run(
        [sys.executable, "-c", SHARES_NOTHING.format(first=module, second=held)],
        stdin=waiting,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(waiting)
    os.close(nothing)

    assert (ran.returncode == 0) is (complaint == "")
    assert complaint in ran.stderr


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[socket.socket, Child, Order]]:
    """A nursery whose runner is this test, so that every word of theirs can be cut off."""
    ours, theirs = socket.socketpair()
    command = ("-m", "tms.run.nursery", str(theirs.fileno()), str(os.getpid()), "." * 99)
    order = Order(
        arguments=("-m", "this"),
        environment={**os.environ, "MARK": str(tmp_path)},
        folder="/",
        orphan_signal=int(signal.SIGKILL),
    )
    with adoption.adopting(), ours:
        child = Child.spawn(
            ChildSpec(
                name="nursery",
                argv=(sys.executable, *command),
                log=tmp_path / "nursery.log",
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "tms.settings"},
                cwd=PROJECT,
                handed_over=(theirs.detach(),),
            )
        )
        ours.settimeout(60)
        assert ours.recv(9) == b"warm\n"
        yield ours, child, order
        child.stop()


def ask(ours: socket.socket, order: Order, log: Path) -> int:
    content = order.as_bytes()
    with log.open("ab") as file:
        socket.send_fds(ours, [LENGTH.pack(len(content))], [file.fileno()])
    ours.sendall(content)
    return int(PID.unpack(ours.recv(PID.size))[0])


def test_a_part_lives_only_by_the_runners_word(
    kept: tuple[socket.socket, Child, Order], tmp_path: Path
) -> None:
    ours, nursery, order = kept
    log = tmp_path / "part.log"

    with_word = adoption.Adopted(ask(ours, order, log))
    ours.sendall(GO)
    assert with_word.wait(20) == 0
    assert "Beautiful is better than ugly" in log.read_text()

    log.unlink()
    without = adoption.Adopted(ask(ours, order, log))
    assert without.poll() is None
    nursery.process.send_signal(signal.SIGKILL)
    assert without.wait(5) == 1
    assert log.read_text() == ""


def test_only_what_knows_what_the_nursery_imported_is_forked(tmp_path: Path) -> None:
    nursery = Nursery(log=tmp_path / "n.log", environment=lambda: {"A": "1"}, folder=tmp_path)
    handed = nursery.spec().handed_over
    known = {"A": "1", "SECRET": "more"}

    def spec(*argv: str, **env: str) -> ChildSpec:
        return ChildSpec(name="part", argv=argv, log=tmp_path / "p.log", env=env)

    assert nursery._can_raise(spec(sys.executable, "manage.py", "relay", **known))
    assert not nursery._can_raise(spec(sys.executable, "manage.py", "migrate", A="2"))
    assert not nursery._can_raise(spec(sys.executable, "-c", "pass", **known))
    assert not nursery._can_raise(spec("/bin/sh", "manage.py", **known))
    assert nursery.fork(spec(sys.executable, "manage.py", **known)) is None  # it is not warm
    nursery.close()
    os.close(handed[0])


def test_how_an_adopted_process_ended_is_known() -> None:
    adopted = adoption.Adopted(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 3"], {}))
    assert adopted.wait(5) == 3
    sleeper = adoption.Adopted(os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}))
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.05)
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(5) == -signal.SIGTERM
    sleeper.send_signal(signal.SIGKILL)  # it has ended: nobody is sent anything
