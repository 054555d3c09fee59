"""The database's own catalogue, table by table: what the tenant wall consists of (P5)."""

from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import models

from core.checks import SHARED_TABLES

POLICY = "NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid"
# Walled without a tenant column: through the parent's row.
THROUGH_A_PARENT = {
    "core_user_groups": "core_user",
    "core_user_user_permissions": "core_user",
    "otp_totp_totpdevice": "core_user",
    "otp_static_staticdevice": "core_user",
    "otp_static_statictoken": "otp_static_staticdevice",
    "django_admin_log": "core_user",
}
# Walled like a tenant's table, and closed to the app role altogether.
OWNER_ONLY = {"core_authenticator", "core_passkey_challenge", "core_recovery_code"}
# Unique without the tenant, each with the reason why it tells nothing about another tenant.
UNIQUE_ALONE = {
    "core_user_username_key": "a sign-in name carries its tenant's slug after the @",
    "core_auditlink_entry_id_key": "entry numbers come from one sequence; the trigger writes them",
}
# Keys between tenant tables that no composite key guards.
KEY_ALONE: dict[str, str] = {}


def _rows(owner: psycopg.Connection[Any], sql: str) -> list[Any]:
    return owner.execute(sql).fetchall()


def tenant_models() -> list[type[models.Model]]:
    """Return every installed model with a tenant, history included."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if any(field.name == "tenant" for field in model._meta.local_fields)
    ]


TENANT_TABLES = sorted(model._meta.db_table for model in tenant_models())


def test_no_tenant_table_is_forgotten_by_this_catalogue(
    owner_connection: psycopg.Connection[Any],
) -> None:
    found = {
        name
        for (name,) in _rows(
            owner_connection, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
    }
    known = {*TENANT_TABLES, *THROUGH_A_PARENT, *SHARED_TABLES, *OWNER_ONLY, "core_tenant"}
    assert found - known == set()


def test_every_tenant_table_has_one_forced_policy_for_all_commands(
    owner_connection: psycopg.Connection[Any],
) -> None:
    """Only `core_user` has a second policy: the owner's, for finding where a name signs in."""
    for table in TENANT_TABLES:
        (flags,) = _rows(
            owner_connection,
            f"SELECT relrowsecurity, relforcerowsecurity FROM pg_class"
            f" WHERE oid = '{table}'::regclass",
        )
        assert flags == (True, True), table
        policies = _rows(
            owner_connection,
            "SELECT policyname, permissive, roles::text[], cmd, qual, with_check FROM pg_policies"
            f" WHERE tablename = '{table}' AND policyname <> 'owner_looks_up'",
        )
        ((name, permissive, roles, command, qual, check),) = policies
        assert (name, permissive, roles, command) == (
            "tenant_wall",
            "PERMISSIVE",
            ["public"],
            "ALL",
        ), table
        assert qual == check, table
        assert POLICY in qual, table
        assert qual.startswith("(tenant_id ="), table


def test_tables_of_the_owner_alone_are_walled_and_closed(
    owner_connection: psycopg.Connection[Any],
) -> None:
    for table in OWNER_ONLY:
        rights = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"
        (facts,) = _rows(
            owner_connection,
            "SELECT relrowsecurity, relforcerowsecurity,"
            f" has_table_privilege('tms_app', oid, '{rights}'),"
            f" has_any_column_privilege('tms_app', oid, 'SELECT, INSERT, UPDATE, REFERENCES')"
            f" FROM pg_class WHERE oid = '{table}'::regclass",
        )
        assert facts == (True, True, False, False), table


def test_the_owners_own_policy_is_for_the_owner_only(
    owner_connection: psycopg.Connection[Any],
) -> None:
    found = _rows(
        owner_connection,
        "SELECT tablename, roles::text[], cmd, current_user::text FROM pg_policies"
        " WHERE policyname <> 'tenant_wall' ORDER BY 1",
    )
    assert [(table, command) for table, _, command, _ in found] == [
        ("core_tenant", "SELECT"),
        ("core_user", "SELECT"),
    ]
    assert all(roles == [owner] and owner != "tms_app" for _, roles, _, owner in found)


@pytest.mark.parametrize(("table", "parent"), sorted(THROUGH_A_PARENT.items()))
def test_tables_without_a_tenant_are_walled_through_their_parent(
    owner_connection: psycopg.Connection[Any], table: str, parent: str
) -> None:
    ((qual, check),) = _rows(
        owner_connection, f"SELECT qual, with_check FROM pg_policies WHERE tablename = '{table}'"
    )
    assert qual == check
    assert f"FROM {parent}" in qual


_FOREIGN_KEYS = """
    SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,
           (SELECT array_agg(a.attname::text ORDER BY k.n)
              FROM unnest(c.conkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
           (SELECT array_agg(a.attname::text ORDER BY k.n)
              FROM unnest(c.confkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum)
      FROM pg_constraint c WHERE c.contype = 'f'
"""


