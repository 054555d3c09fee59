"""Nobody moves money around the services: the database refuses, each guard with its control."""

from typing import Any

import pytest
from django.db import connection
from django.db.utils import DatabaseError

from core.identity.models import User
from core.tenancy import Tenant
from tests.treasury.movement.conftest import House, approve, guard_replaced, propose, sql
from treasury import guards
from treasury.models import Proposal, ProposalState


def test_the_machine_in_python_is_the_machine_in_the_database() -> None:
    declared = {
        (transition.source, transition.target)
        for transition in Proposal().get_all_state_transitions()  # type: ignore[attr-defined]
    }
    assert declared == set(guards.EDGES)


NEW_TRANSFER = (
    "INSERT INTO treasury_transfer (id, tenant_id, proposal_id, end_to_end_id, uetr, attempt,"
    " bank_status, bank_status_rank, bank_reference, reason_code, created_at)"
    " VALUES (gen_random_uuid(), %(tenant)s, %(proposal)s, %(reference)s,"
    " '7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b', 0, '', 0, '', '', now())"
)
OUTBOUND = (
    "INSERT INTO integrations_message (id, tenant_id, direction, connection_id, kind, name, body,"
    " sha256, size_bytes, state, reason, created_at, seen_count, put_away, rail, reference,"
    " message_reference, attempt, attempts, enquiries, fence, due_at, routed_account,"
    " bank_receipt) SELECT gen_random_uuid(), tenant_id, 'OUT', id, 'pain.001', 'x', 'x',"
    " encode(sha256('x'), 'hex'), 1, 'QUEUED', '', now(), 1, '', 'BOOK', %(reference)s, 'x', 1, 0,"
    " 0, 0, now(), '', '{}' FROM integrations_bankconnection LIMIT 1"
)
COPY_PROPOSAL = (
    "INSERT INTO treasury_proposal SELECT (jsonb_populate_record(p, jsonb_build_object("
    "'id', gen_random_uuid(), 'reference', 'FMP-999999', 'state', '{state}'))).*"
    " FROM treasury_proposal p WHERE id = %(proposal)s"
)
LIE = (
    "CREATE OR REPLACE FUNCTION approvals_is_approved(text, uuid, integer, jsonb)"
    " RETURNS boolean LANGUAGE sql AS 'SELECT true'"
)
SET_TRANSFER = "UPDATE treasury_transfer SET {change} WHERE proposal_id = %(proposal)s"
SET = "UPDATE treasury_proposal SET {change} WHERE id = %(proposal)s"

ON_PENDING = [
    NEW_TRANSFER,
    OUTBOUND,
    *(
        COPY_PROPOSAL.format(state=state)
        for state in ("PENDING", "APPROVED", "EXECUTING", "SENT", "SETTLED")
    ),
    *(
        SET.format(change=f"state = '{state}'")
        for state in ("APPROVED", "EXECUTING", "SENT", "CONFIRMED", "SETTLED", "FAILED", "DRAFT")
    ),
    SET.format(change="amount = amount + 1"),
    SET.format(change="amount = 'NaN'"),
    SET.format(change="amount = 'Infinity', version = version + 1"),
    SET.format(change="amount = -1, version = version + 1"),
    SET.format(change="credit_account_id = debit_account_id, version = version + 1"),
    SET.format(change="credit_account_id = %(usd)s, version = version + 1"),
    SET.format(change="version = version + 2"),
    SET.format(change="maker_id = NULL"),
    SET.format(change="maker_id = NULL, version = version + 1"),
    SET.format(change="reference = 'FMP-777777'"),
    SET.format(change="value_date = value_date + 1"),
    SET.format(change="rail = 'FEDWIRE'"),
    SET.format(change="why = 'nothing'"),
    SET.format(change="cutoff_at = cutoff_at + interval '1 day'"),
    SET.format(change="currency = 'USD', version = version + 1"),
    "DELETE FROM treasury_proposal WHERE id = %(proposal)s",
    "TRUNCATE treasury_proposal CASCADE",
    "ALTER TABLE treasury_proposal DISABLE TRIGGER guard",
    "DROP TRIGGER guard ON treasury_proposal",
    "ALTER TABLE treasury_proposal DISABLE ROW LEVEL SECURITY",
    LIE,
    "SET LOCAL session_replication_role = replica",
]  # fmt: skip


