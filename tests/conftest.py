"""Fixtures for every room: a real PostgreSQL whose connection is the app role, walls included."""

import fcntl
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.management import call_command
from django.db import ProgrammingError, connection, connections
from psycopg.conninfo import make_conninfo
from pytest_django.plugin import blocking_manager_key

from core.identity.models import User
from core.identity.services import create_tenant, create_user
from core.tenancy import Tenant, bound
from tests import emptying, plans, template
from tests.scenes import STAGE, prepare, scene
from tms.run.config import APP_ROLE, runtime
from tms.run.roles import prepare_database
from treasury.services.sweeps import batching

# Argon2id is slow on purpose; here it is the same algorithm with little to chew on.
Argon2PasswordHasher.time_cost = 1
Argon2PasswordHasher.memory_cost = 1_024
Argon2PasswordHasher.parallelism = 1
plans.keep()

# A busy machine is no finding: examples are judged by what they show, not by their seconds.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

TEMPLATE = "tms_test_template"
PASSWORD = "correct horse battery staple"
LAST_OF_MODULE: pytest.StashKey[bool] = pytest.StashKey()


# A door that only test databases have: a proof without a code. Real ones take a code a time step.
STEP_UP_WITHOUT_A_CODE = """
CREATE SCHEMA door;
GRANT USAGE ON SCHEMA door TO tms_app;
CREATE FUNCTION door.step_up(p_user uuid, p_content_hash text) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)
    SELECT gen_random_uuid(), tenant_id, id, 'totp', p_content_hash, clock_timestamp(), '{}'
      FROM core_user
     WHERE id = p_user AND tenant_id = nullif(current_setting('app.tenant', true), '')::uuid
    RETURNING id
$$;
"""


def owner_conninfo(name: str) -> str:
    return make_conninfo(settings.TMS_OWNER_CONNINFO, dbname=name)