def unguarded_keys(owner: psycopg.Connection[Any]) -> set[str]:
    """Return `table.column` of every key between tenant tables that no composite key holds."""
    plain, guarded = set(), set()
    for _, table, target, columns, targets in _rows(owner, _FOREIGN_KEYS):
        if table not in TENANT_TABLES or target not in TENANT_TABLES:
            continue
        if columns[0] == "tenant_id" and targets[:2] == ["tenant_id", "id"]:
            guarded.add(f"{table}.{columns[1]}")
            plain |= {f"{table}.{column}" for column in columns[2:]}
        else:
            plain |= {f"{table}.{column}" for column in columns}
    assert len(guarded) > 30
    return plain - guarded


def test_every_key_between_tenant_tables_holds_the_tenant_too(
    owner_connection: psycopg.Connection[Any],
) -> None:
    assert unguarded_keys(owner_connection) == set(KEY_ALONE)


def test_a_key_without_its_composite_partner_would_be_named(
    owner_connection: psycopg.Connection[Any],
) -> None:
    """The negative control of the test above, in a transaction that is rolled back."""
    with owner_connection.transaction(force_rollback=True):
        owner_connection.execute(
            "ALTER TABLE treasury_bankaccount"
            " DROP CONSTRAINT treasury_bankaccount_bank_id_same_tenant"
        )
        assert unguarded_keys(owner_connection) == {"treasury_bankaccount.bank_id"} | set(KEY_ALONE)


_UNIQUES = """
    SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text, i.indisprimary,
           (SELECT array_agg(a.attname::text) FROM pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND i.indisunique
"""


def test_every_unique_key_holds_the_tenant(owner_connection: psycopg.Connection[Any]) -> None:
    """Else a refused insert would tell one tenant what another one has.

    Primary keys are UUIDs or sequence numbers, and a key over one column that itself is a foreign
    key to a tenant's row (one-to-one) can only meet rows of the same tenant.
    """
    one_to_one = {
        f"{model._meta.db_table}.{field.column}"
        for model in tenant_models()
        for field in model._meta.local_fields
        if isinstance(field, models.OneToOneField) and field.db_constraint  # type: ignore[attr-defined]
    }
    alone = {
        name
        for name, table, is_primary, columns in _rows(owner_connection, _UNIQUES)
        if table in TENANT_TABLES
        and not is_primary
        and "tenant_id" not in columns
        and f"{table}.{columns[0]}" not in one_to_one
    }
    assert alone == set(UNIQUE_ALONE)


_PRIVILEGES = """
    SELECT c.relname, a.privilege_type FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace,
           aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
     WHERE n.nspname = 'public' AND r.rolname = 'tms_app' AND c.relkind IN ('r', 'p', 'v', 'm')
"""
APPEND_ONLY = {
    "core_auditentry": {"SELECT"},
    "core_auditpending": {"SELECT", "DELETE"},
    "core_auditlink": {"SELECT", "INSERT"},
    "core_policyversion": {"SELECT", "INSERT"},
    "treasury_transferstatus": {"SELECT", "INSERT"},
    "treasury_entryobservation": {"SELECT", "INSERT"},
    "treasury_entrypart": {"SELECT", "INSERT"},
    "treasury_uploadedproposal": {"SELECT", "INSERT"},
    "treasury_riskreading": {"SELECT", "INSERT"},
    "fx_rate": {"SELECT", "INSERT"},
    "fx_ratedelivery": {"SELECT", "INSERT"},
    "fx_dealconfirmation": {"SELECT", "INSERT"},
    "fx_exposurealarm": {"SELECT", "INSERT"},
    "fx_forwardpoint": {"SELECT", "INSERT"},
    "fx_interestrate": {"SELECT", "INSERT"},
    "fx_revaluationrun": {"SELECT", "INSERT"},
    "fx_dealvaluation": {"SELECT", "INSERT"},
    "fx_pnlentry": {"SELECT", "INSERT"},
    "fx_hedgeneed": {"SELECT", "INSERT"},
    "fx_forecastbasis": {"SELECT", "INSERT"},
    "fx_dealfile": {"SELECT", "INSERT"},
    "fx_dealfilerow": {"SELECT", "INSERT"},
    "fx_ndffixing": {"SELECT", "INSERT"},
    "risk_riskrun": {"SELECT", "INSERT"},
    "risk_accountrisk": {"SELECT", "INSERT"},
    "risk_backtest": {"SELECT", "INSERT"},
    "treasury_sweepdecision": {"SELECT", "INSERT"},
    "treasury_sweepuniverse": {"SELECT", "INSERT"},
    "treasury_poolrun": {"SELECT", "INSERT"},
    "treasury_poolmove": {"SELECT", "INSERT"},
    "treasury_poolpair": {"SELECT", "INSERT"},
    "treasury_intercompanyentry": {"SELECT", "INSERT"},
    "treasury_daymovement": {"SELECT"},
    "treasury_dailybalance": {"SELECT"},
    "treasury_newestbalance": {"SELECT"},
}
ALLOWED = {"SELECT", "INSERT", "UPDATE", "DELETE"}


