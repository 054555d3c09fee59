"""The two database roles: one owns and migrates, the other serves and may bypass nothing."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tms.run.addresses import DatabaseAddress
from tms.run.config import APP_ROLE, DATABASE_NAME, OWNER_ROLE, Secrets
from tms.run.errors import RolesError

ROLES_LOCK = 7_411_206  # an advisory lock number of our own
CONNECT_SECONDS_MAX = 10
VERSION_MIN = 150_000
EXTENSIONS = ("btree_gist",)  # uuid = and range && in one exclusion constraint

APP_LIMITS: Mapping[str, str] = {
    "lock_timeout": "3s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
}
OWNER_LIMITS: Mapping[str, str] = {
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10min",
}

SELF_HELP = """\
The user of TMS_DATABASE_URL cannot prepare the database. Either give it the CREATEROLE and
CREATEDB rights and the ownership of the database, or let an administrator run, with passwords
of your own:
  CREATE ROLE tms_owner LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS PASSWORD '...';
  CREATE ROLE tms_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '...';
  ALTER DATABASE <name> OWNER TO tms_owner;
and set TMS_DB_OWNER_PASSWORD and TMS_DB_APP_PASSWORD to them."""


def ensure_roles(admin_conninfo: str, secrets: Secrets, database: str = DATABASE_NAME) -> None:
    """Make roles, database, extensions and default rights where they are missing.

    Raises:
        RolesError: the administrator lacks the rights, or a role has too many.
    """
    passwords = {OWNER_ROLE: secrets.db_owner_password, APP_ROLE: secrets.db_app_password}
    try:
        with _connect(admin_conninfo) as connection:
            if connection.info.server_version < VERSION_MIN:
                raise RolesError("PostgreSQL 15 or later is needed.")
            connection.execute("SELECT pg_advisory_lock(%s)", [ROLES_LOCK])
            for role, password in passwords.items():
                _ensure_role(connection, role=role, password=password, database=database)
            _ensure_database(connection, database)
            owner = _swap(
                admin_conninfo,
                user=OWNER_ROLE,
                password=secrets.db_owner_password,
                dbname=database,
            )
            prepare_database(owner)
            _limit_role(owner, OWNER_LIMITS)
            app = _swap(
                admin_conninfo, user=APP_ROLE, password=secrets.db_app_password, dbname=database
            )
            _limit_role(app, APP_LIMITS)
    except psycopg.errors.InsufficientPrivilege as problem:
        raise RolesError(f"{problem}\n{SELF_HELP}") from problem


def prepare_database(owner_conninfo: str) -> None:
    """Give one database its extensions, and tms_app its rights to tms_owner's tables there."""
    with _connect(owner_conninfo) as connection:
        _prepare(connection)
        name = sql.Identifier(connection.info.dbname)
        if not _has_connect_grant(connection):
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
            connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(APP_ROLE))
            )


def prepare_template(admin: DatabaseAddress) -> None:
    """Give the same to every database made later on this server (test databases)."""
    template = admin.as_role(user=admin.user, password=admin.password, name="template1")
    with _connect(template.conninfo) as connection:
        _prepare(connection)


def _prepare(connection: psycopg.Connection) -> None:
    app, owner = sql.Identifier(APP_ROLE), sql.Identifier(OWNER_ROLE)
    known = {name for (name,) in connection.execute("SELECT extname FROM pg_extension").fetchall()}
    for extension in EXTENSIONS:
        if extension not in known:
            connection.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
    defaults = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT {} TO {}")
    for statement in (
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(app),
        defaults.format(owner, sql.SQL("SELECT, INSERT, UPDATE, DELETE ON TABLES"), app),
        defaults.format(owner, sql.SQL("USAGE, SELECT ON SEQUENCES"), app),
    ):
        connection.execute(statement)


def _ensure_role(
    connection: psycopg.Connection, *, role: str, password: str, database: str
) -> None:
    found = connection.execute(
        "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", [role]
    ).fetchone()
    if found is None:
        extra = "CREATEDB" if role == OWNER_ROLE else "NOCREATEDB"
        connection.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE {} PASSWORD {}"
            ).format(sql.Identifier(role), sql.SQL(extra), _verifier(connection, role, password))
        )
        return
    if any(found):
        raise RolesError(
            f"The role {role} is a superuser or bypasses row-level security: take that away."
        )
    if not _can_log_in(connection, role=role, password=password, database=database):
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(role), _verifier(connection, role, password)
            )
        )


def _verifier(connection: psycopg.Connection, role: str, password: str) -> sql.Literal:
    """The SCRAM verifier, so that the password itself never travels in a statement."""
    made = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return sql.Literal(made.decode())


def _can_log_in(connection: psycopg.Connection, *, role: str, password: str, database: str) -> bool:
    existing = "SELECT 1 FROM pg_database WHERE datname = %s"
    name = (
        database if connection.execute(existing, [database]).fetchone() else connection.info.dbname
    )
    try:
        with _connect(_swap(connection.info.dsn, user=role, password=password, dbname=name)):
            return True
    except psycopg.OperationalError:
        return False


def _ensure_database(connection: psycopg.Connection, database: str) -> None:
    name, owner = sql.Identifier(database), sql.Identifier(OWNER_ROLE)
    found = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [database]
    ).fetchone()
    if found == (OWNER_ROLE,):
        return
    superuser = connection.info.parameter_status("is_superuser") == "on"
    if not superuser:  # only a member may hand something over to a role
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
    if found is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    else:
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))


def _has_connect_grant(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_database d, aclexplode(d.datacl) a"
        " WHERE d.datname = current_database() AND a.grantee = %s::regrole"
        " AND a.privilege_type = 'CONNECT')",
        [APP_ROLE],
    ).fetchone()
    return row == (True,)


def _limit_role(conninfo: str, limits: Mapping[str, str]) -> None:
    """Each role may set its own limits, so this needs no administrator."""
    with _connect(conninfo) as connection:
        for name, value in limits.items():
            if connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,):
                continue
            connection.execute(
                sql.SQL("ALTER ROLE CURRENT_USER SET {} = {}").format(
                    sql.Identifier(name), sql.Literal(value)
                )
            )


def _connect(conninfo: str) -> psycopg.Connection:
    return psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS_MAX)


def _swap(conninfo: str, **changes: str) -> str:
    return make_conninfo(conninfo, **changes)
