"""The two roles, on a real server: what they may do and what is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tms.run.addresses import DatabaseAddress
from tms.run.config import APP_ROLE, OWNER_ROLE, Secrets
from tms.run.errors import RolesError
from tms.run.roles import ensure_roles
from tms.run.servers import Postgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("roles")
    home = folder / "home"
    while folder.stat().st_uid == os.geteuid() and folder != Path("/"):
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    server = Postgres(home, secrets=Secrets.load(home, {}), fast=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def admin(server: Postgres) -> Iterator[DatabaseAddress]:
    """A server without our roles; what a test made of them is taken away afterwards."""
    yield server.address
    with psycopg.connect(server.address.conninfo, autocommit=True) as connection:
        for database in ("tms", "theirs"):
            connection.execute(f"DROP DATABASE IF EXISTS {database}")
        for role in (APP_ROLE, OWNER_ROLE, "guest"):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(f"DROP OWNED BY {role}")
                connection.execute(f"DROP ROLE {role}")


def as_role(admin: DatabaseAddress, secrets: Secrets, role: str, name: str = "tms") -> str:
    password = secrets.db_owner_password if role == OWNER_ROLE else secrets.db_app_password
    return admin.as_role(user=role, password=password, name=name).conninfo


def test_the_app_reads_and_writes_what_the_owner_made_and_owns_nothing(
    admin: DatabaseAddress, server: Postgres
) -> None:
    ensure_roles(admin.conninfo, server.secrets)
    with psycopg.connect(as_role(admin, server.secrets, OWNER_ROLE)) as owner:
        owner.execute("CREATE TABLE money (id serial, n int)")

    with psycopg.connect(as_role(admin, server.secrets, APP_ROLE), autocommit=True) as app:
        app.execute("INSERT INTO money (n) VALUES (1)")
        app.execute("UPDATE money SET n = 2")
        app.execute("DELETE FROM money")
        for forbidden in (
            "CREATE TABLE mine (n int)",
            "TRUNCATE money",
            "ALTER TABLE money ADD m int",
            "DROP TABLE money",
            "SET ROLE tms_owner",
            "CREATE TEMPORARY TABLE scratch (n int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)


def test_neither_role_may_bypass_row_level_security(
    admin: DatabaseAddress, server: Postgres
) -> None:
    ensure_roles(admin.conninfo, server.secrets)

    with psycopg.connect(admin.conninfo) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles"
            " WHERE rolname LIKE 'tms_%' ORDER BY rolname"
        ).fetchall()
    assert rows == [
        ("tms_app", False, False, False, False),
        ("tms_owner", False, False, True, False),
    ]


def test_a_second_run_changes_nothing(admin: DatabaseAddress, server: Postgres) -> None:
    state = (
        "SELECT array_agg(a::text ORDER BY a::text) FROM"
        " (SELECT rolname || coalesce(rolpassword, '') AS a FROM pg_authid"
        "  UNION ALL SELECT setconfig::text FROM pg_db_role_setting"
        "  UNION ALL SELECT defaclacl::text FROM pg_default_acl"
        "  UNION ALL SELECT datname || datacl::text FROM pg_database WHERE datname = 'tms') x"
    )
    ensure_roles(admin.conninfo, server.secrets)
    with psycopg.connect(admin.conninfo) as connection:
        before = connection.execute(state).fetchone()
    ensure_roles(admin.conninfo, server.secrets)
    with psycopg.connect(admin.conninfo) as connection:
        assert connection.execute(state).fetchone() == before


def test_the_app_waits_for_nothing_long(admin: DatabaseAddress, server: Postgres) -> None:
    ensure_roles(admin.conninfo, server.secrets)

    with psycopg.connect(as_role(admin, server.secrets, APP_ROLE)) as app:
        shown = [
            app.execute(f"SHOW {name}").fetchone()
            for name in (
                "lock_timeout",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
            )
        ]
    assert shown == [("3s",), ("30s",), ("30s",)]


def test_an_administrator_who_is_no_superuser_can_prepare_their_own_database(
    admin: DatabaseAddress, server: Postgres
) -> None:
    with psycopg.connect(admin.conninfo, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN CREATEROLE CREATEDB PASSWORD 'guest'")
        connection.execute("CREATE DATABASE theirs OWNER guest")
    guest = admin.as_role(user="guest", password="guest", name="theirs")

    ensure_roles(guest.conninfo, server.secrets, database="theirs")
    ensure_roles(guest.conninfo, server.secrets, database="theirs")

    with psycopg.connect(as_role(admin, server.secrets, OWNER_ROLE, "theirs")) as owner:
        owner.execute("CREATE TABLE money (n int)")
        assert owner.execute("SELECT 1 FROM pg_extension WHERE extname = 'btree_gist'").fetchone()
    with psycopg.connect(as_role(admin, server.secrets, APP_ROLE, "theirs")) as app:
        app.execute("INSERT INTO money VALUES (1)")


def test_an_administrator_without_rights_is_told_what_to_do(
    admin: DatabaseAddress, server: Postgres
) -> None:
    with psycopg.connect(admin.conninfo, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        connection.execute("CREATE DATABASE theirs OWNER guest")
    guest = admin.as_role(user="guest", password="guest", name="theirs")

    with pytest.raises(RolesError, match="CREATE ROLE tms_owner LOGIN"):
        ensure_roles(guest.conninfo, server.secrets, database="theirs")


def test_roles_made_by_hand_are_enough_for_an_administrator_without_rights(
    admin: DatabaseAddress, server: Postgres
) -> None:
    secrets = server.secrets
    with psycopg.connect(admin.conninfo, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        connection.execute(
            f"CREATE ROLE tms_owner LOGIN CREATEDB PASSWORD '{secrets.db_owner_password}'"
        )
        connection.execute(f"CREATE ROLE tms_app LOGIN PASSWORD '{secrets.db_app_password}'")
        connection.execute("CREATE DATABASE theirs OWNER tms_owner")
    guest = admin.as_role(user="guest", password="guest", name="theirs")

    ensure_roles(guest.conninfo, secrets, database="theirs")

    with psycopg.connect(as_role(admin, secrets, APP_ROLE, "theirs")) as app:
        assert app.execute("SHOW lock_timeout").fetchone() == ("3s",)


@pytest.mark.parametrize("right", ["SUPERUSER", "BYPASSRLS"])
def test_a_role_with_too_many_rights_is_refused(
    admin: DatabaseAddress, server: Postgres, right: str
) -> None:
    with psycopg.connect(admin.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE tms_app LOGIN {right}")

    with pytest.raises(RolesError, match="tms_app is a superuser or bypasses"):
        ensure_roles(admin.conninfo, server.secrets)


def test_a_changed_password_is_set_again(admin: DatabaseAddress, server: Postgres) -> None:
    ensure_roles(admin.conninfo, server.secrets)
    rotated = Secrets.load(server.home, {"TMS_DB_APP_PASSWORD": "another password"})

    ensure_roles(admin.conninfo, rotated)

    with psycopg.connect(as_role(admin, rotated, APP_ROLE)) as app:
        assert app.execute("SELECT current_user").fetchone() == (APP_ROLE,)
