"""The runner: what dies is started again, what it started never outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tms.run import supervisor as supervising
from tms.run import up
from tms.run.config import RunConfig
from tms.run.errors import ConfigError, ServerError
from tms.run.guard import Guard, keep_guard
from tms.run.parts import PROGRAM_NAMES, HealthProbe, port_answers
from tms.run.process import Child, ChildSpec, tail
from tms.run.supervisor import (
    NURSERY,
    NURSERY_TRIES_MAX,
    Announcer,
    Part,
    Supervisor,
    restart_delay,
    rotate,
)
from tms.run.up import Selection, run_up, selection

TINY = Path(__file__).with_name("tiny_system.py")
PROJECT = TINY.parents[2]
START_SECONDS_MAX = 30.0
GONE_SECONDS_MAX = 3.0


def eventually(fact: Callable[[], object], seconds: float = START_SECONDS_MAX) -> bool:
    """Ask until it is so; these tests wait for processes of the operating system."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        threading.Event().wait(0.03)
    return False


def run_tiny(home: Path, *extra: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(
        [sys.executable, str(TINY), str(home), *extra],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def processes(home: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads((home / "run" / "processes.json").read_text())["processes"]
    return {row["name"]: row for row in rows}


def family(home: Path) -> list[int]:
    """Parent and child as the last start of the tiny program told them."""
    words = (home / "log" / "family.log").read_text().split()
    return [int(words[-3]), int(words[-1])]


def everybody(runner: int) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(runner).children(recursive=True)
    return found


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path
    while folder.stat().st_uid == os.geteuid() and folder != Path("/"):
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    return tmp_path / "home"


@pytest.fixture
def running(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with run_tiny(home) as runner:
        assert eventually((home / "up").exists)
        yield runner
        if runner.poll() is None:
            runner.terminate()
        runner.communicate()


def test_killing_the_runner_leaves_nothing_behind(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    pids = {process.pid for process in everybody(running.pid)} | set(family(home))
    assert len(pids) >= 8  # guard, postgres and its helpers, valkey, a program and its child

    running.kill()

    assert eventually(lambda: all(gone(pid) for pid in pids), GONE_SECONDS_MAX)


def test_what_dies_is_started_again_without_its_orphans(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    parent, child = family(home)
    postgres = processes(home)["postgres"]["pid"]

    os.kill(parent, signal.SIGKILL)
    os.kill(postgres, signal.SIGKILL)

    assert eventually(lambda: gone(child), GONE_SECONDS_MAX)
    assert eventually(
        lambda: all(
            processes(home)[name]["restarts"] == 1 and processes(home)[name]["state"] == "ready"
            for name in ("family", "postgres")
        )
    )
    assert processes(home)["valkey"]["restarts"] == 0
    assert family(home)[0] != parent


def test_asked_to_end_it_stops_everybody_and_says_it_went_well(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    pids = [process.pid for process in everybody(running.pid)]

    running.terminate()

    assert running.wait(10) == 0
    assert all(gone(pid) for pid in pids)
    assert not (home / "run" / "processes.json").exists()


def test_a_second_runner_is_refused_and_the_first_stays(
    running: subprocess.Popen[bytes], home: Path
) -> None:
    with run_tiny(home) as second:
        _, said = second.communicate(timeout=START_SECONDS_MAX)

    assert second.returncode == 1
    assert f"process {running.pid}" in said.decode()
    assert running.poll() is None


def test_a_program_that_cannot_start_ends_the_start_with_its_last_words(home: Path) -> None:
    with run_tiny(home, "failing") as runner:
        _, said = runner.communicate(timeout=START_SECONDS_MAX)

    assert runner.returncode == 1
    assert "family does not start" in said.decode()
    assert "no such luck" in (home / "log" / "family.log").read_text()


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Supervisor]:
    with Guard.started() as guard:
        crew = Supervisor(
            register=tmp_path / "processes.json",
            guard=guard,
            announcer=Announcer(as_json=False),
        )
        yield crew
        crew.stop()


def shell(tmp_path: Path, script: str, **options: Any) -> ChildSpec:
    return ChildSpec(name="sh", argv=("/bin/sh", "-c", script), log=tmp_path / "sh.log", **options)


def test_a_program_deaf_to_asking_is_killed(
    crew: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "STOP_SECONDS_MAX", 0.2)
    log = tmp_path / "sh.log"
    deaf = shell(
        tmp_path, "trap '' TERM; echo deaf; sleep 1000", ready=lambda: "deaf" in log.read_text()
    )
    crew.start([Part(name="deaf", spec=lambda: deaf)])
    pid = crew.table()[0]["pid"]
    assert isinstance(pid, int)

    crew.stop()

    assert gone(pid)


def test_a_one_time_program_runs_once_and_its_failure_is_told(
    crew: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crew.complete(Part(name="good", spec=lambda: shell(tmp_path, "true"), once=True), seconds_max=9)
    assert crew.table() == []

    bad = Part(name="bad", spec=lambda: shell(tmp_path, "echo reason; exit 4"), once=True)
    with pytest.raises(ServerError, match="bad failed"):
        crew.complete(bad, seconds_max=9)
    assert "bad ended (4):\nreason" in capsys.readouterr().out


def test_a_one_time_program_may_not_take_for_ever(crew: Supervisor, tmp_path: Path) -> None:
    slow = Part(name="slow", spec=lambda: shell(tmp_path, "sleep 1000"), once=True)
    with pytest.raises(ServerError, match="longer than"):
        crew.complete(slow, seconds_max=0.2)


def test_a_program_that_never_gets_ready_is_reported(crew: Supervisor, tmp_path: Path) -> None:
    mute = shell(tmp_path, "sleep 1000", ready=lambda: False, ready_seconds_max=0.2)
    with pytest.raises(ServerError, match="not ready after"):
        crew.start([Part(name="mute", spec=lambda: mute)])


def test_a_part_that_cannot_be_prepared_again_is_tried_later(
    crew: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[ChildSpec] = []

    def prepare() -> ChildSpec:
        if len(made) == 1:
            made.append(made[0])
            raise ServerError("the disk is away")
        made.append(shell(tmp_path, "sleep 1000"))
        return made[-1]

    crew.start([Part(name="moody", spec=prepare)])
    pid = crew.table()[0]["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)

    def revived() -> bool:
        crew.tick()
        return crew.table()[0]["restarts"] == 2

    assert eventually(revived)
    assert crew.table()[0]["state"] in ("starting", "ready")
    assert "the disk is away" in capsys.readouterr().out


def test_a_nursery_that_never_comes_up_is_left_alone_and_others_are_not(
    crew: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def dying() -> ChildSpec:
        return shell(tmp_path, "exit 1", ready=lambda: False)

    crew.add(Part(name=NURSERY, spec=dying))
    crew.add(Part(name="other", spec=dying))
    nursery, other = crew.members[-2:]

    def left_alone() -> bool:
        crew.tick()
        return nursery.finished and other.failures > NURSERY_TRIES_MAX

    assert eventually(left_alone, 20)
    assert (nursery.failures, nursery.state) == (NURSERY_TRIES_MAX, "finished")
    assert not other.finished
    assert "parts are spawned" in capsys.readouterr().out


def test_a_child_that_waits_in_vain_says_why(tmp_path: Path) -> None:
    child = Child.spawn(shell(tmp_path, "echo words; exit 2", ready=lambda: False))
    with pytest.raises(ServerError, match=r"(?s)sh ended \(2\).*words"):
        child.wait_ready()
    child.stop()

    slow = Child.spawn(shell(tmp_path, "sleep 9", ready=lambda: False, ready_seconds_max=0.1))
    with pytest.raises(ServerError, match="not ready"):
        slow.wait_ready()
    slow.stop()
    assert not slow.alive


def test_restarts_slow_down_but_never_stop() -> None:
    delays = [restart_delay(failures) for failures in range(40)]
    assert delays == sorted(delays)
    assert delays[0] < 0.5
    assert delays[-1] == 10.0


def test_a_grown_log_is_set_aside_and_written_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for generation in range(4):
        with log.open("a") as writer:
            writer.write(f"{generation}" * 100)
            writer.flush()
            rotate(log, bytes_max=50)
            writer.write("after")

    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["web.log", "web.log.1", "web.log.2"]
    assert log.read_text() == "after"
    assert "3" * 100 in (tmp_path / "web.log.1").read_text()
    assert tail(log) == "after"
    assert tail(tmp_path / "no such log") == ""


def test_the_guard_ends_forgotten_groups_and_only_those(tmp_path: Path) -> None:
    watched, forgotten = (Child.spawn(shell(tmp_path, "sleep 1000")) for _ in range(2))
    folder = tmp_path / "rubbish"
    folder.mkdir()
    words = [f"watch {watched.pid}", f"watch {forgotten.pid}", f"forget {forgotten.pid}"]

    keep_guard(iter([*words, f"remove {folder}"]))

    assert watched.process.wait(2) == -signal.SIGKILL
    assert forgotten.alive
    assert not folder.exists()
    keep_guard(iter([f"watch {forgotten.pid}", "done "]))
    assert forgotten.alive
    forgotten.stop()


def test_parts_are_chosen_by_name_and_unknown_names_refused() -> None:
    only = selection("web, worker", "")
    assert [name for name in PROGRAM_NAMES if only.wants(name)] == ["web", "worker"]
    assert only.wants("postgres")
    assert not only.wants("demo")

    without = selection("", "bank,demo")
    assert not without.wants("bank")
    assert without.wants("web")
    with pytest.raises(ConfigError, match="wep"):
        selection("wep", "")


def test_somebody_must_speak_http_and_know_their_health() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port_answers("0.0.0.0", port)  # noqa: S104

        def answer() -> None:
            for body in (b'{"status": "degraded"}', b"not json"):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    head = f"HTTP/1.1 503 Down\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    connection.sendall(head + body)

        listener.accept()[0].close()  # the question of port_answers
        thread = threading.Thread(target=answer)
        thread.start()
        healthy = HealthProbe("127.0.0.1", port)
        assert eventually(healthy)
        assert not healthy()  # asks anew
        thread.join()
        assert not healthy()  # hears no JSON
        assert not healthy()  # asks somebody who takes no more calls, and does not wait
        healthy.close()
    assert not healthy()


def test_a_busy_port_is_refused_by_the_variable_that_changes_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up, "PORT_SECONDS_MAX", 0.1)
    monkeypatch.setenv("TMS_HOME", str(home))
    monkeypatch.setenv("TMS_ENV_FILE", "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("TMS_PORT", str(listener.getsockname()[1]))
        assert up.main(["--only", "web"]) == 1
    assert "set TMS_PORT" in capsys.readouterr().err


def test_the_whole_run_without_programs_comes_up_and_goes_down(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TMS_DATABASE_URL", "TMS_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMS_HOME", str(home))
    monkeypatch.setenv("TMS_ENV_FILE", "")
    parts = Selection(without=frozenset({*PROGRAM_NAMES, "migrate", "demo"}))
    register = home / "run" / "processes.json"

    def stop_when_up() -> None:
        eventually(lambda: register.exists() and len(processes(home)) == 2)
        eventually(lambda: {row["state"] for row in processes(home).values()} == {"ready"})
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop_when_up)
    before = signal.getsignal(signal.SIGTERM)
    thread.start()
    assert run_up(RunConfig.load(), json=True, parts=parts) == 0
    thread.join()

    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events[0] == "starting"
    assert events[-2:] == ["stopping", "stopped"]
    assert signal.getsignal(signal.SIGTERM) is before
