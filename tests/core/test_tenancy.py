"""One tenant never sees, changes or refers to another's rows, whatever the query says."""

from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core import checks, policies
from core.identity.models import User
from core.policies.models import PolicyVersion
from core.tenancy import (
    Tenant,
    bound,
    current_scope,
    once_per_transaction,
    read_anew,
    tenant_ids,
)
from tests.conftest import make_user
from tests.core.audited import KNOB


def test_without_a_tenant_nothing_is_seen(tenant: Tenant, maker: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant', '', true)")
        cursor.execute("SELECT count(*) FROM core_user")
        assert cursor.fetchone() == (0,)


def test_an_unfiltered_query_sees_its_own_tenant_only(
    tenant: Tenant, other_tenant: Tenant, maker: User
) -> None:
    with bound(other_tenant.id):
        assert list(User.objects.all()) == []
    assert list(User.objects.all()) == [maker]


def test_binding_inside_a_binding_restores_the_outer_one(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    with bound(tenant.id, actor="system:outer"):
        with bound(other_tenant.id, actor="system:inner"):
            assert list(Tenant.objects.all()) == [other_tenant]
        assert list(Tenant.objects.all()) == [tenant]
        scope = current_scope()
        assert scope is not None
        assert scope.actor == "system:outer"


def test_a_failed_inner_binding_restores_the_outer_one(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    def fail_inside() -> None:
        with bound(other_tenant.id):
            raise LookupError

    with pytest.raises(LookupError):
        fail_inside()
    assert list(Tenant.objects.all()) == [tenant]


def test_a_row_of_another_tenant_cannot_be_written(
    tenant: Tenant, other_tenant: Tenant, maker: User
) -> None:
    maker.tenant = other_tenant
    with pytest.raises(psycopg.errors.InsufficientPrivilege), transaction.atomic():
        _raw("UPDATE core_user SET tenant_id = %s WHERE id = %s", other_tenant.id, maker.id)


def test_a_key_to_another_tenants_row_is_refused(tenant: Tenant, other_tenant: Tenant) -> None:
    with bound(other_tenant.id):
        stranger = make_user("stranger", "treasury_maker")
    with transaction.atomic():
        PolicyVersion.objects.create(
            key="X",
            version=1,
            value=1,
            reason="x",
            changed_by=stranger,
            changed_at="2026-01-01T00:00Z",
        )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            _raw("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def test_every_table_is_walled_or_listed_with_a_reason(tenant: Tenant) -> None:
    assert checks.database_faults() == []


@pytest.mark.parametrize(
    ("sabotage", "repair", "fault"),
    [
        (
            "ALTER TABLE core_user NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE core_user FORCE ROW LEVEL SECURITY",
            "core_user has no forced",
        ),
        (
            "ALTER TABLE core_tenant DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE core_tenant ENABLE ROW LEVEL SECURITY",
            "core_tenant has no forced",
        ),
        (
            "ALTER TABLE core_auditentry DISABLE TRIGGER append_only",
            "ALTER TABLE core_auditentry ENABLE TRIGGER append_only",
            "is disabled",
        ),
        (
            "DROP TRIGGER append_only ON core_policyversion",
            (
                "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON core_policyversion"
                " FOR EACH ROW EXECUTE FUNCTION core_refuse_change()"
            ),
            "is missing",
        ),
    ],
)
def test_the_self_check_names_a_wall_that_is_down(
    owner_connection: psycopg.Connection[Any],
    committed_db: None,
    sabotage: str,
    repair: str,
    fault: str,
) -> None:
    owner_connection.execute(sabotage)
    try:
        assert any(fault in found for found in checks.database_faults())
    finally:
        owner_connection.execute(repair)
    assert checks.database_faults() == []


def test_all_tenants_are_listed_for_batches(tenant: Tenant, other_tenant: Tenant) -> None:
    assert set(tenant_ids()) >= {tenant.id, other_tenant.id}


def _raw(sql: str, *values: object) -> None:
    """Run SQL on Django's connection below Django, so that PostgreSQL's own errors show."""
    connection.ensure_connection()
    connection.connection.execute(sql, values)


def test_policies_are_read_once_a_transaction_and_a_change_counts_at_once(
    tenant: Tenant, maker: User
) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert [policies.get(KNOB), policies.get(KNOB)] == [1, 1]
    assert sum("core_policyversion" in query["sql"] for query in asked) == 1
    policies.change(policy=KNOB, value=4, actor=maker, reason="It shall be four.")
    assert policies.get(KNOB) == 4


def test_a_change_that_is_taken_back_is_not_remembered(tenant: Tenant, maker: User) -> None:
    assert policies.get(KNOB) == 1
    with transaction.atomic():
        policies.change(policy=KNOB, value=4, actor=maker, reason="It shall be four.")
        assert policies.get(KNOB) == 4
        transaction.set_rollback(True)
    assert policies.get(KNOB) == 1


def test_what_one_tenant_read_is_not_another_ones(
    tenant: Tenant, other_tenant: Tenant, maker: User
) -> None:
    policies.change(policy=KNOB, value=4, actor=maker, reason="It shall be four.")
    with bound(other_tenant.id):
        assert policies.get(KNOB) == 1
    assert policies.get(KNOB) == 4


def test_a_role_that_is_given_or_taken_counts_at_once(tenant: Tenant, maker: User) -> None:
    analysts = Group.objects.get(name="recon_analyst")
    assert not maker.has_role(analysts.name)
    maker.groups.add(analysts)
    assert maker.has_role(analysts.name)
    maker.groups.remove(analysts)
    assert not maker.has_role(analysts.name)


def test_what_is_read_once_stays_until_it_is_written(tenant: Tenant) -> None:
    with bound(tenant.id):
        assert once_per_transaction("of this test", lambda: 1) == 1
        assert once_per_transaction("of this test", lambda: 2) == 1
        read_anew("of this test")
        assert once_per_transaction("of this test", lambda: 2) == 2
        assert once_per_transaction("of this test", lambda: 3) == 3
