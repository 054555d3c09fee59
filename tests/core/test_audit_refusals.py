"""A refused attempt leaves a trace too, although everything it did was rolled back."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from core.audit import acting, refusals
from core.audit.models import AuditEntry
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.conftest import MakeUser, make_user
from tests.tms.desk.conftest import client_of

SAYING = "SELECT set_config, core_audit_refused('POST', 'x', '', 'code', 403, '', 60)"


def refused() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action="REFUSED").order_by("id"))


@pytest.fixture
def client(maker: User) -> Client:
    return client_of(maker)


def test_a_forbidden_page_is_recorded_with_actor_code_and_request(
    client: Client, maker: User
) -> None:
    answer = client.get("/audit", headers={"X-Request-ID": "0123456789abcdef"})
    assert answer.status_code == 403
    (entry,) = refused()
    assert (entry.actor, entry.request) == (str(maker.pk), "0123456789abcdef")
    assert entry.after == {"method": "GET", "path": "audit", "code": "forbidden", "status": 403}
    assert entry.before is None


def test_a_refused_write_names_the_object_and_carries_no_body(client: Client) -> None:
    thing = uuid4()
    answer = client.post(
        f"/api/v1/proposals/{thing}/withdraw",
        {"reason": "canary-in-the-body"},
        content_type="application/json",
        headers={"Idempotency-Key": "refused-1"},
    )
    assert answer.status_code == 404
    (entry,) = refused()
    assert entry.row_id == str(thing)
    assert entry.after is not None
    assert entry.after["path"] == "api/v1/proposals/<uuid:proposal_id>/withdraw"
    assert entry.after["code"] == answer.json()["code"]
    assert "canary" not in str(entry.after)


def test_looking_for_somebody_elses_object_is_recorded(
    client: Client, other_tenant: Tenant
) -> None:
    with bound(other_tenant.id, actor="system:test"):
        theirs = make_user("stranger", "treasury_maker")
    assert client.get(f"/api/v1/proposals/{theirs.pk}").status_code == 404
    assert [entry.row_id for entry in refused()] == [str(theirs.pk)]


def test_a_mistyped_address_and_an_anonymous_visitor_are_not(committed_tenant: UUID) -> None:
    with bound(committed_tenant, actor="system:test"):
        maker = make_user("maker", "treasury_maker")
    assert client_of(maker).get("/nothing-here").status_code == 404
    assert Client().post("/api/v1/proposals", {}).status_code in (401, 403)
    with bound(committed_tenant):
        assert refused() == []


def test_the_refusal_survives_the_rollback_of_what_was_refused(committed_tenant: UUID) -> None:
    with bound(committed_tenant, actor="system:test"):
        maker = make_user("maker", "treasury_maker")
    assert client_of(maker).post("/audit/check").status_code == 403
    with bound(committed_tenant):
        assert [entry.actor for entry in refused()] == [str(maker.pk)]


def test_nobody_fills_the_trail_by_being_refused(tenant: Tenant, maker: User) -> None:
    attempt = refusals.Attempt(method="POST", path="x", code="forbidden", status=403)
    written = [
        refusals.record(tenant=tenant.id, actor=maker.pk, attempt=attempt)
        for _ in range(refusals.PER_ACTOR_AND_MINUTE_MAX + 5)
    ]
    assert written.count(True) == refusals.PER_ACTOR_AND_MINUTE_MAX + 1
    last = refused()[-1].after
    assert last is not None
    assert last["code"] == "more_refused_and_not_recorded"


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT core_audit_refused('POST', 'x', '', 'Some words of a body', 403, '', 60)",
        "SELECT core_audit_refused('POST', repeat('x', 201), '', 'code', 403, '', 60)",
        "SELECT core_audit_refused('POST', 'x', repeat('x', 65), 'code', 403, '', 60)",
        "SELECT core_audit_refused('post it', 'x', '', 'code', 403, '', 60)",
        f"WITH nobody AS (SELECT set_config('app.actor', '', true)) {SAYING} FROM nobody",
        f"WITH nowhere AS (SELECT set_config('app.tenant', '', true)) {SAYING} FROM nowhere",
    ],
)
def test_the_app_role_cannot_write_stories_into_the_trail(tenant: Tenant, attack: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


def test_the_function_is_not_for_everybody(
    tenant: Tenant, owner_connection: psycopg.Connection[Any]
) -> None:
    row = owner_connection.execute(
        "SELECT count(*) FROM information_schema.routine_privileges"
        " WHERE routine_name = 'core_audit_refused' AND grantee = 'PUBLIC'"
    ).fetchone()
    assert row == (0,)


def test_an_entry_says_for_whom_somebody_acted(
    tenant: Tenant, maker: User, user_with: MakeUser
) -> None:
    absent = user_with("treasury_manager", name="absent")
    with acting.on_behalf_of(absent.pk):
        User.objects.filter(pk=maker.pk).update(is_staff=False)
    User.objects.filter(pk=maker.pk).update(is_staff=True)
    trail = AuditEntry.objects.filter(row_id=str(maker.pk), action="UPDATE").order_by("id")
    assert [entry.on_behalf_of for entry in trail] == [str(absent.pk), None]
