"""Start-up self-check: refuse to serve when a wall is down."""

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import structlog
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from core.errors import DomainError

logger = structlog.get_logger(__name__)

SECRET_BYTES_MIN: Final = 32
DATABASE_SECONDS_MAX: Final = 60.0
DATABASE_PAUSE_SECONDS: Final = 0.1
DATABASE_SAID_SECONDS: Final = 10.0
# What a server says that will serve soon; any other word of its own is final.
_SOON: Final = ("starting up", "shutting down", "not yet accepting", "recovery mode")

# Tables without a tenant, each with the reason why nothing of a tenant can be read there.
SHARED_TABLES: Final = {
    "django_migrations": "names of migrations",
    "django_content_type": "names of models",
    "auth_permission": "names of permissions",
    "auth_group": "names of roles",
    "auth_group_permissions": "which role may do what",
    "django_session": "opaque session keys; the content is signed",
    "axes_accessattempt": "failed sign-ins, before any tenant is known; no admin page",
    "axes_accessattemptexpiration": "failed sign-ins, before any tenant is known; no admin page",
    "axes_accessfailurelog": "failed sign-ins, before any tenant is known; no admin page",
    "axes_accesslog": "sign-ins, before any tenant is known; no admin page",
    "spatial_ref_sys": "not ours",
}

_OPEN_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
       AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid))
     ORDER BY 1
"""
_ROLE = """
    SELECT r.rolsuper OR r.rolbypassrls, pg_has_role(c.relowner, 'MEMBER')
      FROM pg_roles r, pg_class c
     WHERE r.rolname = current_user AND c.oid = to_regclass('public.core_tenant')
"""
_SLEEPING_TRIGGERS = """
    SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'O' ORDER BY 1
"""
_GUARDS = """
    SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE NOT t.tgisinternal ORDER BY 1
"""

# Guard triggers that must exist; rooms add theirs in their apps' ready().
required_triggers: set[str] = {
    "core_auditentry.append_only",
    "core_auditlink.append_only",
    "core_auditlink.entry_of_own_tenant",
    "core_policyversion.append_only",
    "core_accessreviewitem.review_guard",
    "core_passkey.passkey_guard",
    "core_stepup.stepup_guard",
    "core_user.duties",
    "core_user_groups.duties",
}


class NotSafeToServe(DomainError):
    """A wall is down; the process must not serve."""

    code = "not_safe_to_serve"


def database_faults() -> list[str]:
    """Return what is wrong with the walls in the database, in words; empty when all stand."""
    faults = []
    with connection.cursor() as cursor:
        cursor.execute(_ROLE)
        row = cursor.fetchone()
        if row is None:
            return ["the database has no tables: run migrations first"]
        if row[0]:
            faults.append("the database role may bypass row-level security")
        if row[1]:
            faults.append("the database role owns the tables")
        cursor.execute(_OPEN_TABLES)
        faults += [
            f"table {name} has no forced row-level security"
            for (name,) in cursor.fetchall()
            if name not in SHARED_TABLES
        ]
        cursor.execute(_SLEEPING_TRIGGERS)
        faults += [f"trigger {name} is disabled" for (name,) in cursor.fetchall()]
        cursor.execute(_GUARDS)
        present = {name for (name,) in cursor.fetchall()}
        faults += [f"trigger {name} is missing" for name in sorted(required_triggers - present)]
    return faults


def settings_faults() -> list[str]:
    """Return what is wrong with secrets and switches."""
    from core.events.transports import transport_faults

    names = ("SECRET_KEY", "TMS_INDEX_KEY", "TMS_AUDIT_ANCHOR_KEY", "TMS_WEBHOOK_KEY")
    secrets = {name: str(getattr(settings, name)) for name in names}
    secrets["the JWT key"] = str(settings.SIMPLE_JWT["SIGNING_KEY"])
    faults = [
        f"{name} is shorter than {SECRET_BYTES_MIN} bytes"
        for name, secret in secrets.items()
        if len(secret.encode()) < SECRET_BYTES_MIN
    ]
    if settings.DEBUG and settings.TMS_MODE != "local":
        faults.append("DEBUG is on outside local mode")
    return faults + transport_faults()


def valkey_faults() -> list[str]:
    """Return a fault when Valkey may drop keys under pressure; unreachable is not a fault here."""
    from redis.exceptions import RedisError

    from core.events.transports import redis_client

    try:
        policy = redis_client().config_get("maxmemory-policy").get("maxmemory-policy")
    except RedisError:
        return []
    return [] if policy == "noeviction" else [f"Valkey may evict keys ({policy})"]


def await_database(*, seconds_max: float = DATABASE_SECONDS_MAX) -> None:
    """Wait until the database takes connections: who starts while it restarts need not die of it.

    Asks with connections of its own, for a pool waits twice as long after each failure.

    Raises:
        psycopg.OperationalError: it is still away, or it refuses us for good.
    """
    deadline = time.monotonic() + seconds_max
    told = 0.0
    while True:
        try:
            psycopg.connect(**connection.get_connection_params()).close()
        except psycopg.OperationalError as error:
            words = str(error)
            is_final = "FATAL" in words and not any(word in words for word in _SOON)
            now = time.monotonic()
            if is_final or now > deadline:
                raise
            if not told or now - told > DATABASE_SAID_SECONDS:
                told = now
                logger.warning("database_awaited", why=words.partition("\n")[0])
        else:
            return
        threading.Event().wait(DATABASE_PAUSE_SECONDS)


def refuse_unless_safe() -> None:
    """Stop the process with the reasons when a wall is down; wait for a database that is away.

    Raises:
        NotSafeToServe: at least one fault; the message lists them all.
    """
    await_database()
    faults = settings_faults() + database_faults() + valkey_faults()
    if faults:
        for fault in faults:
            logger.critical("not_safe_to_serve", fault=fault)
        sys.stderr.write("Refusing to serve:\n  - " + "\n  - ".join(faults) + "\n")
        raise NotSafeToServe("; ".join(faults))


@register(Tags.security)
def secrets_are_long_enough(
    app_configs: Sequence[Any] | None,  # noqa: ARG001 - Django's signature
    **_kwargs: Any,
) -> list[CheckMessage]:
    """Report weak settings to `manage.py check`."""
    return [Error(fault, id="tms.E001") for fault in settings_faults()]