def test_the_app_role_holds_data_privileges_and_nothing_more(
    owner_connection: psycopg.Connection[Any],
) -> None:
    held: dict[str, set[str]] = {}
    for table, privilege in _rows(owner_connection, _PRIVILEGES):
        held.setdefault(table, set()).add(privilege)
    assert {table: more for table, all_ in held.items() if (more := all_ - ALLOWED)} == {}
    assert {table: held[table] for table in APPEND_ONLY} == APPEND_ONLY


def test_public_holds_nothing(owner_connection: psycopg.Connection[Any]) -> None:
    open_to_all = _rows(
        owner_connection,
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
        " aclexplode(c.relacl) a WHERE n.nspname = 'public' AND a.grantee = 0",
    )
    assert open_to_all == []


def test_the_app_role_owns_nothing_and_may_not_become_anybody(
    owner_connection: psycopg.Connection[Any],
) -> None:
    for catalogue, owner in (
        ("pg_class", "relowner"),
        ("pg_proc", "proowner"),
        ("pg_type", "typowner"),
        ("pg_namespace", "nspowner"),
        ("pg_database", "datdba"),
    ):
        owned = _rows(
            owner_connection,
            f"SELECT o.oid FROM {catalogue} o JOIN pg_roles r ON r.oid = o.{owner}"
            " WHERE r.rolname = 'tms_app'",
        )
        assert owned == [], catalogue
    ((role,),) = _rows(
        owner_connection,
        "SELECT (rolsuper, rolinherit AND EXISTS (SELECT 1 FROM pg_auth_members m"
        " WHERE m.member = r.oid), rolcreaterole, rolcreatedb, rolreplication, rolbypassrls)::text"
        " FROM pg_roles r WHERE rolname = 'tms_app'",
    )
    assert role == "(f,f,f,f,f,f)"
    ((may_create,),) = _rows(
        owner_connection, "SELECT has_schema_privilege('tms_app', 'public', 'CREATE')"
    )
    assert may_create is False


def test_views_look_with_the_callers_eyes(owner_connection: psycopg.Connection[Any]) -> None:
    """There is none today; one that ran with its owner's eyes would be named here."""
    query = (
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND (c.relkind = 'm' OR (c.relkind = 'v'"
        " AND NOT coalesce(c.reloptions::text ~ 'security_invoker=(true|on|1)', false)))"
    )
    assert _rows(owner_connection, query) == []
    with owner_connection.transaction(force_rollback=True):
        owner_connection.execute("CREATE VIEW owners_eyes AS SELECT * FROM core_user")
        owner_connection.execute(
            "CREATE VIEW own_eyes WITH (security_invoker = true) AS SELECT * FROM core_user"
        )
        assert _rows(owner_connection, query) == [("owners_eyes",)]


# Functions that run with their owner's rights, each with what it may answer.
DEFINERS = {
    "core_audit_changes": "writes the trail that nobody else may write",
    "core_audit_inserts": "writes the trail that nobody else may write",
    "core_tenant_ids": "ids only, for batches that then bind each tenant",
    "core_find_login": "one name at a time, before a tenant is known",
    "core_duties_of_role": "refuses conflicting roles; answers nothing",
    "core_duties_of_person": "refuses conflicting roles; answers nothing",
    "core_review_guard": "refuses a review of oneself; answers nothing",
    "core_totp_exists": "whether a person of the bound tenant has an authenticator",
    "core_totp_enrol": "a new seed, only while no confirmed one is there",
    "core_totp_confirm": "whether a code fits the seed just given",
    "core_totp_prove": "a proof, only for a code that fits a seed nobody else reads",
    "core_totp_failed": "counts a wrong code; answers nothing",
    "core_totp_replace": "a new seed, only for the old code or a recovery code",
    "core_totp_replaced": "whether a code fits that new seed",
    "core_totp_reset": "takes second factors away, for an administrator's own proof",
    "core_passkey_begin": "a challenge, stored where nobody else reads it",
    "core_passkey_register": "a public key, only with a code proven for exactly it",
    "core_passkey_prove": "a proof with what was signed, for a live challenge",
    "core_recovery_renew": "new codes once, for a fresh proof",
    "core_recovery_left": "a number",
    "core_recovery_prove": "a proof that opens a session only, for an unused code",
    "core_step_up_counts": "yes or no about one proof of the bound tenant",
    "core_step_up_use": "marks one proof of the bound tenant as used",
    "treasury_move_days": "adds to the sums per day; only the trigger on entries may call it",
    "treasury_keep_days": "keeps the sums per day that nobody else may write",
    "treasury_rebuild_days": "adds the bound tenant's sums up anew; answers their number",
    "core_audit_refused": "codes and ids of the caller's own refused attempts, bounded per minute",
    "core_erase_person": "removes names of a person who left and has a pseudonym already",
}


def test_functions_with_the_owners_rights_are_few_and_hardened(
    owner_connection: psycopg.Connection[Any],
) -> None:
    found = _rows(
        owner_connection,
        "SELECT p.proname, p.proconfig FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'public' AND p.prosecdef",
    )
    assert {name for name, _ in found} == set(DEFINERS)
    for name, settings in found:
        paths = [one for one in settings or [] if one.startswith("search_path=")]
        assert paths == ["search_path=pg_catalog, public, pg_temp"], name