def _facts(house: House, proposal: Proposal, tenant: Tenant) -> dict[str, Any]:
    return {
        "proposal": proposal.pk,
        "tenant": tenant.id,
        "reference": proposal.reference,
        "usd": house.usd.pk,
        "home": house.home.pk,
    }


@pytest.mark.parametrize("attack", ON_PENDING)
def test_a_pending_proposal_withstands(
    house: House, tenant: Tenant, maker: User, attack: str
) -> None:
    proposal = propose(house, maker)
    with pytest.raises(DatabaseError):
        sql(attack, **_facts(house, proposal, tenant))
    assert Proposal.objects.get(pk=proposal.pk).state == ProposalState.PENDING


ON_APPROVED = [
    SET.format(change="amount = amount + 1"),
    SET.format(change="amount = amount + 1, version = version + 1"),
    SET.format(change="credit_account_id = %(home)s, state = 'EXECUTING', amount = 1"),
    SET.format(change="state = 'PENDING'"),
    SET.format(change="state = 'SENT'"),
    SET.format(change="state = 'SETTLED'"),
    SET_TRANSFER.format(change="end_to_end_id = 'MINE'"),
    SET_TRANSFER.format(change="uetr = '7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5c'"),
    "DELETE FROM treasury_transfer WHERE proposal_id = %(proposal)s",
    NEW_TRANSFER,
    OUTBOUND,
]  # fmt: skip


@pytest.mark.parametrize("attack", ON_APPROVED)
def test_an_approved_proposal_withstands(
    house: House, tenant: Tenant, maker: User, checker: User, attack: str
) -> None:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    with pytest.raises(DatabaseError):
        sql(attack, **_facts(house, proposal, tenant))


def test_an_account_renumbered_after_approval_stops_the_payment(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    sql(
        "UPDATE treasury_bankaccount SET number_index = repeat('a', 64) WHERE id = %(home)s",
        home=house.home.pk,
    )
    with pytest.raises(DatabaseError, match="changed after it was submitted"):
        sql(SET.format(change="state = 'EXECUTING'"), proposal=proposal.pk)


def test_a_bank_status_never_falls_back(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    of_this = {"proposal": proposal.pk}
    sql(
        "UPDATE treasury_transfer SET bank_status_rank = 50 WHERE proposal_id = %(proposal)s",
        **of_this,
    )
    with pytest.raises(DatabaseError, match="never falls back"):
        sql(
            "UPDATE treasury_transfer SET bank_status_rank = 20 WHERE proposal_id = %(proposal)s",
            **of_this,
        )


@pytest.mark.parametrize(
    ("table", "trigger", "attack"),
    [
        ("treasury_proposal", "guard", SET.format(change="state = 'APPROVED'")),
        ("treasury_proposal", "guard", SET.format(change="amount = amount + 1")),
        ("treasury_proposal", "guard", COPY_PROPOSAL.format(state="APPROVED")),
        ("treasury_transfer", "guard", NEW_TRANSFER),
        ("integrations_message", "guard_payment", OUTBOUND),
    ],
)
def test_without_its_guard_the_same_statement_succeeds(
    house: House,
    tenant: Tenant,
    maker: User,
    attack: str,
    table: str,
    trigger: str,
) -> None:
    """The negative control: inside one transaction the owner's DDL takes the guard away."""
    proposal = propose(house, maker)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT current_user")
        app = cursor.fetchone()[0]
    assert app == "tms_app"
    with guard_replaced(table, trigger):
        assert sql(attack, **_facts(house, proposal, tenant)) == 1


def test_the_guard_functions_are_back(house: House, tenant: Tenant, maker: User) -> None:
    proposal = propose(house, maker)
    with pytest.raises(DatabaseError):
        sql(NEW_TRANSFER, **_facts(house, proposal, tenant))
