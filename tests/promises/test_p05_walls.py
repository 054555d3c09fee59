"""With every filter of the code gone, the database alone keeps the tenants apart (P5)."""

from typing import Any

import psycopg
import pytest
from django.db import connection, models, transaction

from core.tenancy import bound
from tests.promises.conftest import World
from tests.promises.test_p05_catalogue import tenant_models

# Tables in which the world of these tests has no row, each with the reason.
EMPTY = {
    "approvals_decisionlist": "takes several approvals; tests/approvals/test_listing.py",
    "approvals_breakglassreview": "takes two passkeys; tests/approvals/test_authority_page.py",
    "core_changedraft": "never outlives its transaction: core_changedraft.never_lasts",
    "core_passkey": "made by browsers; tests/core/test_step_up.py, tests/browser/test_passkeys.py",
    "core_auditpending": "emptied by the sealer within seconds",
    "core_auditverification": "born when somebody asks; tests/core/test_audit_verification.py",
    "core_idempotencykey": "written by requests; tests/promises/test_idempotency.py",
    "calendars_historicalrailwindow": "windows are superseded, not edited",
    "integrations_linestate": "born with the first call of a line",
    "integrations_linesample": "born with the first call of a line",
    "integrations_linenote": "born with the first trouble of a line",
    "fx_exposurealarm": "born with a breach; tests/fx/test_exposure.py",
    "fx_ratealarm": "born when a rate is stale; tests/fx/test_rates.py",
    "fx_forwardpoint": "brought in by hand or push; tests/fx/test_curves.py",
    "fx_interestrate": "brought in by hand or push; tests/fx/test_curves.py",
    "fx_revaluationrun": "made each afternoon; tests/fx/test_valuation.py",
    "fx_dealvaluation": "takes a dealt deal; tests/fx/test_valuation.py",
    "fx_pnlentry": "takes a dealt deal; tests/fx/test_valuation.py",
    "treasury_entrypart": "of batches; tests/treasury/movement/test_batch_bookings.py",
    "fx_dealleg": "born when a deal is dealt; tests/fx/test_settlement.py",
    "fx_settlementalarm": "born with one leg only; tests/fx/test_settlement.py",
    "fx_nettingagreement": "signed by two people; tests/fx/test_netting.py",
    "fx_settlementnet": "born on the day of its legs; tests/fx/test_netting.py",
    "fx_dealcancellation": "asked for by two sides; tests/fx/test_closing.py",
    "fx_receiptdifference": "takes a receipt of a deal; tests/fx/test_differences.py",
    "fx_ndffixing": "born on a fixing date; tests/fx/test_closing.py",
    "fx_dealconfirmation": "born with a counterparty's word; tests/fx/test_deals.py",
    "risk_backtest": "takes a hundred business days; tests/risk/test_measuring.py",
    "treasury_latefeed": "born when a feed is late; tests/treasury/bank/test_proofs.py",
    "treasury_transferstatus": "born with the first answer of a bank",
    "treasury_recall": "born with a request; tests/treasury/movement/test_recalls.py",
    "treasury_historicalrecall": "born with a request; tests/treasury/movement/test_recalls.py",
    "treasury_sweepline": "agreed on by two people; tests/treasury/sweeps/test_paying.py",
    "treasury_riskreading": "handed down by the risk room; tests/treasury/sweeps/test_readings.py",
    "treasury_uploadedproposal": "born with a submitted file; tests/treasury/movement/test_uploads",
}


def _everything(model: type[models.Model]) -> list[str]:
    """Return all keys that an unfiltered read gives: raw SQL, below every manager."""
    column = model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{column}"::text FROM "{model._meta.db_table}"')
        return [row[0] for row in cursor.fetchall()]


def test_an_unfiltered_read_of_any_table_gives_nothing_of_another_tenant(world: World) -> None:
    empty = set()
    for model in tenant_models():
        with bound(world.theirs.tenant):
            theirs = set(_everything(model))
        with bound(world.ours.tenant):
            ours = set(_everything(model))
            through_manager = set(map(str, model._base_manager.values_list("pk", flat=True)))
        assert ours.isdisjoint(theirs), model._meta.label
        assert through_manager == ours, model._meta.label
        if not theirs or not ours:
            empty.add(model._meta.db_table)
    assert empty <= set(EMPTY)


def test_without_a_tenant_every_table_is_empty(world: World) -> None:
    with transaction.atomic():
        assert {model._meta.label for model in tenant_models() if _everything(model)} == set()


@pytest.mark.parametrize(
    "table", ["treasury_bankaccount", "approvals_approvalrequest", "core_user"]
)
def test_with_the_wall_down_the_same_read_sees_the_other_tenant(
    world: World, owner_connection: psycopg.Connection[Any], table: str
) -> None:
    """The negative control: row-level security is what does it."""
    (model,) = (model for model in tenant_models() if model._meta.db_table == table)
    owner_connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    try:
        with bound(world.theirs.tenant):
            seen = set(_everything(model))
    finally:
        owner_connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    with bound(world.ours.tenant):
        ours = set(_everything(model))
    assert ours
    assert ours < seen


_REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.CheckViolation,
    psycopg.errors.RaiseException,
)


def test_no_row_can_be_given_to_another_tenant(world: World) -> None:
    """Every table in turn: an UPDATE of the tenant is refused, or finds no row to change."""
    for model in tenant_models():
        table = model._meta.db_table
        hit = _tried(world, f"UPDATE {table} SET tenant_id = %s", world.theirs.tenant)
        assert hit == 0, table


def test_rows_of_another_tenant_cannot_be_changed_or_deleted(world: World) -> None:
    for model in tenant_models():
        table, theirs = model._meta.db_table, world.theirs.tenant
        for attack in ("UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}"):
            hit = _tried(world, attack.format(table) + " WHERE tenant_id = %s", theirs)
            assert hit == 0, (table, attack)


def _tried(world: World, sql: str, *values: object) -> int:
    """Run SQL below Django as our tenant and undo it; return the rows it hit, 0 when refused."""
    with bound(world.ours.tenant, actor="system:test"):
        connection.ensure_connection()
        try:
            return int(connection.connection.execute(sql, values).rowcount)
        except _REFUSALS:
            return 0
        finally:
            transaction.set_rollback(True)
