"""A process that must not serve does not start: secrets, switches, Valkey (walls: tests/core)."""

from typing import Any

import pytest
from django.conf import LazySettings
from redis import Redis

from core import checks
from core.events import transports
from tms.run.config import runtime


def test_as_it_stands_the_system_may_serve(db: None) -> None:
    assert checks.settings_faults() == []
    assert checks.database_faults() == []
    assert checks.valkey_faults() == []
    checks.refuse_unless_safe()


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "TMS_INDEX_KEY", "TMS_AUDIT_ANCHOR_KEY", "TMS_WEBHOOK_KEY"]
)
@pytest.mark.parametrize("secret", ["default", "changeme", "x" * 31])
def test_a_short_secret_is_named(settings: LazySettings, name: str, secret: str) -> None:
    setattr(settings, name, secret)
    assert checks.settings_faults() == [f"{name} is shorter than 32 bytes"]
    assert [error.msg for error in checks.secrets_are_long_enough(None)] == [
        f"{name} is shorter than 32 bytes"
    ]


def test_a_short_token_key_is_named(settings: LazySettings) -> None:
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "SIGNING_KEY": "short"}
    assert checks.settings_faults() == ["the JWT key is shorter than 32 bytes"]


@pytest.mark.parametrize("mode", ["production", "test"])
def test_debug_outside_local_mode_is_named(settings: LazySettings, mode: str) -> None:
    settings.DEBUG, settings.TMS_MODE = True, mode
    assert checks.settings_faults() == ["DEBUG is on outside local mode"]
    settings.TMS_MODE = "local"
    assert checks.settings_faults() == []


def test_any_fault_stops_the_process_and_says_why(
    settings: LazySettings, db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.TMS_WEBHOOK_KEY = "short"
    with pytest.raises(checks.NotSafeToServe, match="TMS_WEBHOOK_KEY"):
        checks.refuse_unless_safe()
    said = capsys.readouterr().err
    assert "Refusing to serve" in said
    assert "short" not in said.replace("shorter", "")


def test_a_valkey_that_may_evict_is_named() -> None:
    client: Any = transports.redis_client()
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert checks.valkey_faults() == ["Valkey may evict keys (allkeys-lru)"]
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert checks.valkey_faults() == []


def test_a_valkey_that_is_away_is_no_reason_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live updates pause; nothing else depends on it."""
    away = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    monkeypatch.setattr(transports, "redis_client", lambda: away)
    assert checks.valkey_faults() == []


def test_the_owner_role_is_refused(django_db_setup: None, django_db_blocker: Any) -> None:
    """Served by the migrating role, every wall would be open: it says so itself."""
    from django.conf import settings as project
    from django.db import connection
    from psycopg.conninfo import conninfo_to_dict

    owner = conninfo_to_dict(project.TMS_OWNER_CONNINFO)
    with django_db_blocker.unblock():
        before = dict(connection.settings_dict)
        connection.close()
        connection.settings_dict.update(USER=owner["user"], PASSWORD=owner["password"])
        try:
            faults = checks.database_faults()
        finally:
            connection.close()
            connection.settings_dict.update(before)
    assert "the database role owns the tables" in faults
    assert runtime().role == "app"
