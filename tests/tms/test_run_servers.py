"""The embedded servers, started for real in temporary folders."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tms.run import places, servers
from tms.run.addresses import embedded_addresses
from tms.run.config import RunConfig, Secrets
from tms.run.errors import AlreadyRunningError, ConfigError, ForeignDataError, ServerError
from tms.run.forget import forget
from tms.run.places import Person, make_private, postgres_root, reachable, socket_folder
from tms.run.servers import Postgres, Valkey, servers_up


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in a folder that everybody may walk through, as a checkout usually is."""
    folder = tmp_path
    while folder.stat().st_uid == os.geteuid() and folder != Path("/"):
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    return tmp_path / "home"


@pytest.fixture
def secrets(home: Path) -> Secrets:
    return Secrets.load(home, {})


@pytest.fixture
def postgres(home: Path, secrets: Secrets) -> Iterator[Postgres]:
    server = Postgres(home, secrets=secrets, fast=True)
    server.start()
    yield server
    server.stop()


def count_rows(server: Postgres) -> int:
    with psycopg.connect(server.address.conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def keep_a_row(server: Postgres) -> None:
    with psycopg.connect(server.address.conninfo) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def test_data_survives_a_stop_and_a_kill(postgres: Postgres) -> None:
    keep_a_row(postgres)
    postgres.stop()
    postgres.start()
    assert count_rows(postgres) == 1

    keep_a_row(postgres)
    assert postgres.child is not None
    os.kill(postgres.child.pid, signal.SIGKILL)
    postgres.child.process.wait()
    postgres.start()
    assert count_rows(postgres) == 2


def test_postgres_asks_for_a_password_and_listens_on_no_port(postgres: Postgres) -> None:
    with psycopg.connect(postgres.address.conninfo) as connection:
        methods = connection.execute(
            "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
        ).fetchall()
        listening = connection.execute("SHOW listen_addresses").fetchone()
    assert methods == [("scram-sha-256",)]
    assert listening == ("",)

    wrong = postgres.address.as_role(user="postgres", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong.conninfo)


def test_the_socket_lies_in_a_private_folder(postgres: Postgres) -> None:
    folder = Path(postgres.address.host)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(postgres.data.stat().st_mode) == 0o700


def test_a_second_server_on_the_same_folder_is_refused(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "LOCK_SECONDS_MAX", 0.1)
    other = Postgres(postgres.home, secrets=postgres.secrets, fast=True)

    with pytest.raises(AlreadyRunningError, match="Another postgres"):
        other.start()
    assert postgres.answers()


def test_another_password_than_the_cluster_was_made_with_is_named(postgres: Postgres) -> None:
    stranger = Secrets.load(postgres.home, {"TMS_DB_SUPERUSER_PASSWORD": "something else"})

    with pytest.raises(ServerError, match="another db_superuser_password"):
        Postgres(postgres.home, secrets=stranger).answers()


def test_a_foreign_data_folder_is_refused_and_left_alone(home: Path, secrets: Secrets) -> None:
    server = Postgres(home, secrets=secrets, fast=True)
    make_private(server.root, server.person)
    make_private(server.data, server.person)
    precious = server.data / "precious"
    precious.write_text("theirs")

    with pytest.raises(ForeignDataError, match="did not make"):
        server.start()
    assert precious.read_text() == "theirs"


def test_a_cluster_of_another_version_is_refused(postgres: Postgres) -> None:
    postgres.stop()
    (postgres.data / "PG_VERSION").write_text("17\n")

    with pytest.raises(ForeignDataError, match="PostgreSQL 17"):
        postgres.start()


def test_our_own_half_made_cluster_is_made_anew(home: Path, secrets: Secrets) -> None:
    server = Postgres(home, secrets=secrets, fast=True)
    make_private(server.root, server.person)
    make_private(server.data, server.person)
    (server.data / "PG_VERSION").write_text("18\n")
    (home / "postgres.initialising").touch()

    server.start()
    try:
        keep_a_row(server)
    finally:
        server.stop()
    assert not (home / "postgres.initialising").exists()


def test_a_closed_home_far_down_a_long_path_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may walk into it, its sockets would be too long, its programs may not be run."""
    system = tmp_path.parent / "system"
    system.mkdir(exist_ok=True)
    for folder in (system, *system.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    monkeypatch.setattr(places, "SYSTEM_DATA", system)
    tmp_path.chmod(0o700)
    home = tmp_path / ("long" * 20) / "home"
    home.parent.mkdir()
    server = Postgres(home, secrets=Secrets.load(home, {}), fast=True)
    valkey = Valkey(home, fast=True)

    assert len(str(home / "valkey" / "valkey.sock")) > places.SOCKET_PATH_BYTES_MAX
    for each in (server, valkey):
        each.start()
    try:
        assert server.answers()
        assert valkey.answers()
        assert reachable(server.root, server.person) if server.person else server.root.is_dir()
        assert (home / "postgres").resolve() == server.root.resolve()
        assert embedded_addresses(home).host == server.address.host
    finally:
        valkey.stop()
        server.stop()
    forget(RunConfig.load({"TMS_HOME": str(home), "TMS_ENV_FILE": ""}))
    assert not home.exists()
    assert not server.root.exists()
    assert not valkey.socket.parent.parent.exists()


def test_programs_that_nobody_may_run_are_copied(home: Path, secrets: Secrets) -> None:
    server = Postgres(home, secrets=secrets, fast=True)
    make_private(server.root)

    copied = server._copied(servers.postgres_package())

    assert (copied / "pginstall" / "bin" / "postgres").is_file()
    assert server._copied(servers.postgres_package()) == copied


def test_a_short_socket_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)

    with pytest.raises(ConfigError, match="not a folder of ours"):
        make_private(link)
    with pytest.raises(ConfigError, match="belongs to user id"):
        make_private(Path("/usr"), Person(name="nobody", uid=65534, gid=65534))


def test_a_path_that_stays_too_long_is_refused_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SOCKET_PATH_BYTES_MAX", 20)

    with pytest.raises(ConfigError, match="too long for a socket"):
        socket_folder(tmp_path / "deep", "valkey.sock")


def test_reach_is_judged_by_every_folder_on_the_way(tmp_path: Path) -> None:
    person = Person(name="nobody", uid=65534, gid=65534)
    inner = tmp_path / "open"
    inner.mkdir()
    inner.chmod(0o755)
    tmp_path.chmod(0o700)

    assert not reachable(inner, person)
    assert reachable(Path("/usr"), person)
    assert not reachable(inner / "not yet there", person)


def test_postgres_stays_in_the_home_where_it_can(home: Path) -> None:
    assert postgres_root(home) == home / "postgres"


def test_valkey_keeps_what_it_was_told_and_evicts_nothing(home: Path) -> None:
    server = Valkey(home)
    url = embedded_addresses(home).redis_url
    server.start()
    try:
        with redis.Redis.from_url(url) as client:
            client.set("kept", "1")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        server.stop()
        server.start()
        with redis.Redis.from_url(url) as client:
            assert client.get("kept") == b"1"
    finally:
        server.stop()
    assert not server.answers()


def test_servers_that_run_already_are_left_running(home: Path) -> None:
    config = RunConfig.load({"TMS_HOME": str(home), "TMS_ENV_FILE": ""})
    with servers_up(config, fast=True) as outer:
        with servers_up(config, fast=True) as inner:
            assert inner.app.host == outer.app.host
        with psycopg.connect(outer.app.conninfo) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("tms_app",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(outer.app.conninfo)