@contextmanager
def as_owner(name: str) -> Iterator[None]:
    """Point Django's connection at database `name` as the owner role, then back."""
    owner = runtime().owner
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(NAME=name, USER=owner.user, PASSWORD=owner.password)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def _make_template() -> None:
    with psycopg.connect(owner_conninfo(runtime().owner.name), autocommit=True) as server:
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE])
        if found.fetchone():
            return
        draft = f"{TEMPLATE}_draft"
        server.execute(f'DROP DATABASE IF EXISTS "{draft}"')
        server.execute(f'CREATE DATABASE "{draft}"')
        kept = template.load_kept(draft)
        prepare_database(owner_conninfo(draft))
        if not kept:
            with as_owner(draft):
                call_command("migrate", verbosity=0)
            template.keep(draft)
        server.execute(f'ALTER DATABASE "{draft}" RENAME TO "{TEMPLATE}"')


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any, worker_name: str) -> Iterator[None]:
    """Migrate one template as the owner, give each worker a copy, connect as the app role."""
    name = f"tms_test_{worker_name}"
    with django_db_blocker.unblock():
        with Path(settings.TMS_HOME, "template.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _make_template()
            with psycopg.connect(owner_conninfo(runtime().owner.name), autocommit=True) as server:
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
                # A copy does not take the rights along: give it those of a real database.
                server.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
                server.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {APP_ROLE}')
            with psycopg.connect(owner_conninfo(name), autocommit=True) as owner:
                owner.execute(STEP_UP_WITHOUT_A_CODE)
        connection.close()
        connection.settings_dict["NAME"] = name
        settings.DATABASES["default"]["NAME"] = name
        settings.TMS_OWNER_CONNINFO = owner_conninfo(name)
    yield
    with django_db_blocker.unblock():
        STAGE.strike()
        connections.close_all()


# What PostgreSQL says of a statement whose parameters it cannot make sense of.
MEANINGLESS = (
    psycopg.errors.IndeterminateDatatype,
    psycopg.errors.AmbiguousParameter,
    psycopg.errors.UndefinedFunction,
)


@pytest.fixture(autouse=True)
def refused_for_a_reason() -> Iterator[None]:
    """Let no attack count as refused whose statement merely was not understood."""

    def understood(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        try:
            return execute(sql, params, many, context)
        except ProgrammingError as error:
            if isinstance(error.__cause__, MEANINGLESS):
                raise TypeError(f"Cast its parameters: {error}") from error
            raise

    with connection.execute_wrapper(understood):
        yield


@pytest.fixture(scope="session")
def worker_name() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "solo")


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder; in the same place for every test, so that scenes may name it."""
    folder = tmp_path_factory.getbasetemp() / "here"
    folder.mkdir(mode=0o700)
    yield folder
    folder.rename(folder.with_name(f"was-here-{uuid4()}"))


@pytest.fixture
def owner_connection(django_db_setup: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the owner role to this worker's database: for negative controls."""
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        yield owner


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database whose commits are real; emptied by the owner afterwards."""
    STAGE.strike()
    with django_db_blocker.unblock():
        yield
        empty_database()


def empty_database() -> None:
    """Take everything committed away, also while a server still answers a page that was left."""
    STAGE.strike()
    connections.close_all()
    emptying.empty()


def pytest_collection_finish() -> None:
    """Never look again for garbage among what was imported and collected: it stays to the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function):
        with item.config.stash[blocking_manager_key].unblock():
            prepare(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    item.stash[LAST_OF_MODULE] = nextitem is None or nextitem.path != item.path


@pytest.fixture
def scenes_end(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """No scene outlives its module: what ends with a module may change tables or commit."""
    yield
    if request.node.stash[LAST_OF_MODULE]:
        with django_db_blocker.unblock():
            STAGE.strike()


@pytest.fixture
def scenes_are_set(request: pytest.FixtureRequest, django_db_blocker: Any) -> None:
    """From here on the test itself plays, on the scenes that it asked for."""
    with django_db_blocker.unblock():
        STAGE.set()
    batching._kept.clear()  # the process knows the tenant from the test before
    request.getfixturevalue("db")


@pytest.fixture
def anew() -> None:
    """Build the scenes of a test for it alone: something outside the database knows their ids."""


@scene
def tenant() -> Iterator[Tenant]:
    """A tenant, bound for the length of the test."""
    made = create_tenant(slug="north", name="North Remit")
    with bound(made.id, actor="system:test"):
        yield made


@scene
def other_tenant() -> Tenant:
    """Another tenant, not bound."""
    return create_tenant(slug="south", name="South Remit")


@pytest.fixture
def committed_tenant(committed_db: None) -> UUID:
    """A committed tenant's id, for tests with several connections; bind it yourself."""
    return create_tenant(slug="north", name="North Remit").id


def stepped_up(user: User, content_hash: str) -> UUID:
    """Return the proof that `user` just showed a second factor for `content_hash`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT door.step_up(%s, %s)", [user.pk, content_hash])
        row = cursor.fetchone()
    assert row is not None
    return UUID(str(row[0]))


MakeUser = Callable[..., User]


def make_user(name: str, *roles: str, password: str | None = None, **more: Any) -> User:
    """Create a user of the bound tenant. Argon2 is slow on purpose: no password unless asked."""
    return create_user(
        name=name,
        display_name=name.replace("-", " ").title(),
        roles=roles,
        password=password,
        person_number=more.pop("person_number", f"P-{name}"),
        **more,
    )


@scene
def user_with(tenant: Tenant) -> MakeUser:
    """Make users with roles, like `user_with("treasury_maker", name="maker")`."""

    def make(*roles: str, name: str = "", **more: Any) -> User:
        return make_user(name or "-".join(roles).replace("_", "-"), *roles, **more)

    return make


@scene
def maker(tenant: Tenant) -> User:
    return make_user("maker", "treasury_maker")


@scene
def checker(tenant: Tenant) -> User:
    return make_user("checker", "treasury_checker")


@scene
def checker2(tenant: Tenant) -> User:
    return make_user("checker2", "treasury_checker")
