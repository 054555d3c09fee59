"""What the environment, `.env` and the secrets file say."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tms.run.addresses import DatabaseAddress
from tms.run.config import SECRET_VARIABLES, RunConfig, Secrets, runtime
from tms.run.errors import ConfigError

NO_FILE = {"TMS_ENV_FILE": ""}


def test_secrets_are_made_once_for_our_eyes_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = Secrets.load(home, {})
    again = Secrets.load(home, {})

    assert first == again
    assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(first.field_key)) == 32
    assert len({getattr(first, name) for name in SECRET_VARIABLES}) == len(SECRET_VARIABLES)


def test_many_first_starts_agree_on_the_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Secrets.load(tmp_path / "home", {}), range(24)))

    assert all(secrets == made[0] for secrets in made)


def test_a_secrets_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Secrets.load(tmp_path, {})
    (tmp_path / "secrets.json").chmod(0o640)

    with pytest.raises(ConfigError, match="readable for others"):
        Secrets.load(tmp_path, {})


@pytest.mark.parametrize("content", ["", "[]", '{"jwt_key": 7}', '{"jwt_key"'])
def test_a_damaged_secrets_file_is_refused_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="damaged"):
        Secrets.load(tmp_path, {})
    assert path.read_text() == content


def test_a_missing_secret_is_added_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"jwt_key": "' + "j" * 40 + '"}')
    path.chmod(0o600)

    assert Secrets.load(tmp_path, {}).jwt_key == "j" * 40
    assert Secrets.load(tmp_path, {}).index_key == Secrets.load(tmp_path, {}).index_key


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("TMS_SECRET_KEY", "short", "at least 32"),
        ("TMS_FIELD_KEY", "x" * 44, "must be 32 bytes"),
        ("TMS_FIELD_KEY", "not base64, but long enough to pass the first look", "base64"),
    ],
)
def test_a_weak_secret_from_the_environment_is_refused(
    tmp_path: Path, variable: str, value: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Secrets.load(tmp_path, {variable: value})


def test_secrets_do_not_show_themselves(tmp_path: Path) -> None:
    known = runtime({**NO_FILE, "TMS_HOME": str(tmp_path / "home")})

    shown = repr(known)
    assert not any(getattr(known.secrets, name) in shown for name in SECRET_VARIABLES)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("TMS_PORT=9001\nTMS_BANK_PORT=9101\n")

    config = RunConfig.load({"TMS_ENV_FILE": str(file), "TMS_PORT": "9002"})

    assert (config.port, config.bank_port) == (9002, 9101)


@pytest.mark.parametrize(
    "environment",
    [
        {"TMS_PORT": "0"},
        {"TMS_PORT": "65536"},
        {"TMS_PORT": "8_000"},
        {"TMS_PORT": "\u0668\u0660"},
        {"TMS_MODE": "debug"},
        {"TMS_DEMO": "yes"},
    ],
)
def test_settings_that_mean_nothing_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        RunConfig.load({**NO_FILE, **environment})


def test_an_unknown_database_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TMS_DB_ROLE"):
        runtime({**NO_FILE, "TMS_HOME": str(tmp_path / "home"), "TMS_DB_ROLE": "postgres"})


def test_embedded_addresses_follow_from_the_home_alone(tmp_path: Path) -> None:
    environment = {**NO_FILE, "TMS_HOME": str(tmp_path / "home")}
    known = runtime(environment)

    assert known.database.user == "tms_app"
    assert runtime({**environment, "TMS_DB_ROLE": "owner"}).database.user == "tms_owner"
    assert known.database.host == runtime(environment).database.host
    assert known.redis_url(3).endswith("/valkey.sock?db=3")
    assert known.broker_url(2).startswith("redis+socket:///")
    assert known.broker_url(2).endswith("/valkey.sock?virtual_host=2")


def test_your_own_servers_are_used_when_named(tmp_path: Path) -> None:
    known = runtime(
        {
            **NO_FILE,
            "TMS_HOME": str(tmp_path / "home"),
            "TMS_DATABASE_URL": "postgresql://admin:p%40ss@db.example:6432/bank?sslmode=require",
            "TMS_REDIS_URL": "redis://:secret@cache.example:6379/0",
        }
    )

    assert known.admin.password == "p@ss"
    assert (known.app.host, known.app.port, known.app.name) == ("db.example", "6432", "bank")
    assert known.app.options == {"sslmode": "require"}
    assert known.app.user == "tms_app"
    assert known.redis_url(4) == known.broker_url(4) == "redis://:secret@cache.example:6379/4"


@pytest.mark.parametrize("url", ["postgresql://", "postgresql://host/db", "no url at all"])
def test_an_incomplete_database_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="TMS_DATABASE_URL"):
        DatabaseAddress.parse(url)
